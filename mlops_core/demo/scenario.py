"""What the demo adds to the real purchases: people, clock, requests, objectives, segments.

All of it is declared, with the reasons, in `data/scenario.toml`.
"""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlops_core.console_root import console_root
from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.domain.states import Role

__all__ = ["Scenario", "ScenarioActor", "ScenarioClock", "Serving", "load_scenario"]

_DEFAULT = "default"


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScenarioActor(_Declared):
    """A person of the invented department."""

    name: str
    full_name: str
    email: str
    role: Role
    title: str


class ScenarioClock(_Declared):
    """The weeks that are replayed, and how long after a week's end its households are scored."""

    first_week: int = Field(ge=8, le=52)
    last_week: int = Field(ge=8, le=52)
    scoring_delay_minutes: int = Field(ge=0)


class Serving(_Declared):
    """How households are scored: rows in a request, hours between two runs."""

    request_rows: int = Field(gt=0)
    cadence_hours: float = Field(gt=0)


class Scenario(_Declared):
    """The whole declaration."""

    actors: tuple[ScenarioActor, ...]
    clock: ScenarioClock
    serving: Serving
    latency_objectives_ms: dict[str, float]
    segment_columns: dict[str, tuple[str, ...]]

    def latency_objective_ms(self, model: str) -> float:
        """Return the 95th percentile of response times that a model promises, in milliseconds."""
        return self.latency_objectives_ms.get(model, self.latency_objectives_ms[_DEFAULT])

    def segments(self, model: str) -> tuple[str, ...]:
        """Return the features by whose values a model's figures are kept apart."""
        return self.segment_columns.get(model, self.segment_columns[_DEFAULT])


def load_scenario(path: Path | None = None) -> Scenario:
    """Read the scenario.

    Parameters
    ----------
    path
        Another file than the `data/scenario.toml` that ships with Bigboard.

    Returns
    -------
    Scenario
        As declared.

    Raises
    ------
    NotFound
        When the file is not there.
    InvalidInput
        When it is not TOML, or declares something else than a scenario.
    """
    file = path or console_root() / "data" / "scenario.toml"
    try:
        declared = tomllib.loads(file.read_text(encoding="utf-8"))
        return Scenario.model_validate(declared)
    except FileNotFoundError as error:
        raise NotFound(f"the demo's scenario {file} is missing: install Bigboard again") from error
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise InvalidInput(f"the demo's scenario {file} cannot be used: {error}") from error

"""Two versions beside each other: where their settings, environments, metrics and features differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_core.registry.version_view import VersionView, read_version
from mlops_core.workspace import Workspace

__all__ = ["Pair", "SideBySide", "side_by_side"]


@dataclass(frozen=True, slots=True)
class Pair:
    """One thing of both versions, as text; empty where a version does not have it."""

    name: str
    first: str
    second: str

    @property
    def differs(self) -> bool:
        """Return whether it is not the same in both."""
        return self.first != self.second


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Two versions, and what differs.

    Attributes
    ----------
    hyper_parameters, environment
        What differs first, then by name.
    metrics
        Figures that came with either version, by name and data; None where one of them has none.
    only_first, only_second, both
        Input columns by who uses them, by name.
    """

    first: VersionView
    second: VersionView
    hyper_parameters: Sequence[Pair]
    environment: Sequence[Pair]
    metrics: Sequence[tuple[str, str, float | None, float | None]]
    only_first: Sequence[str]
    only_second: Sequence[str]
    both: Sequence[str]


def side_by_side(
    workspace: Workspace, model_name: str, number: int, other_model: str, other_number: int
) -> SideBySide:
    """Return two versions beside each other.

    Raises
    ------
    NotFound
        One of them is not there.
    """
    first = read_version(workspace, model_name, number)
    second = read_version(workspace, other_model, other_number)
    mine, others = set(first.version.columns), set(second.version.columns)
    return SideBySide(
        first,
        second,
        _pairs(first.version.hyper_parameters, second.version.hyper_parameters),
        _pairs(first.version.environment or {}, second.version.environment or {}),
        _metrics(first, second),
        sorted(mine - others),
        sorted(others - mine),
        sorted(mine & others),
    )


def _pairs(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Pair]:
    pairs = [
        Pair(name, _text(first, name), _text(second, name)) for name in sorted({*first, *second}, key=str)
    ]
    return sorted(pairs, key=lambda pair: not pair.differs)


def _text(values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        return ""
    value = values[name]
    return "none" if value is None else f"{value}"


def _metrics(first: VersionView, second: VersionView) -> list[tuple[str, str, float | None, float | None]]:
    mine = {(one.name, one.data): one.value for one in first.metrics}
    others = {(one.name, one.data): one.value for one in second.metrics}
    keys = [*mine, *(key for key in others if key not in mine)]
    return [(name, data, mine.get((name, data)), others.get((name, data))) for name, data in keys]

"""The demo department: its people and its features, and what the build carries along.

Everything is done with the calls that any user has; nothing here writes a table by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from sklearn.base import BaseEstimator

from mlops_core.demo.household_features import FEATURE_TABLES
from mlops_core.demo.purchases import FIRST_FEATURE_WEEK, week_end
from mlops_core.demo.recipes import SEGMENT, Recipe
from mlops_core.demo.scenario import Scenario
from mlops_core.domain import Actor, ModelVersion
from mlops_core.domain.states import Role
from mlops_core.features import (
    NewFeature,
    create_entity,
    create_feature_table,
    read_features,
    write_features,
)
from mlops_core.workspace import Workspace, add_actor

__all__ = [
    "HOUSEHOLD",
    "SEGMENT_TABLE",
    "Demo",
    "Served",
    "add_people",
    "declare_features",
    "read_frame",
    "segment_rows",
    "weeks_of",
    "write_week",
]

HOUSEHOLD = "household_id"
SEGMENT_TABLE = "household_segment"


@dataclass(frozen=True, slots=True)
class Served:
    """A model in production: how it was made, which version serves, and the estimator from its artefact."""

    recipe: Recipe
    version: ModelVersion
    estimator: BaseEstimator


@dataclass(slots=True)
class Demo:
    """What the build carries from step to step."""

    workspace: Workspace
    scenario: Scenario
    features: Mapping[str, pa.Table]
    targets: Mapping[str, pa.Table]
    people: dict[str, Actor] = field(default_factory=dict)
    served: dict[str, Served] = field(default_factory=dict)
    reference: pd.DataFrame | None = None
    recent: tuple[int, pd.DataFrame] | None = None

    def person(self, role: Role) -> Actor:
        """Return the first person with a role."""
        return next(actor for actor in self.people.values() if actor.role == role)


def add_people(demo: Demo, system: Actor) -> None:
    """Add the scenario's people."""
    for one in demo.scenario.actors:
        demo.people[one.name] = add_actor(
            demo.workspace,
            system,
            name=one.name,
            full_name=one.full_name,
            role=one.role,
            email=one.email,
        )


def declare_features(demo: Demo) -> None:
    """Declare the entity and the feature tables, and write the weeks before the replay."""
    engineer, scientist = demo.person(Role.ML_ENGINEER), demo.person(Role.DATA_SCIENTIST)
    create_entity(
        demo.workspace,
        scientist,
        name="household",
        key_column=HOUSEHOLD,
        description="A household with a loyalty card",
    )
    for table in FEATURE_TABLES:
        create_feature_table(
            demo.workspace,
            scientist,
            name=table.name,
            entity="household",
            description=table.description,
            owner=engineer,
            features=[
                NewFeature(one.name, one.dtype, one.kind, one.description, one.sources)
                for one in table.features
            ],
        )
    write_weeks(demo, range(FIRST_FEATURE_WEEK, demo.scenario.clock.first_week))


def write_week(demo: Demo, week: int) -> None:
    """Write one week's rows to every feature table that is computed from purchases."""
    write_weeks(demo, range(week, week + 1))


def write_weeks(demo: Demo, weeks: range) -> None:
    """Write the rows of some weeks to the feature tables."""
    engineer = demo.person(Role.ML_ENGINEER)
    for name, rows in demo.features.items():
        write_features(demo.workspace, engineer, name, weeks_of(rows, weeks).drop_columns(["week"]))


def segment_rows(frame: pd.DataFrame, segments: npt.NDArray[np.generic]) -> pa.Table:
    """Return rows of the segment's feature table for scored households."""
    return pa.table(
        {
            HOUSEHOLD: pa.array(frame[HOUSEHOLD], pa.int64()),
            "as_of": pa.array(frame["as_of"], pa.timestamp("us", tz="UTC")),
            SEGMENT.name: pa.array(segments.astype(str), pa.string()),
        }
    )


def weeks_of(rows: pa.Table, weeks: range) -> pa.Table:
    """Return the rows of some weeks."""
    week = rows["week"].to_numpy()
    return rows.filter(pa.array((week >= weeks.start) & (week < weeks.stop)))


def read_frame(demo: Demo, columns: Sequence[str], weeks: range) -> pd.DataFrame:
    """Read features of every household as of the ends of some weeks."""
    rows = read_features(
        demo.workspace, list(columns), start=week_end(weeks.start), end=week_end(weeks.stop - 1)
    )
    frame: pd.DataFrame = rows.to_pandas()
    return frame

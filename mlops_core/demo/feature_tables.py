"""What a feature table of the demo declares: its columns, where they come from, the SQL that fills it."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from mlops_core.domain.states import FeatureKind

__all__ = ["Feature", "FeatureTable", "FeatureType"]

FeatureType = Literal["int64", "float64", "string"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of a feature table.

    Parameters
    ----------
    name
        Column name, unique over all tables.
    dtype
        Arrow type of the column.
    description
        One line for the catalogue.
    kind
        Primary when it is one source column as it stands, derived when it is computed from some,
        prediction when it is a model's output.
    sources
        Source columns it comes from, as `table.column`; the name of the model for a prediction.
    """

    name: str
    dtype: FeatureType
    description: str
    kind: FeatureKind
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """A table of features of the entity `household`.

    Parameters
    ----------
    name
        Table name.
    description
        One line for the catalogue.
    sql
        DuckDB query over `open_purchases` with the parameters `$first_week` and `$last_week`; it gives
        `household_id`, `week`, `as_of` and the features, ordered by week and household.
    features
        The columns after these three, in order.
    """

    name: str
    description: str
    sql: str
    features: tuple[Feature, ...]

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the table."""
        types = {"int64": pa.int64(), "float64": pa.float64(), "string": pa.string()}
        keys = [
            pa.field("household_id", pa.int64()),
            pa.field("week", pa.int64()),
            pa.field("as_of", pa.timestamp("us", "UTC")),
        ]
        return pa.schema(keys + [pa.field(feature.name, types[feature.dtype]) for feature in self.features])

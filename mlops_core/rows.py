"""Rows as a program holds them, and as they are sent."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from mlops_core.domain.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Rows", "table_of"]

Rows: TypeAlias = "pa.Table | pa.RecordBatch | pd.DataFrame | Sequence[Mapping[str, Any]]"
"""What can be sent: an Arrow table, a pandas DataFrame, or a list of dictionaries."""


def table_of(rows: Rows) -> pa.Table:
    """Return rows as an Arrow table.

    Raises
    ------
    InvalidInput
        They are something else, or their values do not fit together.
    """
    if isinstance(rows, pa.Table):
        return rows
    if isinstance(rows, pa.RecordBatch):
        return pa.Table.from_batches([rows])
    try:
        if isinstance(rows, Sequence):
            return pa.Table.from_pylist([dict(row) for row in rows])
        return pa.Table.from_pandas(rows, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(
            f"the rows cannot be sent ({error}): give an Arrow table, a DataFrame or a list of dictionaries"
        ) from error

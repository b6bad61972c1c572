"""What a row of a watched file cannot hold; a message names the file, the row and the column."""

from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mlops_core.analysis.sources import Source
from mlops_core.domain.errors import InvalidInput
from mlops_core.monitoring.log_rows import untimely_row

__all__ = ["check_repeats", "check_shares", "check_times"]


def check_times(times: pa.Array, name: str, source: Source, offset: int, now: datetime) -> None:
    """Raise InvalidInput if a prediction was made before 1970 or in the future.

    Parameters
    ----------
    times
        `timestamp[us, UTC]`, without nulls.
    offset
        How many rows of the file lie before the first.
    """
    row = untimely_row(times, now)
    if row is not None:
        raise InvalidInput(
            f"{source.place(offset + row)}: column {name!r} holds {times[row].as_py():%Y-%m-%d %H:%M}, "
            "before 1970 or in the future: check its unit and its zone"
        )


def check_shares(values: pa.ChunkedArray, name: str, source: Source, offset: int) -> None:
    """Raise InvalidInput if a probability lies outside [0, 1]; null and NaN are no values."""
    outside = _first(pc.or_(pc.less(values, 0.0), pc.greater(values, 1.0)))
    if outside is not None:
        raise InvalidInput(
            f"{source.place(offset + outside)}: column {name!r} holds {values[outside].as_py():g}, outside "
            "[0, 1]: give a probability, or declare --problem regression"
        )


def check_repeats(rows: pa.Table, name: str, source: Source, offset: int) -> None:
    """Raise InvalidInput if two rows have the same value in a column and differ elsewhere."""
    ids = rows[name]
    if len(pc.unique(ids)) == len(ids):
        return
    first: dict[Any, int] = {}
    for row, value in enumerate(ids.to_pylist()):
        before = first.setdefault(value, row)
        if before == row:
            continue
        pair = [repr(one) for one in rows.take(pa.array([before, row])).to_pylist()]
        if pair[0] != pair[1]:
            raise InvalidInput(
                f"{source.place(offset + row)}: column {name!r} holds {value!r}, the id of row "
                f"{offset + before + 1:,}, which is another one: every prediction needs its own id"
            )


def _first(found: pa.Array | pa.ChunkedArray) -> int | None:
    place = int(pc.index(found, pa.scalar(True)).as_py())
    return None if place < 0 else place

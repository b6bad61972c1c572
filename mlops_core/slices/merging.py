"""The sum of many encoded slices, without an object for each of them.

Reading a window adds up hundreds of slices of the same columns. Their batches are joined and added up as flat
arrays; Python objects are made once, for the sum.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.codec import COLUMN_SCALARS, OUTER_SUMS, reading
from mlops_core.slices.counts import CategoricalCounts, Counts, NumericCounts, Slice, merge_slices

__all__ = ["merge_encoded", "merge_groups"]

_MOST_CELLS: Final = 2**24  # of a column; more can only be damage, and would take all memory
_ROWS_AT_ONCE: Final = 100  # so that what they hold stays in the processor's cache
_LEAST: Final[dict[str, Any]] = {"minimum": np.minimum, "maximum": np.maximum}
_EVERY_KIND: Final = ("rows", "nulls")
_CATEGORICAL: Final = ("unseen_other",)
_NUMERIC: Final = tuple(name for name in COLUMN_SCALARS if name not in (*_EVERY_KIND, *_CATEGORICAL))

Integers = NDArray[np.int64]


def merge_encoded(payloads: Iterable[bytes], columns: Collection[str] | None = None) -> Slice:
    """Return the slice of all rows together, as `merge_slices` does of the decoded slices.

    Every count is that of `merge_slices`; the sums may differ by rounding. Each count must be below 2**63.

    Parameters
    ----------
    payloads
        What `encode_slice` returned, of any release.
    columns
        Which columns to add up; all when None. Names that no slice has are passed over.

    Raises
    ------
    InvalidInput
        If a payload is no slice, is damaged, or was written by a newer release, or if a column was counted on
        different grids.
    """
    return merge_groups((("", payload) for payload in payloads), columns).get("", Slice(0, {}))


def merge_groups(
    payloads: Iterable[tuple[str, bytes]], columns: Collection[str] | None = None
) -> dict[str, Slice]:
    """Return the slice of each group's rows, as `merge_encoded` of its payloads alone.

    Many small groups, as segments are, are added up at once, which is several times as fast as one by one.

    Parameters
    ----------
    payloads
        The name of the group, and what `encode_slice` returned.
    columns
        See `merge_encoded`.

    Raises
    ------
    InvalidInput
        See `merge_encoded`.
    """
    rows: dict[str, int] = {}
    alike: list[tuple[list[pa.RecordBatch], list[str]]] = []
    for group, payload in payloads:
        with reading("slice", payload) as (batch, metadata):
            rows[group] = rows.get(group, 0) + int(metadata["rows"])
            for batches, groups in alike:
                if batch.schema.equals(batches[0].schema):
                    batches.append(batch)
                    groups.append(group)
                    break
            else:
                alike.append(([batch], [group]))
    wanted = None if columns is None else pa.array(sorted({*columns}), pa.string())
    sums = [_sum_alike(batches, groups, wanted) for batches, groups in alike]
    return {
        group: Slice(n, _joined([one[group] for one in sums if group in one])) for group, n in rows.items()
    }


def _joined(sums: list[dict[str, Counts]]) -> Mapping[str, Counts]:
    if len(sums) == 1:  # as almost always: every slice of a version was stored alike
        return sums[0]
    return merge_slices(Slice(0, one) for one in sums).columns


def _sum_alike(
    batches: list[pa.RecordBatch], groups: list[str], wanted: pa.Array | None
) -> dict[str, dict[str, Counts]]:
    """Return the sum by group and column of batches of one schema, each of which was validated."""
    try:
        batch = pa.concat_batches([one.replace_schema_metadata(None) for one in batches])
        names = list(dict.fromkeys(groups))
        numbers = {name: number for number, name in enumerate(names)}
        of_rows = np.repeat([numbers[group] for group in groups], [one.num_rows for one in batches])
        if wanted is not None:
            chosen = pc.is_in(batch.column("name"), wanted)
            batch, of_rows = batch.filter(chosen), of_rows[chosen.to_numpy(zero_copy_only=False)]
        return _sum_rows(batch, of_rows, names)
    except (pa.ArrowException, ValueError, LookupError, TypeError, AttributeError, MemoryError) as error:
        raise InvalidInput(f"these bytes are no whole slice: rebuild it ({error})") from error


def _sum_rows(
    batch: pa.RecordBatch, of_rows: Integers, groups: Sequence[str]
) -> dict[str, dict[str, Counts]]:
    """Return the sum by group and name of rows that are one column of one slice each.

    Parameters
    ----------
    of_rows
        The number of each row's group.
    """
    encoded = batch.column("name").dictionary_encode()
    known = encoded.dictionary.to_pylist()
    pairs = of_rows * len(known) + encoded.indices.to_numpy()
    distinct, codes = np.unique(pairs, return_inverse=True)
    group_of, name_of = (part.tolist() for part in np.divmod(distinct, max(len(known), 1)))
    names = [known[number] for number in name_of]
    numeric = _one_each(codes, batch.column("numeric").to_numpy(zero_copy_only=False), len(names))
    n_cells = _one_each(codes, batch.column("n_cells").to_numpy(), len(names))
    for name, kinds, sizes in zip(names, numeric, n_cells, strict=True):
        if kinds[0] != kinds[1]:
            raise InvalidInput(
                f"column {name!r} was counted both as numbers and by value: rebuild its slices"
            )
        if sizes[0] != sizes[1]:
            raise InvalidInput(
                f"column {name!r}: counts of different grids cannot be added: rebuild the slices on one grid"
            )
        if not 0 <= sizes[0] <= _MOST_CELLS:
            raise InvalidInput(f"column {name!r} has {sizes[0]} cells, which is damage: rebuild its slices")
    cells = _sum_cells(batch, codes, n_cells[:, 0])
    unseen = _sum_unseen(batch, codes, len(names))
    is_numeric = numeric[:, 0].astype(np.bool_)
    scalars = _sum_scalars(batch, codes, is_numeric)
    found: dict[str, dict[str, Counts]] = {group: {} for group in groups}
    for place, (number, name) in enumerate(zip(group_of, names, strict=True)):
        if is_numeric[place]:
            values = {field: scalars[field][place] for field in (*_EVERY_KIND, *_NUMERIC)}
            found[groups[number]][name] = NumericCounts(cells=cells[place], **values)
        else:
            values = {field: scalars[field][place] for field in (*_EVERY_KIND, *_CATEGORICAL)}
            found[groups[number]][name] = CategoricalCounts(
                known=cells[place], unseen=unseen[place], **values
            )
    return found


def _one_each(codes: Integers, values: NDArray[Any], n: int) -> NDArray[Any]:
    """Return the least and the greatest value of each code, shape ``(n, 2)``: equal if there is only one."""
    ends = np.empty((n, 2), values.dtype)
    ends[codes] = values[:, np.newaxis]
    np.minimum.at(ends[:, 0], codes, values)
    np.maximum.at(ends[:, 1], codes, values)
    return ends


def _sum_scalars(
    batch: pa.RecordBatch, codes: Integers, is_numeric: NDArray[np.bool_]
) -> dict[str, list[Any]]:
    sums: dict[str, list[Any]] = {}
    of_numeric = is_numeric[codes]
    for field, kind in COLUMN_SCALARS.items():
        if field in OUTER_SUMS and field not in batch.schema.names:
            sums[field] = [float("nan")] * len(is_numeric)
            continue
        column = batch.column(field)
        counted = np.ones(len(codes), np.bool_) if field in _EVERY_KIND else of_numeric
        counted = ~of_numeric if field in _CATEGORICAL else counted
        column, where = column.filter(pa.array(counted)), codes[counted]
        if column.null_count or column.type != kind:
            raise InvalidInput(f"{field} of a column is missing: rebuild its slices")
        values = column.to_numpy()
        add: Any = _LEAST.get(field, np.add)
        start = {"minimum": np.inf, "maximum": -np.inf}.get(field, 0)
        total = np.full(len(is_numeric), start, values.dtype)
        add.at(total, where, values)
        sums[field] = total.tolist()
    return sums


def _sum_cells(batch: pa.RecordBatch, codes: Integers, n_cells: Integers) -> list[Integers]:
    """Return the cells of each column, added up over its slices."""
    steps, lengths = _flat(batch.column("cell_steps"))
    counts, as_many = _flat(batch.column("cell_counts"))
    if not np.array_equal(lengths, as_many):
        raise InvalidInput("a slice has cells without counts: rebuild it")
    if steps.min(initial=0) < 0 or steps.max(initial=0) > _MOST_CELLS:
        raise InvalidInput("a slice counts rows outside its grid: rebuild it")
    ends = np.cumsum(n_cells)
    total = np.zeros(int(n_cells.sum()), np.int64)
    after = np.cumsum(lengths)
    for low in range(0, len(codes), _ROWS_AT_ONCE):
        rows = slice(low, low + _ROWS_AT_ONCE)
        begin, end = int(after[low] - lengths[low]), int(after[rows][-1])
        places = np.cumsum(steps[begin:end], dtype=np.int64)
        walked, stop = np.concatenate(([0], places)), after[rows] - begin
        before = walked[stop - lengths[rows]]
        if (walked[stop] - before >= n_cells[codes[rows]])[lengths[rows] > 0].any():
            raise InvalidInput("a slice counts rows outside its grid: rebuild it")
        places += np.repeat((ends - n_cells)[codes[rows]] - before, lengths[rows])
        np.add.at(total, places, counts[begin:end].astype(np.int64))
    return [part.copy() for part in np.split(total, ends[:-1])] if len(ends) else []


def _sum_unseen(batch: pa.RecordBatch, codes: Integers, n: int) -> list[dict[str, int]]:
    """Return the unseen values of each column with their counts, added up over its slices."""
    found: list[dict[str, int]] = [{} for _ in range(n)]
    texts = batch.column("unseen").flatten()
    lengths = batch.column("unseen").value_lengths().to_numpy().astype(np.int64)
    counts, as_many = _flat(batch.column("unseen_counts"))
    if not np.array_equal(lengths, as_many) or len(texts) != len(counts) or texts.null_count:
        raise InvalidInput("a slice has unseen values without counts: rebuild it")
    if not len(texts):
        return found
    encoded = texts.dictionary_encode()
    values = encoded.dictionary.to_pylist()
    pairs = np.repeat(codes, lengths) * len(values) + encoded.indices.to_numpy()
    distinct, places = np.unique(pairs, return_inverse=True)
    totals = np.zeros(len(distinct), np.int64)
    np.add.at(totals, places, counts.astype(np.int64))
    for pair, count in zip(distinct.tolist(), totals.tolist(), strict=True):
        found[pair // len(values)][values[pair % len(values)]] = count
    return found


def _flat(lists: pa.ListArray) -> tuple[NDArray[Any], Integers]:
    """Return the values of all lists in a row, and how many each has."""
    offsets = lists.offsets.to_numpy().astype(np.int64)
    return lists.values.to_numpy()[offsets[0] : offsets[-1]], np.diff(offsets)

"""The rows of each segment of an evaluation snapshot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.analysis.label_columns import class_labels
from mlops_core.analysis.paired_metrics import PairedRows, values_of
from mlops_core.comparison.evidence import first_of, why_no_interval, why_undefined
from mlops_core.domain.errors import SchemaMismatch
from mlops_core.slices.arrow_columns import MISSING, categories_of

__all__ = ["FEWEST_IN_SEGMENT", "MOST_SEGMENTS", "SegmentRows", "comparable_segments", "segments_of"]

FEWEST_IN_SEGMENT: Final = 100
"""Segments with fewer rows are not compared."""

MOST_SEGMENTS: Final = 100
"""Of one column only so many segments, those with most rows, are compared."""


@dataclass(frozen=True, slots=True)
class SegmentRows:
    """One segment.

    Attributes
    ----------
    name
        `column=value`; the value of rows without one is `(missing)`.
    rows
        The places of its rows, rising.
    """

    name: str
    rows: NDArray[np.int64]


def segments_of(
    table: pa.Table,
    columns: Sequence[str],
    *,
    fewest: int = FEWEST_IN_SEGMENT,
    most: int = MOST_SEGMENTS,
    what: str = "segments",
) -> tuple[list[SegmentRows], list[str]]:
    """Return the segments of each column, by name, and notes on what was left out.

    Parameters
    ----------
    fewest
        Of rows; smaller segments are left out.
    most
        Of segments of a column; those with the fewest rows are left out.
    what
        What the notes call them.
    """
    found, notes, small = [], [], []
    for column in columns:
        if column not in table.column_names:
            notes.append(f"the evaluation snapshot has no column {column}: its {what} are not compared")
            continue
        array = _whole(table[column])
        try:
            categories = categories_of(class_labels(array, column), column)
        except SchemaMismatch:
            notes.append(f"column {column} holds {table[column].type}: its {what} are not compared")
            continue
        texts = [*categories.texts.to_pylist(), MISSING]
        order = np.argsort(categories.codes, kind="stable")
        counts = np.bincount(categories.codes, minlength=len(texts))
        places = dict(zip(range(len(texts)), np.split(order, np.cumsum(counts)[:-1]), strict=True))
        large = [place for place in places if counts[place] >= fewest]
        kept = sorted(large, key=lambda place: (-counts[place], texts[place]))[:most]
        if len(kept) < len(large):
            notes.append(f"column {column} has {len(large):,} {what}: the {most} largest are compared")
        if large:
            small += [f"{column}={texts[p]} ({counts[p]:,})" for p in places if 0 < counts[p] < fewest]
        else:
            different = int((counts > 0).sum())
            notes.append(f"column {column}: none of {different:,} {what} has {fewest} rows, none is compared")
        found += [
            SegmentRows(f"{column}={texts[place]}", places[place].astype(np.int64))
            for place in sorted(kept, key=lambda place: texts[place])
        ]
    if small:
        notes.append(f"{what} with fewer than {fewest} rows left out: {first_of(small)}")
    return found, notes


def comparable_segments(
    rows: PairedRows, metric: str, segments: Sequence[SegmentRows]
) -> tuple[list[SegmentRows], list[str]]:
    """Return the segments in which a metric can tell the versions apart, and a note on the others."""
    kept, left_out = [], []
    for one in segments:
        chosen = rows.take(one.rows)
        reason = why_no_interval(chosen, metric)
        values = values_of(chosen, [metric])[metric]
        if not reason and not all(math.isfinite(value) for value in values):
            reason = why_undefined(chosen, values)
        if reason:
            left_out.append(f"{one.name}: {reason}")
        else:
            kept.append(one)
    return kept, [f"segments not compared: {first_of(left_out, '; ')}"] if left_out else []


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece, without a dictionary, whose texts could occur twice."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.combine_chunks()

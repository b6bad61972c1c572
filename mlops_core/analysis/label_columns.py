"""Targets and predictions as files hold them, told apart as labels, probabilities and numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from mlops_core.analysis.source import Source
from mlops_core.slices.arrow_columns import categories_of, is_numeric, numbers_of

__all__ = ["LabelColumn", "binary_labels", "class_labels", "known_rows", "read_columns"]

_MOST_TRACKED: Final = 1_001
_EXACT: Final = 2.0**53  # from here on not every whole number is a float


@dataclass(slots=True)
class LabelColumn:
    """What a first look at a column found.

    Attributes
    ----------
    name, type
        The column and its Arrow type.
    numeric
        Whether it holds numbers or booleans (which count as 0 and 1).
    labels
        The different values as text, at most 1,001.
    integral
        Whether all its numbers are whole.
    lowest, highest
        Of its finite numbers.
    """

    name: str
    type: pa.DataType
    numeric: bool
    labels: set[str] = field(default_factory=set)
    integral: bool = True
    lowest: float = np.inf
    highest: float = -np.inf

    def add(self, array: pa.Array) -> None:
        """Look at more values."""
        if self.numeric:
            numbers = numbers_of(_as_numbers(array), self.name)
            values = numbers.values if numbers.valid is None else numbers.values[numbers.valid]
            values = values[np.isfinite(values)]
            if len(values):
                self.integral = self.integral and bool((values == np.floor(values)).all())
                self.lowest, self.highest = (
                    min(self.lowest, float(values.min())),
                    max(self.highest, float(values.max())),
                )
            if len(self.labels) < _MOST_TRACKED:
                self.labels.update(_text_of(value) for value in np.unique(values)[:_MOST_TRACKED].tolist())
        elif len(self.labels) < _MOST_TRACKED:
            categories = categories_of(array, self.name)
            used = np.unique(categories.codes)
            used = used[used < len(categories.texts)][:_MOST_TRACKED]
            self.labels.update(categories.texts.take(pa.array(used)).to_pylist())


def read_columns(source: Source, names: Sequence[str]) -> dict[str, LabelColumn]:
    """Look at columns, in one pass.

    Raises
    ------
    SchemaMismatch
        If a column is missing, or holds neither numbers, booleans nor text.
    """
    found: dict[str, LabelColumn] = {}
    for name in names:
        kind = source.schema.field(name).type
        found[name] = LabelColumn(name, kind, is_numeric(kind) or pa.types.is_boolean(kind))
    for batch in source.batches(names):
        for name, column in found.items():
            column.add(batch.column(name))
    return found


def known_rows(array: pa.Array, name: str) -> pa.Array:
    """Return, for each row, whether it holds a value: not null and not NaN or infinite."""
    if not (is_numeric(array.type) or pa.types.is_boolean(array.type)):
        categories = categories_of(array, name)
        return pa.array(categories.codes < len(categories.texts))
    numbers = numbers_of(_as_numbers(array), name)
    known = np.isfinite(numbers.values)
    return pa.array(known if numbers.valid is None else known & numbers.valid)


def class_labels(array: pa.Array, name: str) -> pa.Array:
    """Return the values as text, null where there is none; whole numbers have no decimal point."""
    if not (is_numeric(array.type) or pa.types.is_boolean(array.type)):
        return array
    known = known_rows(array, name).to_numpy(zero_copy_only=False)
    values, codes = np.unique(
        np.where(known, numbers_of(_as_numbers(array), name).values, 0.0), return_inverse=True
    )
    texts = pa.array([_text_of(value) for value in values.tolist()], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), mask=~known), texts)


def binary_labels(array: pa.Array, name: str, positive: str) -> pa.Array:
    """Return 1 where the value is the positive label, 0 where it is another, null where there is none."""
    categories = categories_of(class_labels(array, name), name)
    table = np.array([text == positive for text in categories.texts.to_pylist()] + [False], dtype=np.int8)
    return pa.array(table[categories.codes], mask=categories.codes == len(categories.texts))


def _as_numbers(array: pa.Array) -> pa.Array:
    return array.cast(pa.uint8()) if pa.types.is_boolean(array.type) else array


def _text_of(value: float) -> str:
    return str(int(value)) if value == np.floor(value) and abs(value) < _EXACT else repr(value)

"""Which columns of two sources can be compared, and how each is counted."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mlops_core.analysis.source import Source
from mlops_core.domain.errors import InvalidInput, SchemaMismatch
from mlops_core.slices.arrow_columns import is_categorical
from mlops_core.statistics.registry import ColumnKind

__all__ = ["Pairing", "Skipped", "pair_columns"]

_INDEX = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A column that was not compared.

    Attributes
    ----------
    column, reason
        Its name, and why in words.
    """

    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """The columns that are compared.

    Attributes
    ----------
    kinds
        How each is counted, in the order of the reference.
    skipped
        The columns that are not.
    """

    kinds: dict[str, ColumnKind]
    skipped: tuple[Skipped, ...]


def pair_columns(
    reference: Source,
    current: Source,
    timestamp: str | None = None,
    columns: Sequence[str] | None = None,
    categorical: Collection[str] = (),
) -> Pairing:
    """Decide for each column whether it can be compared, and how it is counted.

    Numbers are numeric; text, booleans and dictionaries are categorical, and so are the integers that
    `categorical` names. The type in the reference decides.

    Raises
    ------
    InvalidInput
        If a column that was asked for by name cannot be compared, or none can.
    """
    here, there = reference.schema, current.schema
    for name in [*(columns or ()), *categorical]:
        if name not in here.names and name not in there.names:
            raise SchemaMismatch(
                f"neither {reference.name} nor {current.name} has a column {name!r}: "
                f"there are {', '.join(here.names[:40])}"
            )
    if columns is not None and len(set(columns)) != len(columns):
        raise InvalidInput("a column is asked for twice: name each once")
    asked = set(columns or ()) | set(categorical)
    order = [name for name in here.names if name in there.names or name in asked or columns is None]
    order += [name for name in there.names if name not in here.names]
    if columns is not None:
        order = [name for name in order if name in asked and name in set(columns)]
    kinds: dict[str, ColumnKind] = {}
    skipped: list[Skipped] = []
    for name in order:
        if name == timestamp and name not in asked:
            continue
        if _INDEX.fullmatch(name) and name not in asked:
            skipped.append(Skipped(name, "is the index of a DataFrame"))
            continue
        found = _kind(name, reference, current, name in categorical)
        if found in ("numeric", "categorical"):
            kinds[name] = "numeric" if found == "numeric" else "categorical"
        elif name in asked:
            raise SchemaMismatch(f"column {name!r} {found}: leave it out, or write it with one type")
        else:
            skipped.append(Skipped(name, found))
    if not kinds:
        reasons = "; ".join(f"{one.column!r} {one.reason}" for one in skipped[:5])
        raise InvalidInput(
            f"{reference.name} and {current.name} have no column that can be compared"
            + (f" ({reasons})" if reasons else "")
        )
    return Pairing(kinds, tuple(skipped))


def _kind(name: str, reference: Source, current: Source, by_value: bool) -> ColumnKind | str:
    """Return the kind of a column, or why it is not compared."""
    for source in (reference, current):
        if name not in source.schema.names:
            return f"is missing in {source.name}"
    types = [source.schema.field(name).type for source in (reference, current)]
    for source, kind in zip((reference, current), types, strict=True):
        if by_value and not is_categorical(kind):
            return f"holds {kind} in {source.owner(name)}, which cannot be counted by value"
        if _own_kind(kind) == "other":
            return f"holds {kind} in {source.owner(name)}, which is neither numbers nor categories"
    if by_value:
        return "categorical"
    met = [found for found in map(_own_kind, types) if found != "unknown"]
    if len(set(met)) > 1:
        return f"holds {types[0]} in {reference.owner(name)} but {types[1]} in {current.owner(name)}"
    return "categorical" if met and met[0] == "categorical" else "numeric"


def _own_kind(kind: pa.DataType) -> str:
    types = pa.types
    if types.is_null(kind):
        return "unknown"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "numeric"
    return "categorical" if is_categorical(kind) else "other"

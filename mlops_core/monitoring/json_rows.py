"""Turn what a scoring service sends into the Arrow rows of a log; messages name the row and the column."""

import json
from collections.abc import Callable
from datetime import datetime
from difflib import get_close_matches
from typing import NoReturn

import pyarrow as pa
from sqlmodel import select

from mlops_core.domain import Entity
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import ProblemType
from mlops_core.monitoring.logs import KNOWN_AT, OUTCOME, PREDICTION_ID, VERSION, LogShape
from mlops_core.registry.columns import LATENCY, PREDICTED_AT, PREDICTION
from mlops_core.slices import NumericGrid
from mlops_core.workspace import Workspace

__all__ = ["Row", "arrow_rows", "check_known", "json_rows", "parsed_batch"]

Row = dict[str, object]


def parsed_batch(body: bytes, version: int | None = None) -> tuple[int | None, list[Row]]:
    """Return the version and the rows of a JSON batch: `{"version": 3, "rows": [{…}, …]}`.

    Parameters
    ----------
    version
        Used where the batch names none.

    Raises
    ------
    InvalidInput
    """
    try:
        batch = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the batch is no JSON ({error}): nothing was stored") from error
    rows = batch.get("rows") if isinstance(batch, dict) else None
    if not isinstance(rows, list):
        raise InvalidInput('the batch has no rows: send {"rows": [{"prediction_id": …}, …]}')
    strange = sorted(batch.keys() - {"rows", "version"})
    if strange:
        raise InvalidInput(f"the batch has '{strange[0]}' beside its rows: only version may stand there")
    for place, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise InvalidInput(f"row {place} is no object of columns and values: nothing was stored")
    number = batch.get("version", version)
    if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
        raise InvalidInput(f"version {number!r} is no whole number: nothing was stored")
    return number, rows


def arrow_rows(body: bytes) -> pa.Table:
    """Return the rows of an Arrow IPC stream.

    Raises
    ------
    InvalidInput
    """
    try:
        with pa.ipc.open_stream(body) as stream:
            rows: pa.Table = stream.read_all()
        rows.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidInput(f"the batch is no whole Arrow IPC stream ({error}): nothing was stored") from error
    return rows


def json_rows(shape: LogShape, what: str, rows: list[Row]) -> pa.Table:
    """Return JSON rows with the types of a log.

    A column that a row leaves out is null there. Times are ISO 8601 with a zone.

    Raises
    ------
    InvalidInput
        Naming the row, from 1, and the column of the first value that has another type.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if not rows:
        columns = sorted(shape.needed)
    table = {}
    for column in columns:
        kind = _kind(shape, column)
        values = [row.get(column) for row in rows]
        table[column] = (
            _inferred(what, column, values) if kind is None else _column(what, column, values, kind)
        )
    return pa.table(table)


def check_known(workspace: Workspace, shape: LogShape, what: str, rows: pa.Table) -> None:
    """Check that a batch has no column that means nothing to its model.

    Raises
    ------
    InvalidInput
        Naming the column, and the one that may have been meant.
    """
    known = set(shape.needed | shape.optional) | set(shape.table.names if shape.table else ())
    if shape.number is not None:
        known.discard(VERSION)
        with workspace.store.read() as session:
            known |= set(session.exec(select(Entity.key_column)))
    for column in rows.column_names:
        if column not in known:
            near = get_close_matches(column, known, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"it knows {', '.join(sorted(known))}."
            raise InvalidInput(
                f"column '{column}' of the {what}, from row 1 on, is unknown to the model: {hint} "
                "Nothing was stored"
            )


def _kind(shape: LogShape, column: str) -> pa.DataType | None:
    """Return the type that a column of a log has, None where the log has none yet and anything goes."""
    if column in (PREDICTED_AT, KNOWN_AT):
        return pa.timestamp("us", tz="UTC")
    is_multiclass = shape.model.problem_type == ProblemType.MULTICLASS
    if column == PREDICTION_ID or (column in (PREDICTION, OUTCOME) and is_multiclass):
        return pa.string()
    if column in shape.grids:
        if isinstance(shape.grids[column], NumericGrid):
            return pa.float64()
        known = shape.table.field(column).type if shape.table and column in shape.table.names else None
        return known or pa.string()
    if column == LATENCY or (column == OUTCOME and shape.number is None):
        return pa.float64()
    return shape.table.field(column).type if shape.table and column in shape.table.names else None


def _column(what: str, column: str, values: list[object], kind: pa.DataType) -> pa.Array:
    wanted, is_right = _EXPECTED.get(_family(kind, column), ("a value", lambda _: True))
    if pa.types.is_timestamp(kind):
        return pa.array([_time(what, column, place, value) for place, value in enumerate(values, 1)], kind)
    for place, value in enumerate(values, 1):
        if value is not None and not is_right(value):
            _refuse(what, column, place, value, wanted)
    if pa.types.is_string(kind):
        values = [value if value is None or isinstance(value, str) else _text(value) for value in values]
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        for place, value in enumerate(values, 1):
            try:
                pa.array([value], kind)
            except (pa.ArrowException, OverflowError, TypeError, ValueError):
                _refuse(what, column, place, value, str(kind))
        raise


def _inferred(what: str, column: str, values: list[object]) -> pa.Array:
    try:
        array = pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"column '{column}' of the {what} mixes types ({error}): nothing stored"
        ) from error
    return array


def _family(kind: pa.DataType, column: str) -> str:
    types = pa.types
    if types.is_string(kind):
        return "label" if column in (PREDICTION, OUTCOME) else "text"
    if types.is_boolean(kind):
        return "boolean"
    if column in (PREDICTION, OUTCOME):
        return "outcome"
    return "number" if types.is_integer(kind) or types.is_floating(kind) else ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_EXPECTED: dict[str, tuple[str, Callable[[object], bool]]] = {
    "text": ("text", lambda value: isinstance(value, str)),
    "label": ("a label: text, a whole number or a boolean", lambda value: isinstance(value, str | int)),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "number": ("a number", _is_number),
    "outcome": ("a number", lambda value: isinstance(value, int | float)),
}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _time(what: str, column: str, place: int, value: object) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        _refuse(what, column, place, value, "a time with a zone, like 2025-03-10T12:00:00Z")
    return moment


def _refuse(what: str, column: str, place: int, value: object, wanted: str) -> NoReturn:
    raise InvalidInput(
        f"row {place}, column '{column}' of the {what} holds {json.dumps(value)[:60]}, not {wanted}: "
        "nothing was stored"
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number: send null")

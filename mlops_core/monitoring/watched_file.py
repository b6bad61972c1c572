"""A file of predictions as rows of a model's logs: which column is what, and an id for every row."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_core.analysis.chunks import check_range, untimely
from mlops_core.analysis.source import is_text
from mlops_core.analysis.sources import Source
from mlops_core.domain.errors import InvalidInput, SchemaMismatch
from mlops_core.domain.states import ProblemType
from mlops_core.monitoring.logs import KNOWN_AT, OUTCOME, PREDICTION_ID
from mlops_core.monitoring.watch_checks import check_repeats, check_shares, check_times
from mlops_core.registry.columns import LATENCY, PREDICTED_AT, PREDICTION, SCORE
from mlops_core.slices.arrow_columns import is_categorical, is_numeric
from mlops_core.slices.grid import MOST_CATEGORIES

__all__ = [
    "FileColumns",
    "LogRows",
    "WatchPlan",
    "check_roles",
    "feature_columns",
    "log_rows",
    "prediction_times",
]

_OURS = {PREDICTION_ID, PREDICTED_AT, PREDICTION, SCORE, OUTCOME, KNOWN_AT, LATENCY, "model_version"}
_UTC = pa.timestamp("us", tz="UTC")
_LIKELY_LABELS = {"1": 1, "1.0": 1, "true": 1, "yes": 1, "0": 0, "0.0": 0, "false": 0, "no": 0}


@dataclass(frozen=True, slots=True)
class FileColumns:
    """Which column of a file is what.

    Attributes
    ----------
    timestamp
        When the prediction was made.
    prediction, score
        The predicted value or label; for labels, the probability of outcome 1 (binary) or of the label.
        A binary prediction that comes without a score may be a probability itself.
    target
        What turned out to be true; null where it is not known yet.
    id
        Tells predictions apart; without one, a row is told from others by what it holds.
    segments
        By whose values every figure is also kept apart.
    """

    timestamp: str
    prediction: str
    score: str | None = None
    target: str | None = None
    id: str | None = None
    segments: tuple[str, ...] = ()

    @property
    def roles(self) -> list[str]:
        """Return the columns that are no input of the model."""
        return [name for name in (self.timestamp, self.prediction, self.score, self.target, self.id) if name]

    def as_json(self) -> dict[str, Any]:
        """Return what a setting can hold."""
        return {**asdict(self), "segments": list(self.segments)}


@dataclass(frozen=True, slots=True)
class WatchPlan:
    """What to watch.

    Attributes
    ----------
    model
        Its name; made if there is none.
    columns
        Which column of the file is what.
    problem
        Guessed from the columns when None.
    positive
        The label that counts as 1, where labels are neither 0 and 1 nor yes and no.
    reference
        Rows to compare with; or those of the file before `reference_until`; or, with neither, the first
        quarter of the file.
    """

    model: str
    columns: FileColumns
    problem: ProblemType | None = None
    positive: str | None = None
    reference: Source | None = None
    reference_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogRows:
    """Some rows of the file as the two logs take them; `outcomes` has those whose target is known."""

    predictions: pa.Table
    outcomes: pa.Table


def check_roles(source: Source, columns: FileColumns) -> None:
    """Check that the columns are there, each in one role, and of types that fit.

    Raises
    ------
    SchemaMismatch, InvalidInput
    """
    roles = columns.roles
    source.check_columns([*roles, *columns.segments])
    twice = sorted({name for name in roles if roles.count(name) > 1})
    if twice:
        raise InvalidInput(f"column {twice[0]!r} cannot be two things at once: name another column")
    clash = sorted(set(columns.segments) & set(roles))
    if clash:
        raise InvalidInput(f"column {clash[0]!r} is no segment: it is the prediction's own")
    kind = source.schema.field(columns.timestamp).type
    if pa.types.is_null(kind) and not source.rows:
        raise InvalidInput(f"{source.name} has no rows: there is nothing to watch")
    if is_text(kind):
        raise SchemaMismatch(f"{source.owner(columns.timestamp)}: {untimely(source, columns.timestamp)}")
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        raise SchemaMismatch(
            f"column {columns.timestamp!r} of {source.name} holds {kind}, not times: "
            "write times like 2026-03-01T12:00:00Z, or name another column with --timestamp"
        )


def feature_columns(source: Source, columns: FileColumns) -> tuple[list[str], dict[str, str]]:
    """Return the columns that are watched as the model's inputs, and the others with the reason why not."""
    features, skipped = [], {}
    texts = []
    for field in source.schema:
        if field.name in columns.roles:
            continue
        if field.name in _OURS and field.name != LATENCY:
            if field.name in columns.segments:
                raise InvalidInput(
                    f"column {field.name!r} of {source.name} has a name that Bigboard's logs use: rename it"
                )
            skipped[field.name] = "its name is one that Bigboard's logs use: rename it to watch it"
        elif pa.types.is_null(field.type):
            skipped[field.name] = "it holds no value"
        elif not (is_numeric(field.type) or is_categorical(field.type)):
            skipped[field.name] = f"it holds {field.type}, neither numbers nor categories"
        else:
            features.append(field.name)
            if not is_numeric(field.type):
                texts.append(field.name)
    distinct: dict[str, set[str]] = {name: set() for name in texts if name not in columns.segments}
    for batch in source.batches(list(distinct)) if distinct else ():
        for name in list(distinct):
            values = batch.column(batch.schema.get_field_index(name))
            distinct[name].update(pc.unique(values).to_pylist())
            if len(distinct[name]) > MOST_CATEGORIES:
                skipped[name] = f"it holds more than {MOST_CATEGORIES:,} distinct values: an identifier"
                features.remove(name)
                del distinct[name]
    return features, skipped


def prediction_times(source: Source, columns: FileColumns) -> NDArray[np.datetime64]:
    """Return when each prediction was made, ``datetime64[us]`` in UTC, in file order."""
    parts = []
    offset = 0
    for batch in source.batches([columns.timestamp]):
        times = _times(batch.column(0), columns.timestamp, source, offset)
        parts.append(times.view(pa.int64()).to_numpy(zero_copy_only=False).view("M8[us]"))
        offset += batch.num_rows
    return np.concatenate(parts) if parts else np.zeros(0, "M8[us]")


def log_rows(
    source: Source,
    columns: FileColumns,
    features: Sequence[str],
    problem: ProblemType,
    positive: str | None,
    known_at: datetime,
) -> Iterator[LogRows]:
    """Give the rows of a file as the logs take them, batch by batch.

    Parameters
    ----------
    features
        The model's inputs, segment columns among them.
    positive
        The label that counts as 1 in a binary problem; None where the labels say so themselves.
    known_at
        When the targets became known: the file does not say, so it is when they were read.

    Raises
    ------
    InvalidInput
        A row holds what cannot be; the message names it.
    """
    wanted = list(dict.fromkeys([*columns.roles, *features]))
    seen: dict[bytes, int] = {}
    offset = 0
    for batch in source.batches(wanted):
        table = pa.Table.from_batches([batch])
        times = _times(batch.column(0), columns.timestamp, source, offset)
        check_times(times, columns.timestamp, source, offset, known_at)
        data: dict[str, pa.Array | pa.ChunkedArray] = {
            PREDICTION_ID: _ids(table, times, source, columns, offset, seen),
            PREDICTED_AT: times,
            PREDICTION: _predictions(table, source, columns, problem, positive, offset),
        }
        if columns.id is not None:
            check_repeats(table, columns.id, source, offset)
        if columns.score:
            data[SCORE] = _numbers(table[columns.score], columns.score, source)
            if problem in (ProblemType.BINARY, ProblemType.MULTICLASS):
                check_shares(data[SCORE], columns.score, source, offset)
        data |= {name: _plain(table[name]) for name in features}
        predictions = pa.table(data)
        yield LogRows(
            predictions, _outcomes(table, predictions, source, columns, problem, positive, offset, known_at)
        )
        offset += batch.num_rows


def _outcomes(
    table: pa.Table,
    predictions: pa.Table,
    source: Source,
    columns: FileColumns,
    problem: ProblemType,
    positive: str | None,
    offset: int,
    known_at: datetime,
) -> pa.Table:
    if columns.target is None:
        kind = pa.string() if problem == ProblemType.MULTICLASS else pa.float64()
        return pa.schema([(PREDICTION_ID, pa.string()), (OUTCOME, kind), (KNOWN_AT, _UTC)]).empty_table()
    values = _labels_or_numbers(table[columns.target], columns.target, source, problem, positive, offset)
    outcomes = pa.table(
        {
            PREDICTION_ID: predictions[PREDICTION_ID],
            OUTCOME: values,
            KNOWN_AT: pa.repeat(pa.scalar(known_at, _UTC), len(table)),
        }
    )
    return outcomes.filter(pc.is_valid(outcomes[OUTCOME]))


def _predictions(
    table: pa.Table,
    source: Source,
    columns: FileColumns,
    problem: ProblemType,
    positive: str | None,
    offset: int,
) -> pa.Array | pa.ChunkedArray:
    values = table[columns.prediction]
    if problem == ProblemType.BINARY and columns.score is None and pa.types.is_floating(values.type):
        shares = _numbers(values, columns.prediction, source)
        check_shares(shares, columns.prediction, source, offset)
        return shares
    return _labels_or_numbers(values, columns.prediction, source, problem, positive, offset)


def _labels_or_numbers(
    values: pa.ChunkedArray,
    name: str,
    source: Source,
    problem: ProblemType,
    positive: str | None,
    offset: int,
) -> pa.Array | pa.ChunkedArray:
    match problem:
        case ProblemType.BINARY:
            return _binary(values, name, source, positive, offset)
        case ProblemType.MULTICLASS:
            return _plain(values).cast(pa.string())
        case _:
            return _numbers(values, name, source)


def _binary(
    values: pa.ChunkedArray, name: str, source: Source, positive: str | None, offset: int
) -> pa.ChunkedArray:
    """Return labels as 0.0 and 1.0."""
    texts = _plain(values).cast(pa.string())
    if positive is not None:
        return pc.equal(texts, positive).cast(pa.float64())
    lowered = pc.utf8_lower(texts)
    known = {text: _LIKELY_LABELS.get(text) for text in pc.unique(lowered).to_pylist() if text is not None}
    strange = sorted(text for text, label in known.items() if label is None)
    if strange:
        row = pc.index(lowered, pa.scalar(strange[0])).as_py()
        raise InvalidInput(
            f"{source.place(offset + row)}: column {name!r} holds {texts[row].as_py()!r}, neither 0 nor 1: "
            "name the label that counts as 1 with --positive, or the problem with --problem multiclass"
        )
    ones = pa.array([text for text, label in known.items() if label == 1], pa.string())
    zeros_and_ones = pc.is_in(lowered, value_set=ones)
    return pc.if_else(pc.is_valid(lowered), zeros_and_ones, None).cast(pa.float64())


def _numbers(values: pa.ChunkedArray, name: str, source: Source) -> pa.ChunkedArray:
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.uint8())
    if not is_numeric(values.type):
        raise SchemaMismatch(f"column {name!r} of {source.name} holds {values.type}, not numbers")
    return _plain(values).cast(pa.float64(), safe=False)


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(values.type):
        return pa.chunked_array(
            [chunk.dictionary_decode() for chunk in values.chunks], values.type.value_type
        )
    return values


def _times(values: pa.Array, name: str, source: Source, offset: int) -> pa.Array:
    if values.null_count:
        row = pc.index(values.is_null(), pa.scalar(True)).as_py()
        raise InvalidInput(
            f"{source.place(offset + row)}: column {name!r} is empty: every prediction needs its time"
        )
    check_range(values, name, source, offset)
    zone = values.type.tz if pa.types.is_timestamp(values.type) else None
    try:
        times = values.cast(pa.timestamp("us", zone), safe=False)
    except pa.ArrowException as error:
        raise InvalidInput(f"{source.name}: column {name!r} holds a time out of range ({error})") from error
    return times.view(pa.int64()).view(_UTC)


def _ids(
    table: pa.Table,
    times: pa.Array,
    source: Source,
    columns: FileColumns,
    offset: int,
    seen: dict[bytes, int],
) -> pa.Array | pa.ChunkedArray:
    if columns.id is not None:
        ids = _plain(table[columns.id])
        if ids.null_count:
            row = pc.index(pc.is_null(ids), pa.scalar(True)).as_py()
            raise InvalidInput(
                f"{source.place(offset + row)}: column {columns.id!r} is empty: every prediction needs its id"
            )
        return ids.cast(pa.string())
    return pa.array(_content_ids(table, times, columns, seen), pa.string())


def _content_ids(table: pa.Table, times: pa.Array, columns: FileColumns, seen: dict[bytes, int]) -> list[str]:
    """Return an id made of what a row holds, its target aside, and a number for equal rows.

    128 bits: pandas' hash of the row, and that of its columns in reverse, which combines them otherwise.
    """
    import pandas as pd

    if columns.target:
        table = table.drop_columns([columns.target])
    frame = table.to_pandas()
    frame[columns.timestamp] = times.view(pa.int64()).to_numpy(zero_copy_only=False)
    halves = [
        pd.util.hash_pandas_object(part, index=False).to_numpy()
        for part in (frame, frame[frame.columns[::-1]])
    ]
    digests = np.stack(halves, axis=1)
    found = []
    for row in digests:
        digest = row.tobytes()
        count = seen.get(digest, 0)
        seen[digest] = count + 1
        found.append(f"{digest.hex()}-{count}" if count else digest.hex())
    return found

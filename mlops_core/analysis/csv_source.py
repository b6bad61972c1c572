"""CSV files as one source of rows, streamed whatever their size."""

import contextlib
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

import pyarrow as pa

from mlops_core.analysis.parquet_source import reading, unified
from mlops_core.analysis.source import Source, check_names, fit_batch, is_text
from mlops_core.domain.errors import InvalidInput

__all__ = ["CSV_ENDINGS", "CsvSource"]

CSV_ENDINGS: Final = (".csv", ".tsv", ".txt")
"""How the names of CSV files end; ``.gz`` may follow."""

_BLOCK: Final = 8 << 20
_LADDER: Final[tuple[pa.DataType, ...]] = (
    pa.null(),
    pa.int64(),
    pa.bool_(),
    pa.date32(),
    pa.timestamp("s"),
    pa.timestamp("ns"),
    pa.timestamp("ns", "UTC"),
    pa.float64(),
    pa.string(),
)
_CONVERSION = re.compile(r"In CSV column #(\d+): .*?CSV conversion error to ([^:]+): (.*)", re.DOTALL)
_RAGGED = re.compile(r"(?:Row #(\d+): )?Expected (\d+) columns?, got (\d+)")


class CsvSource(Source):
    """The rows of one or more CSV files with a header, in UTF-8; separated by tabs if named ``.tsv``.

    Types are taken from the first 8 MB of a file and loosened (integer, number, text) where a later value
    does not fit. A column that some files lack is null there.

    Parameters
    ----------
    files
        Paths, at least one; ``.gz`` files are unpacked as they are read.
    name
        What messages call them.

    Raises
    ------
    InvalidInput
        If a file is missing, empty, ragged or in another encoding.
    SchemaMismatch
        If a column is text in this file and a number in that.
    """

    def __init__(self, files: Sequence[str], name: str) -> None:
        self.name = name
        self._files = list(files)
        scanned = [_scan(file) for file in self._files]
        self._schemas = [schema for schema, _ in scanned]
        self._rows = [rows for _, rows in scanned]
        self.schema, self._owners = unified(self._schemas, self._files)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(self._rows)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read the rows from the start of the first file on."""
        self.check_columns(columns)
        wanted = pa.schema([self.schema.field(name) for name in columns])
        for file, schema in zip(self._files, self._schemas, strict=True):
            present = [name for name in columns if name in schema.names]
            for batch in _read(file, schema, present or schema.names[:1]):
                yield fit_batch(_encoded(batch), wanted, file)

    def place(self, row: int) -> str:
        """Say which file holds a row, and where."""
        for file, rows in zip(self._files, self._rows, strict=True):
            if row < rows:
                return f"{file}, row {row + 1:,}"
            row -= rows
        return self.name

    def owner(self, column: str) -> str:
        """Name the first file that has the column."""
        return self._owners.get(column, self.name)


def _scan(file: str) -> tuple[pa.Schema, int]:
    """Return the columns of a file and its rows; every value has been converted once."""
    kinds: dict[str, pa.DataType] = {}
    names = _header(file)
    for _ in range(len(_LADDER) * len(names) + 1):
        rows = 0
        try:
            with _opened(file, kinds) as reader:
                found: pa.Schema = reader.schema
                if any(pa.types.is_binary(field.type) for field in found):
                    raise InvalidInput(_encoding_problem(file))
                for field in found:
                    if pa.types.is_time(field.type) or pa.types.is_duration(field.type):
                        kinds[field.name] = pa.string()
                    else:
                        kinds.setdefault(field.name, field.type)
                for batch in reader:
                    rows += batch.num_rows
            return pa.schema([(field.name, kinds[field.name]) for field in found]), rows
        except pa.ArrowInvalid as error:
            _loosen(file, names, kinds, str(error))
    raise InvalidInput(f"{file}: the types of its columns cannot be found: write it as Parquet")


def _loosen(file: str, names: list[str], kinds: dict[str, pa.DataType], message: str) -> None:
    """Give the column that a message complains of the next looser type, or explain the message."""
    met = _CONVERSION.search(message)
    if met and "invalid UTF8" not in message:
        name = names[int(met[1])]
        known = kinds.get(name, pa.null())
        place = _LADDER.index(known) if known in _LADDER else len(_LADDER) - 2
        if place + 1 < len(_LADDER):
            numeric = known in (pa.int64(), pa.float64())
            kinds[name] = (
                (pa.float64() if known == pa.int64() else pa.string()) if numeric else _LADDER[place + 1]
            )
            return
    raise InvalidInput(_problem(file, message))


def _read(file: str, schema: pa.Schema, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    kinds = {field.name: field.type for field in schema}
    try:
        with _opened(file, kinds, columns) as reader:
            yield from reader
    except pa.ArrowInvalid as error:
        raise InvalidInput(_problem(file, str(error))) from error


@contextlib.contextmanager
def _opened(file: str, kinds: dict[str, pa.DataType], columns: Sequence[str] | None = None) -> Iterator[Any]:
    import pyarrow.csv as arrow_csv

    options: dict[str, Any] = {"column_types": kinds, "strings_can_be_null": True}
    if columns is not None:
        options["include_columns"] = list(columns)
    with _bytes_of(file) as stream:
        try:
            reader = arrow_csv.open_csv(
                stream,
                read_options=arrow_csv.ReadOptions(use_threads=False, block_size=_BLOCK),
                parse_options=arrow_csv.ParseOptions(delimiter=_delimiter(file), newlines_in_values=True),
                convert_options=arrow_csv.ConvertOptions(**options),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                raise InvalidInput(f"{file} is empty: it has not even a header") from error
            raise
        with reader:
            yield reader


@contextlib.contextmanager
def _bytes_of(file: str) -> Iterator[IO[bytes]]:
    with reading(file, "CSV"):
        stream: Any = (gzip.open if file.lower().endswith(".gz") else open)(file, "rb")
    with stream:
        try:
            yield stream
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InvalidInput(f"{file} cannot be unpacked: {error}; write it again") from error


def _header(file: str) -> list[str]:
    """Return the names of the columns.

    Raises
    ------
    InvalidInput
        If there is none, or two are the same.
    """
    import csv
    import io

    with _bytes_of(file) as stream:
        first = stream.read(4)
        if first[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise InvalidInput(f"{file} is in UTF-16: convert it (iconv -f UTF-16 -t UTF-8)")
        if first == b"PAR1":
            raise InvalidInput(f"{file} is a Parquet file: name it .parquet")
        line = first + stream.readline()
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(_encoding_problem(file)) from error
    if "\n" in text[:4]:
        text = text.split("\n")[0]
    names = next(csv.reader(io.StringIO(text), delimiter=_delimiter(file)), [])
    other = next((mark for mark in ";\t|" if len(names) == 1 and mark in names[0]), None)
    if other is not None:
        raise InvalidInput(
            f"{file} parts its columns by {other!r}, not by {_delimiter(file)!r}: "
            + ("name it .tsv" if other == "\t" else "write it with commas, and with points in numbers")
        )
    if not any(names):
        raise InvalidInput(f"{file} is empty: it has not even a header")
    check_names(names, file)
    return names


def _problem(file: str, message: str) -> str:
    if "UTF8" in message or "utf-8" in message.lower():
        return _encoding_problem(file)
    ragged = _RAGGED.search(message)
    if ragged:
        where = f"line {int(ragged[1]):,}" if ragged[1] else "a line"
        return (
            f"{file}, {where}: {ragged[3]} columns where the header has {ragged[2]}: "
            "put quotes around a value that holds the separator, or correct the line"
        )
    first = message.strip().splitlines()[0]
    return f"{file} cannot be read as CSV: {first}; correct the line, or write it as Parquet"


def _encoding_problem(file: str) -> str:
    """Say in which line a file stops being UTF-8."""
    where = file
    with _bytes_of(file) as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                where = f"{file}, line {number:,}"
                break
    return f"{where} is not in UTF-8: convert the file, for example with iconv -f WINDOWS-1252 -t UTF-8"


def _delimiter(file: str) -> str:
    return "\t" if file.lower().removesuffix(".gz").endswith(".tsv") else ","


def _encoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    arrays = [array.dictionary_encode() if is_text(array.type) else array for array in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)

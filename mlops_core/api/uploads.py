"""Multipart uploads: the parts that are files go to disk as they come, so that 2 GB need no memory."""

import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from mlops_core.domain.errors import ArtefactUnwritable, InvalidInput

__all__ = ["Upload", "received"]

_PIECE: Final = 2**20
_MOST_FIELD_BYTES: Final = 4 * 2**20
_MOST_PARTS: Final = 20
_PATIENCE: Final = 20.0
_ABANDONED: Final = 24 * 3600.0
_SUFFIX: Final = re.compile(r"(\.[A-Za-z0-9_]{1,16}){1,2}$")


@dataclass
class Upload:
    """What came into a folder: text by the name of its field, files by theirs, with their endings kept."""

    folder: Path
    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)


@asynccontextmanager
async def received(request: Request, folder: Path, most_bytes: int) -> AsyncIterator[Upload]:
    """Take a multipart body; its files are in a folder of their own, which is gone after the `with` block.

    Parameters
    ----------
    folder
        Where the folder is made, on the disk where the files are wanted in the end.
    most_bytes
        Of the whole body; a larger one is answered with 413, and nothing of it is kept.

    Raises
    ------
    InvalidInput
        The body is no multipart form, is cut short, or has a field twice.
    ArtefactUnwritable
        The folder cannot be written.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise HTTPException(415, "send a multipart form: the JSON field 'version', and files beside it")
    too_large = HTTPException(413, _too_large(most_bytes))
    announced = request.headers.get("content-length", "")
    place = _place(folder)
    try:
        form = _Form(options[b"boundary"], place)
        size, refused_at, piece = 0, 0.0, bytearray()
        if announced.isdigit() and int(announced) > most_bytes:
            refused_at = time.monotonic()
        async for part in request.stream():
            size += len(part)
            if not refused_at and size > most_bytes:
                refused_at = time.monotonic()
                await run_in_threadpool(form.discard)
            if refused_at:  # read on for a while: who is still sending does not hear an answer
                if time.monotonic() - refused_at > _PATIENCE:
                    raise too_large
                continue
            piece += part
            if len(piece) >= _PIECE:
                await run_in_threadpool(form.write, bytes(piece))
                piece.clear()
        if refused_at:
            raise too_large
        await run_in_threadpool(form.finish, bytes(piece))
        yield form.upload
    finally:
        await run_in_threadpool(shutil.rmtree, place, True)


class _Form:
    """Takes the pieces of a form, and writes its files."""

    def __init__(self, boundary: bytes, folder: Path) -> None:
        self.upload = Upload(folder)
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._name = ""
        self._text = bytearray()
        self._header, self._value = b"", b""
        self._disposition = b""
        self._parts = 0
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._open,
                    "on_part_data": self._data,
                    "on_part_end": self._close,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise InvalidInput(f"the form cannot be read: {error}") from error

    def write(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise InvalidInput(f"the form cannot be read: {error}") from error
        except OSError as error:
            raise ArtefactUnwritable(
                f"the upload cannot be written to {self._folder.parent} ({error.strerror}): check free space "
                "and permissions"
            ) from error

    def finish(self, data: bytes) -> None:
        if data:
            self.write(data)
        self.discard()
        if not self._ended:
            raise InvalidInput("the form was cut short: send it again")

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise InvalidInput(f"the form has more than {_MOST_PARTS} parts")
        self._disposition = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _open(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if not self._name:
            raise InvalidInput("a part of the form has no name")
        if self._name in self.upload.fields or self._name in self.upload.files:
            raise InvalidInput(f"the form has '{self._name}' twice")
        self._text.clear()
        if b"filename" in options:
            ending = _SUFFIX.search(options[b"filename"].decode("utf-8", "replace"))
            stem = re.sub(r"[^A-Za-z0-9_]", "", self._name)[:32] or "file"
            path = self._folder / f"{stem}{ending.group() if ending else ''}"
            if path.exists():
                path = path.with_name(f"{len(self.upload.files)}-{path.name}")
            self._file = path.open("xb")
            self.upload.files[self._name] = path

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > _MOST_FIELD_BYTES:
            raise InvalidInput(f"field '{self._name}' is larger than {_MOST_FIELD_BYTES:,} bytes")

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            return
        try:
            self.upload.fields[self._name] = self._text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInput(f"field '{self._name}' is not UTF-8") from error

    def _end(self) -> None:
        self._ended = True


def _place(folder: Path) -> Path:
    """Make a folder for one upload, and remove those that killed servers left behind."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > _ABANDONED:
                    shutil.rmtree(left, ignore_errors=True)
        return Path(tempfile.mkdtemp(dir=folder))
    except OSError as error:
        raise ArtefactUnwritable(
            f"the upload cannot be written to {folder} ({error.strerror}): check free space and permissions"
        ) from error


def _too_large(most_bytes: int) -> str:
    return f"the upload is larger than {most_bytes:,} bytes: set BIGBOARD_UPLOAD_BYTES of the server to more"

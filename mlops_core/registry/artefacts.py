"""Model artefacts: stored once by content digest; estimators in the skops format, which unpickles nothing."""

import hashlib
import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from mlops_core.domain.errors import ArtefactUnwritable, InvalidInput, NotFound
from mlops_core.registry.skops_archive import ArchivedEstimator, foreign_types, normalise, read_archive
from mlops_core.workspace import Workspace

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = [
    "SKOPS",
    "Artefact",
    "artefact_path",
    "check_file",
    "format_of",
    "load_estimator",
    "read_bytes",
    "store_bytes",
    "store_estimator",
    "store_file",
]

SKOPS = "skops"
_PIECE: Final = 2**20
_PLAIN_SUFFIX: Final = re.compile(r"[a-z0-9_]{1,16}")


@dataclass(frozen=True, slots=True)
class Artefact:
    """Where a model's bytes are, by what they contain."""

    digest: str
    format: str
    size: int


def store_estimator(workspace: Workspace, estimator: "BaseEstimator") -> Artefact:
    """Store a fitted scikit-learn estimator; equal ones have equal bytes and are stored once.

    Raises
    ------
    InvalidInput
        The estimator holds something that skops cannot write, or a type that would not be loaded again.
    ArtefactUnwritable
        The folder cannot be written.
    """
    from skops import io as skops_io

    try:
        data = skops_io.dumps(estimator)
    except Exception as error:
        raise InvalidInput(f"the estimator cannot be stored in the skops format: {error}") from error
    _check_types(io.BytesIO(data), "the estimator")
    written = io.BytesIO()
    normalise(io.BytesIO(data), written, "the estimator")
    data = written.getvalue()
    return Artefact(digest=store_bytes(workspace, data, SKOPS), format=SKOPS, size=len(data))


def check_file(path: Path) -> ArchivedEstimator | None:
    """Check that a file can be an artefact; of a skops archive, return what it says of its estimator.

    Raises
    ------
    InvalidInput
        There is no such file, it is empty, or it is a skops archive that is damaged or holds a type that is
        not trusted.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InvalidInput(f"the artefact {path} cannot be read: {error.strerror}") from error
    if not path.is_file():
        raise InvalidInput(f"the artefact {path} is no file: pack a folder into one, such as a .zip or .tar")
    if not size:
        raise InvalidInput(f"the artefact {path} is empty: write it again")
    if format_of(path) != SKOPS:
        return None
    label = f"the artefact {path.name}"
    _check_types(path, label)
    return read_archive(path, label)


def store_file(workspace: Workspace, path: Path) -> Artefact:
    """Store a file as an artefact, once, piece by piece, without ever loading it.

    A skops archive becomes the same bytes as `store_estimator` makes of its estimator; anything else keeps
    its bytes, and its suffix is the format.

    Raises
    ------
    InvalidInput
        As in `check_file`.
    ArtefactUnwritable
        The folder cannot be written.
    """
    check_file(path)
    suffix = format_of(path)

    def write(target: IO[bytes]) -> None:
        if suffix == SKOPS:
            normalise(path, target, f"the artefact {path.name}")
            return
        try:
            source = path.open("rb")
        except OSError as error:
            raise InvalidInput(f"the artefact {path} cannot be read: {error.strerror}") from error
        with source:
            while piece := source.read(_PIECE):
                target.write(piece)

    with _storing(workspace.artefact_root):
        workspace.artefact_root.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=workspace.artefact_root)
        try:
            with os.fdopen(handle, "w+b") as file:
                write(file)
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                size = os.fstat(file.fileno()).st_size
            final = artefact_path(workspace, digest, suffix)
            if not final.exists():
                final.parent.mkdir(exist_ok=True)
                Path(name).replace(final)
        finally:
            Path(name).unlink(missing_ok=True)
    return Artefact(digest, suffix, size)


def load_estimator(workspace: Workspace, digest: str) -> "BaseEstimator":
    """Load an estimator into this process; types from outside scikit-learn, NumPy and SciPy are refused.

    For estimators that this process made itself: those of others are asked in `mlops_core.scoring`.

    Raises
    ------
    NotFound
        The artefact's file is not in the workspace.
    InvalidInput
        Its bytes have changed, or it holds a type that is not trusted.
    """
    from skops import io as skops_io

    data = read_bytes(workspace, digest, SKOPS)
    _check_types(io.BytesIO(data), f"artefact {digest[:12]}")
    estimator: BaseEstimator = skops_io.loads(data, trusted=skops_io.get_untrusted_types(data=data))
    return estimator


def store_bytes(workspace: Workspace, data: bytes, suffix: str) -> str:
    """Store bytes by what they contain, once; return their SHA-256.

    Raises
    ------
    ArtefactUnwritable
        The folder cannot be written.
    """
    digest = hashlib.sha256(data).hexdigest()
    path = artefact_path(workspace, digest, suffix)
    if not path.exists():
        _write_whole(path, data)
    return digest


def read_bytes(workspace: Workspace, digest: str, suffix: str) -> bytes:
    """Return stored bytes.

    Raises
    ------
    NotFound
        The artefact's file is not in the workspace.
    InvalidInput
        The bytes have changed.
    """
    path = artefact_path(workspace, digest, suffix)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"artefact {digest[:12]} is not in {workspace.artefact_root}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise InvalidInput(f"artefact {digest[:12]} has been altered since it was stored: restore {path}")
    return data


def artefact_path(workspace: Workspace, digest: str, suffix: str) -> Path:
    """Return where an artefact of a digest and a format lies, or would lie."""
    return workspace.artefact_root / digest[:2] / f"{digest}.{suffix}"


def format_of(path: Path) -> str:
    """Return the format under which a file is stored: its suffix, or `bin`."""
    suffix = path.suffix.lower().removeprefix(".")
    return suffix if _PLAIN_SUFFIX.fullmatch(suffix) else "bin"


def _check_types(source: Path | io.BytesIO, label: str) -> None:
    foreign = foreign_types(source, label)
    if foreign:
        raise InvalidInput(
            f"{label} holds types that are not trusted: {', '.join(foreign)}. Only types of scikit-learn, "
            "NumPy and SciPy are loaded: build it from these, or hand it over in another format, which is "
            "stored and never loaded, with its predictions"
        )


@contextmanager
def _storing(folder: Path) -> Iterator[None]:
    """Turn what the file system says into an error of ours."""
    try:
        yield
    except OSError as error:
        raise ArtefactUnwritable(
            f"the artefact cannot be written to {folder} ({error.strerror}): check free space and permissions"
        ) from error


def _write_whole(path: Path, data: bytes) -> None:
    with _storing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)

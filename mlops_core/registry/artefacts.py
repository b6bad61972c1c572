"""Model artefacts: stored once by content digest, in the skops format that unpickles nothing."""

import hashlib
import io
import itertools
import json
import os
import tempfile
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from mlops_core.domain.errors import ArtefactUnwritable, InvalidInput, NotFound
from mlops_core.workspace import Workspace

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["SKOPS", "Artefact", "load_estimator", "read_bytes", "store_bytes", "store_estimator"]

SKOPS = "skops"
_TRUSTED_MODULES = ("sklearn.", "numpy.", "scipy.")
_SCHEMA = "schema.json"


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
        The estimator holds something that skops cannot write.
    ArtefactUnwritable
        The folder cannot be written.
    """
    try:
        data = _normalised(_skops().dumps(estimator))
    except Exception as error:
        raise InvalidInput(f"the estimator cannot be stored in the skops format: {error}") from error
    return Artefact(digest=store_bytes(workspace, data, SKOPS), format=SKOPS, size=len(data))


def load_estimator(workspace: Workspace, digest: str) -> "BaseEstimator":
    """Load an estimator; types from outside scikit-learn, NumPy and SciPy are refused.

    Raises
    ------
    NotFound
        The artefact's file is not in the workspace.
    InvalidInput
        Its bytes have changed, or it holds a type that is not trusted.
    """
    data = read_bytes(workspace, digest, SKOPS)
    skops_io = _skops()
    untrusted = skops_io.get_untrusted_types(data=data)
    foreign = [name for name in untrusted if not name.startswith(_TRUSTED_MODULES)]
    if foreign:
        raise InvalidInput(f"artefact {digest[:12]} holds types that are not trusted: {', '.join(foreign)}")
    estimator: BaseEstimator = skops_io.loads(data, trusted=untrusted)
    return estimator


def store_bytes(workspace: Workspace, data: bytes, suffix: str) -> str:
    """Store bytes by what they contain, once; return their SHA-256.

    Raises
    ------
    ArtefactUnwritable
        The folder cannot be written.
    """
    digest = hashlib.sha256(data).hexdigest()
    path = _path(workspace, digest, suffix)
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
    path = _path(workspace, digest, suffix)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"artefact {digest[:12]} is not in {workspace.artefact_root}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise InvalidInput(f"artefact {digest[:12]} has been altered since it was stored: restore {path}")
    return data


def _skops() -> ModuleType:
    """Import skops when it is needed: it brings scikit-learn along, which a server rarely uses."""
    from skops import io as skops_io

    module: ModuleType = skops_io
    return module


def _path(workspace: Workspace, digest: str, suffix: str) -> Path:
    return workspace.artefact_root / digest[:2] / f"{digest}.{suffix}"


def _normalised(archive: bytes) -> bytes:
    """Return a skops archive without what differs from one writing of the same estimator to the next.

    skops names objects and files by their address in memory, and dates the files.
    """
    counting = itertools.count()
    numbers: dict[object, int] = defaultdict(lambda: next(counting))

    def renamed(node: object) -> object:
        if isinstance(node, list):
            return [renamed(item) for item in node]
        if not isinstance(node, dict):
            return node
        result = {key: renamed(value) for key, value in node.items()}
        if isinstance(node.get("__id__"), int):
            result["__id__"] = numbers[node["__id__"]]
        if isinstance(node.get("file"), str):
            result["file"] = files.setdefault(node["file"], f"{len(files)}{Path(node['file']).suffix}")
        return result

    files: dict[str, str] = {}
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as before, zipfile.ZipFile(written, "w") as after:
        schema = renamed(json.loads(before.read(_SCHEMA)))
        for name, number in files.items():
            after.writestr(zipfile.ZipInfo(number), before.read(name))
        after.writestr(zipfile.ZipInfo(_SCHEMA), json.dumps(schema))
    return written.getvalue()


def _write_whole(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ArtefactUnwritable(
            f"the artefact cannot be written to {path.parent} ({error.strerror}): check free space and "
            "permissions"
        ) from error

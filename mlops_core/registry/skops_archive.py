"""What a skops archive says of its estimator, read from its description alone: nothing of it is loaded."""

import io
import itertools
import json
import shutil
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

from mlops_core.domain.errors import InvalidInput

__all__ = ["ArchivedEstimator", "foreign_types", "judged_types", "normalise", "read_archive"]

_Source: TypeAlias = Path | IO[bytes]
_Node: TypeAlias = dict[str, Any]

_SCHEMA: Final = "schema.json"
_MOST_SCHEMA: Final = 128 * 2**20  # the description of some 50,000 trees
_MOST_UNPACKED: Final = 16 * 2**30
_TRUSTED_MODULES: Final = ("sklearn.", "numpy.", "scipy.")
# Functions are called with what the archive says, so those that read, write or run something stay out.
_STRANGE_MODULES: Final = ("sklearn.datasets", "sklearn.externals", "sklearn.utils")
_STRANGE_FUNCTIONS: Final = frozenset(
    {"fromfile", "fromregex", "genfromtxt", "load", "loadtxt", "memmap", "open_memmap", "test"}
    | {"save", "savetxt", "savez", "savez_compressed"}
)
_UNREADABLE = (
    zipfile.BadZipFile,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class ArchivedEstimator:
    """What an archive says of its estimator.

    Attributes
    ----------
    name
        Class of the estimator, of a pipeline that of its last step.
    parameters
        Those that JSON can hold, of a pipeline's steps as `step__parameter`.
    columns
        Names of its input columns, in order; None where it was fitted without names.
    library_version
        scikit-learn's, at the time of writing; None where it does not say.
    """

    name: str
    parameters: dict[str, Any]
    columns: tuple[str, ...] | None
    library_version: str | None


def read_archive(source: _Source, label: str) -> ArchivedEstimator:
    """Read an archive's description.

    Raises
    ------
    InvalidInput
        It is no skops archive, or a damaged one.
    """
    schema = _schema(source, label)
    try:
        return ArchivedEstimator(
            name=_steps(schema)[-1][1]["__class__"] if _steps(schema) else str(schema["__class__"]),
            parameters=dict(sorted(_parameters(schema))),
            columns=next(_column_names(schema), None),
            library_version=next(_library_versions(schema), None),
        )
    except (*_UNREADABLE, AttributeError, IndexError, TypeError) as error:
        raise InvalidInput(_damaged(label, error)) from error


def foreign_types(source: _Source, label: str) -> list[str]:
    """Return the types in an archive that are not trusted, as `judged_types` does.

    Raises
    ------
    InvalidInput
        It is no skops archive, or a damaged one.
    """
    return judged_types(source, label)[1]


def judged_types(source: _Source, label: str) -> tuple[list[str], list[str]]:
    """Return the types in an archive that skops does not trust: those that we do, and the others.

    We do not trust what is from outside scikit-learn, NumPy and SciPy, nor functions of these that read or
    write files. Asked of a copy that holds the description alone, for skops would read every array into
    memory.

    Raises
    ------
    InvalidInput
        It is no skops archive, or a damaged one.
    """
    from skops import io as skops_io

    schema = _schema(source, label)
    try:
        hollow = io.BytesIO()
        with zipfile.ZipFile(hollow, "w") as archive:
            for name in {str(node["file"]) for node in _nodes(schema) if "file" in node}:
                archive.writestr(name, b"")
            archive.writestr(_SCHEMA, json.dumps(schema))
        untrusted = set(skops_io.get_untrusted_types(data=hollow.getvalue()))
        functions = {
            f"{node['__module__']}.{node['__class__']}"
            for node in _nodes(schema)
            if node.get("__loader__") in ("FunctionNode", "TypeNode")  # what can be called by its name
        }
    except Exception as error:  # skops raises whatever a wrong description leads to
        raise InvalidInput(_damaged(label, error)) from error
    ours = {name for name in untrusted if _is_trusted(name, is_function=name in functions)}
    return sorted(ours), sorted(untrusted - ours)


def normalise(source: _Source, target: IO[bytes], label: str) -> None:
    """Write an archive without what differs from one writing of the same estimator to the next.

    skops names objects and files by their address in memory, and dates the files. The copy is made piece by
    piece, so that its size does not matter.

    Raises
    ------
    InvalidInput
        It is no skops archive, or a damaged one; the target is half written.
    """
    schema = _schema(source, label)
    counting = itertools.count()
    numbers: dict[object, int] = defaultdict(lambda: next(counting))
    files: dict[str, str] = {}

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

    try:
        with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w") as after:
            described = renamed(schema)
            if sum(before.getinfo(name).file_size for name in files) > _MOST_UNPACKED:
                raise InvalidInput(f"{label} unpacks to more than {_MOST_UNPACKED >> 30} GiB: keep it packed")
            for name, number in files.items():
                copy = zipfile.ZipInfo(number)
                copy.file_size = before.getinfo(name).file_size
                with before.open(name) as reading, after.open(copy, "w") as writing:
                    shutil.copyfileobj(reading, writing, 2**20)
            after.writestr(zipfile.ZipInfo(_SCHEMA), json.dumps(described))
    except zipfile.BadZipFile as error:
        raise InvalidInput(_damaged(label, error)) from error
    except (KeyError, NotImplementedError, RecursionError, RuntimeError, EOFError) as error:
        raise InvalidInput(_damaged(label, error)) from error


def _schema(source: _Source, label: str) -> _Node:
    try:
        with zipfile.ZipFile(source) as archive:
            size = archive.getinfo(_SCHEMA).file_size
            if size > _MOST_SCHEMA:
                raise InvalidInput(
                    f"{label} describes its estimator in {size >> 20} MiB, more than the "
                    f"{_MOST_SCHEMA >> 20} that are read: hand over a smaller estimator"
                )
            schema: object = json.loads(archive.read(_SCHEMA))
    except _UNREADABLE as error:
        raise InvalidInput(_damaged(label, error)) from error
    if not isinstance(schema, dict) or "__class__" not in schema:
        raise InvalidInput(_damaged(label, ValueError("its description names no estimator")))
    return schema


def _damaged(label: str, error: Exception) -> str:
    reason = str(error).strip("'\" ").splitlines()[0] if str(error).strip() else type(error).__name__
    return (
        f"{label} is no skops archive, or a truncated one ({reason}): write it again with "
        "skops.io.dump(estimator, file), or hand over another format under its own suffix"
    )


def _is_trusted(name: str, *, is_function: bool) -> bool:
    if not name.startswith(_TRUSTED_MODULES):
        return False
    module, _, function = name.rpartition(".")
    return not is_function or not (function in _STRANGE_FUNCTIONS or module.startswith(_STRANGE_MODULES))


def _nodes(node: object) -> Iterator[_Node]:
    """Give every node of a description, outer ones first."""
    waiting = [node]
    while waiting:
        following: list[object] = []
        for one in waiting:
            if isinstance(one, dict):
                yield one
                following += one.values()
            elif isinstance(one, list):
                following += one
        waiting = following


def _state(node: object) -> dict[str, _Node]:
    """Return the attributes of an object by name, none where it is described in another way."""
    content = node.get("content") if isinstance(node, dict) else None
    inner = content.get("content") if isinstance(content, dict) else None
    return inner if isinstance(inner, dict) else {}


def _steps(node: _Node) -> list[tuple[str, _Node]]:
    """Return the named steps of a pipeline, nothing for another estimator."""
    pairs = _state(node).get("steps", {}).get("content")
    if node.get("__class__") != "Pipeline" or not isinstance(pairs, list):
        return []
    return [(json.loads(pair["content"][0]["content"]), pair["content"][1]) for pair in pairs]


def _parameters(node: _Node, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in _state(node).items():
        is_plain = value.get("__loader__") == "JsonNode"
        if is_plain and not name.startswith("_") and not name.endswith("_"):
            yield prefix + name, json.loads(value["content"])
    for name, step in _steps(node):
        yield from _parameters(step, f"{prefix}{name}__")


def _column_names(schema: _Node) -> Iterator[tuple[str, ...]]:
    """Give the input columns of each estimator that knows its own, the outer ones first."""
    for node in _nodes(schema):
        names = _state(node).get("feature_names_in_", {}).get("content")
        if isinstance(names, list):
            yield tuple(str(json.loads(name["content"])) for name in names)


def _library_versions(schema: _Node) -> Iterator[str]:
    for node in _nodes(schema):
        version = _state(node).get("_sklearn_version")
        if version is not None:
            yield str(json.loads(version["content"]))

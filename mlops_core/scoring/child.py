"""The process that holds one artefact: it loads it, asks it, and knows nothing else."""

import hashlib
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Final

import mlops_core
from mlops_core.scoring.asking import BadAnswer, answer, rows_frame, time_requests
from mlops_core.scoring.confinement import allow_processor_seconds, confine
from mlops_core.scoring.wire import Message, receive, send

__all__ = ["archive_checks", "serve"]

_MOST_ROWS_BYTES: Final = 1 << 34
_BLOCK: Final = 1 << 20


class _Refused(Exception):
    """The artefact may not or cannot be loaded."""


def serve(reader: BinaryIO, writer: BinaryIO) -> None:
    """Answer messages until there are no more: first `load`, then `predict` and `time`."""
    held: list[Any] = []
    while (message := receive(reader, most_bytes=_MOST_ROWS_BYTES)) is not None:
        try:
            allow_processor_seconds(float(message.fields["seconds"]))
            if message.kind == "load":
                estimator, reply = _load(message.fields)
                held[:] = [estimator]
            else:
                reply = _ANSWERS[message.kind](held[0], message)
        except _Refused as error:
            reply = Message("refused", {"reason": str(error)})
        except MemoryError:
            held.clear()
            reply = Message("out_of_memory", {"reason": ""})
        except BadAnswer as error:
            reply = Message("raised", {"reason": str(error)})
        except BaseException as error:  # an artefact may raise what it likes, also SystemExit
            reply = Message("raised", {"reason": _last_line(error)})
        send(writer, reply)


def _load(fields: Mapping[str, Any]) -> tuple[Any, Message]:
    confine(int(fields["memory_bytes"]))
    began = time.perf_counter()
    path = Path(fields["path"])
    try:
        file = path.open("rb")
    except OSError as error:
        raise _Refused(f"its file cannot be read ({os.strerror(error.errno or 0)})") from error
    with file, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _check_digest(file, fields["digest"])
        estimator = _loaded(file, tuple(fields["trusted"]))
    reply = {"seconds": time.perf_counter() - began, "warnings": _sentences(caught)}
    return estimator, Message("loaded", reply)


def _check_digest(file: BinaryIO, digest: str) -> None:
    found, size = hashlib.sha256(), 0
    while block := file.read(_BLOCK):
        found.update(block)
        size += len(block)
    if found.hexdigest() != digest:
        raise _Refused(f"its file has been altered or cut short since it was stored ({size} bytes are there)")
    file.seek(0)


def _loaded(file: BinaryIO, trusted: tuple[str, ...]) -> Any:
    from skops import io as skops_io

    try:
        named, foreign = archive_checks().judged_types(file, "it")
    except MemoryError:
        raise
    except Exception as error:
        raise _Refused(str(error)) from error
    refused = [name for name in foreign if not (trusted and name.startswith(trusted))]
    if refused:
        raise _Refused(f"it holds types that are not trusted: {', '.join(refused)}")
    file.seek(0)
    try:
        return skops_io.load(file, trusted=named + foreign)
    except MemoryError:
        raise
    except Exception as error:
        raise _Refused(f"it cannot be loaded here: {_last_line(error)}") from error


@cache
def archive_checks() -> ModuleType:
    """Return the registry's look at archives alone: the registry as a whole brings the store along."""
    name, file = "mlops_core_skops_archive", Path(mlops_core.__path__[0], "registry", "skops_archive.py")
    loader = SourceFileLoader(name, str(file))
    module = sys.modules[name] = module_from_spec(ModuleSpec(name, loader, origin=str(file)))
    loader.exec_module(module)
    return module


def _sentences(caught: list[warnings.WarningMessage]) -> list[str]:
    """Return what was warned of, each once; other versions of scikit-learn in one sentence a version."""
    from sklearn import __version__
    from sklearn.exceptions import InconsistentVersionWarning

    sentences = [
        f"written by scikit-learn {one.message.original_sklearn_version}, loaded by {__version__}"
        if isinstance(one.message, InconsistentVersionWarning)
        else str(one.message)
        for one in caught
    ]
    return list(dict.fromkeys(sentences))


def _predict(estimator: Any, message: Message) -> Message:
    frame = rows_frame(message.body)
    began = time.perf_counter()
    answered = answer(estimator, str(message.fields["problem_type"]), frame)
    seconds = time.perf_counter() - began
    return Message("predicted", {"seconds": seconds, "classes": answered.classes}, answered.encoded())


def _time(estimator: Any, message: Message) -> Message:
    fields = message.fields
    milliseconds = time_requests(
        estimator,
        str(fields["problem_type"]),
        rows_frame(message.body),
        request_rows=int(fields["request_rows"]),
        requests=int(fields["requests"]),
        seconds=float(fields["seconds"]),
    )
    return Message("timed", {}, milliseconds)


_ANSWERS: Final[dict[str, Callable[[Any, Message], Message]]] = {"predict": _predict, "time": _time}


def _last_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1][:300]}" if lines else type(error).__name__

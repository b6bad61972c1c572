"""A version's artefact, opened in a process of its own: it is asked by messages, watched, and stopped."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mlops_core.domain import Model, ModelVersion
from mlops_core.domain.errors import ArtefactRefused, InvalidInput, OutOfMemory, OutOfTime, ScoringError
from mlops_core.registry.artefacts import SKOPS, artefact_path
from mlops_core.scoring.limits import Limits
from mlops_core.scoring.predictions import Predictions, decode_predictions
from mlops_core.scoring.processes import Ending, Process, start_process
from mlops_core.scoring.wire import Garbled, Message, receive, send
from mlops_core.workspace import Workspace

__all__ = ["SandboxedModel", "can_be_asked", "open_model"]

_MOST_ANSWER_BYTES: Final = 1 << 30
_SHARE_OF_MEMORY: Final = 0.7
_ALSO_TRUSTED: tuple[str, ...] = ()  # beside what the registry trusts; tests put their own hostile types here


def can_be_asked(version: ModelVersion) -> bool:
    """Return whether the version's artefact is in a format that is loaded here."""
    return version.artefact_format == SKOPS


@contextmanager
def open_model(
    workspace: Workspace, version: ModelVersion, *, limits: Limits | None = None
) -> Iterator["SandboxedModel"]:
    """Load a version's artefact in a process of its own, which ends with the `with` block.

    Raises
    ------
    ArtefactRefused
        The version has no artefact, or one that is not in the skops format, is missing, altered, or holds
        types that are not trusted.
    OutOfTime, OutOfMemory
        It could not be loaded within its limits.
    ScoringError
        The process crashed, or cannot be started.
    """
    with workspace.store.read() as session:
        model = session.get_one(Model, version.model_id)
    name = f"{model.name}:{version.number}"
    if version.artefact_format == "none":
        raise ArtefactRefused(f"{name} runs elsewhere: register its artefact, or its predictions")
    if not can_be_asked(version):
        raise ArtefactRefused(
            f"{name} has an artefact of the format '{version.artefact_format}', which is kept and never "
            "loaded: register the estimator in the skops format, or its predictions"
        )
    path = artefact_path(workspace, version.artefact_digest, SKOPS)
    if not path.is_file():
        raise ArtefactRefused(f"{name} cannot be loaded: {path} is not there; restore it from a backup")
    opened = SandboxedModel(name, model.problem_type, version, path, limits or Limits())
    try:
        opened.load()
        yield opened
    finally:
        opened.close()


class SandboxedModel:
    """An artefact in a process of its own. Threads may share it: they are answered one after another.

    After it was stopped for want of time or memory, the next call loads it again.

    Attributes
    ----------
    name
        Such as `churn:3`.
    columns
        Its input columns, in order.
    artefact_bytes
        Size of the artefact.
    load_seconds
        How long it took to read, check and load the artefact.
    warnings
        What was warned of meanwhile, such as another version of scikit-learn.
    """

    def __init__(
        self, name: str, problem_type: str, version: ModelVersion, path: Path, limits: Limits
    ) -> None:
        self.name = name
        self.columns = tuple(version.columns)
        self.artefact_bytes = version.artefact_bytes
        self.load_seconds = 0.0
        self.warnings: tuple[str, ...] = ()
        self._problem_type, self._limits, self._path = problem_type, limits, path
        self._digest = version.artefact_digest
        self._process: Process | None = None
        self._lock = threading.Lock()

    def predict(self, rows: pa.Table, *, as_given: bool = False) -> Predictions:
        """Score rows; columns beside the version's own are left out.

        Parameters
        ----------
        as_given
            Hand the estimator its columns in the order that they have in `rows`, not in its own.

        Raises
        ------
        InvalidInput
            There are no rows, or a column is missing.
        OutOfTime, OutOfMemory
            It was stopped.
        ScoringError
            It raised, crashed, or returned something else than a prediction a row.
        """
        own = [name for name in rows.column_names if name in self.columns] if as_given else self.columns
        reply = self._call("predict", rows, own, {})
        with self._reading_the_answer():
            classes = reply.fields["classes"]
            predictions = decode_predictions(
                reply.body, tuple(classes) if classes is not None else None, float(reply.fields["seconds"])
            )
            if len(predictions) != rows.num_rows:
                raise ValueError("not one prediction a row")
        return predictions

    def time_requests(self, rows: pa.Table, request_rows: int, requests: int) -> npt.NDArray[np.float64]:
        """Return how long each of some requests of `request_rows` rows takes inside its process.

        The requests go through the rows and begin again after the last. Another request, which is not
        counted, goes first.

        Returns
        -------
        numpy.ndarray
            Milliseconds, one a request; fewer than `requests` where 0.7 of the time for a call was over.

        Raises
        ------
        InvalidInput, OutOfTime, OutOfMemory, ScoringError
            As `predict`.
        """
        if request_rows < 1 or requests < 1:
            raise InvalidInput(
                f"{requests} requests of {request_rows} rows cannot be timed: give 1 or more of each"
            )
        reply = self._call("time", rows, self.columns, {"request_rows": request_rows, "requests": requests})
        with self._reading_the_answer():
            return np.frombuffer(reply.body, dtype=np.float64)

    def load(self) -> None:
        """Load the artefact, unless it is loaded.

        Raises
        ------
        ArtefactRefused, OutOfTime, OutOfMemory, ScoringError
            As `open_model`.
        """
        with self._lock:
            self._loaded()

    def close(self) -> None:
        """End its process; a later call begins another."""
        with self._lock:
            self._end()

    def _call(self, kind: str, rows: pa.Table, columns: Sequence[str], fields: dict[str, object]) -> Message:
        missing = [name for name in self.columns if name not in rows.column_names]
        if missing:
            raise InvalidInput(f"the rows lack columns of {self.name}: {', '.join(missing)}")
        if rows.num_rows == 0:
            raise InvalidInput(f"there are no rows that {self.name} could score")
        body = _stream(rows.select(list(columns)))
        with self._lock:
            process = self._loaded()
            fields |= {"problem_type": self._problem_type}
            return self._asked(process, Message(kind, fields, body), self._limits.seconds, "answer")

    def _loaded(self) -> Process:
        if self._process is not None:
            return self._process
        process = self._process = start_process()
        fields = {
            "path": str(self._path.resolve()),
            "digest": self._digest,
            "trusted": _ALSO_TRUSTED,
            "memory_bytes": self._limits.memory_bytes,
        }
        reply = self._asked(process, Message("load", fields), self._limits.load_seconds, "load")
        with self._reading_the_answer():
            self.load_seconds = float(reply.fields["seconds"])
            self.warnings = tuple(f"{self.name}: {one}" for one in reply.fields["warnings"])
        return process

    def _asked(self, process: Process, message: Message, seconds: float, doing: str) -> Message:
        """Send a message and return the answer; whatever else happens becomes an error of ours."""
        is_late = threading.Event()

        def stop() -> None:
            is_late.set()
            process.end()

        watch = threading.Timer(seconds, stop)
        watch.daemon = True
        watch.start()
        reply = None
        try:
            sent = Message(message.kind, {**message.fields, "seconds": seconds}, message.body)
            with suppress(OSError):
                send(process.writer, sent)
                reply = receive(process.reader, most_bytes=_MOST_ANSWER_BYTES)
        except (Garbled, MemoryError) as error:
            self._end()
            raise ScoringError(f"{self.name} did not answer as it should: {error}") from error
        except BaseException:
            self._end()
            raise
        finally:
            watch.cancel()
        if is_late.is_set():
            self._end()
            raise OutOfTime(
                f"{self.name} did not {doing} within {seconds:g} s and was stopped: give it fewer rows, "
                "or make it faster"
            )
        if reply is None:
            raise self._ended(process.end(at_once=False), doing)
        return self._judged(reply, doing)

    def _judged(self, reply: Message, doing: str) -> Message:
        reason = str(reply.fields.get("reason", ""))
        match reply.kind:
            case "refused":
                self._end()
                raise ArtefactRefused(f"{self.name} cannot be loaded: {reason}")
            case "out_of_memory":
                self._end()
                raise self._hungry(doing)
            case "raised":
                if doing == "load":
                    self._end()
                raise ScoringError(f"{self.name} failed to {doing}: {reason}")
        return reply

    def _ended(self, ending: Ending | None, doing: str) -> ScoringError:
        self._end()
        if ending is None:
            return ScoringError(f"{self.name} did not {doing}: its process ended with its host; try again")
        if ending.killed:
            return ScoringError(f"{self.name} did not {doing}: it closed its connection and was stopped")
        if ending.status >= 0:
            return ScoringError(f"{self.name} did not {doing}: it ended its process ({ending.status})")
        ended_by = signal.Signals(-ending.status).name
        if ended_by == "SIGXCPU":
            return OutOfTime(f"{self.name} did not {doing} within its processor time and was stopped")
        if ended_by == "SIGKILL":
            return OutOfMemory(
                f"{self.name} did not {doing}: the system killed it, most likely for want of memory"
            )
        if ending.peak_bytes > _SHARE_OF_MEMORY * self._limits.memory_bytes:
            return self._hungry(doing)
        return ScoringError(f"{self.name} crashed when it was to {doing} ({ended_by})")

    def _hungry(self, doing: str) -> OutOfMemory:
        return OutOfMemory(
            f"{self.name} wanted more than {self._limits.memory_bytes / 1024**2:,.0f} MiB of memory to "
            f"{doing} and was stopped: give it fewer rows, or make it smaller"
        )

    @contextmanager
    def _reading_the_answer(self) -> Iterator[None]:
        try:
            yield
        except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
            self._end()
            raise ScoringError(f"{self.name} did not answer as it should: {error}") from error

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.end()
        for stream in (process.writer, process.reader):
            with suppress(OSError):
                stream.close()


def _stream(rows: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return sink.getvalue()

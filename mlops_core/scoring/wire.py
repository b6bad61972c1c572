"""How a process with an artefact and the server talk: a few JSON fields, then bytes. Nothing is pickled."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

__all__ = ["Garbled", "Message", "receive", "send"]

_HEAD: Final = struct.Struct(">IQ")
_MOST_FIELDS: Final = 1 << 20


class Garbled(Exception):
    """What came is no message."""


@dataclass(frozen=True, slots=True)
class Message:
    """A word that says what it is, what belongs to it, and bytes."""

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    body: Any = b""


def send(stream: BinaryIO, message: Message) -> None:
    """Write a message; `body` is anything that gives its bytes as a buffer.

    Raises
    ------
    OSError
        Nobody listens any more.
    """
    fields = json.dumps({"kind": message.kind, **message.fields}).encode()
    body = memoryview(message.body).cast("B")
    stream.write(_HEAD.pack(len(fields), len(body)))
    stream.write(fields)
    stream.write(body)
    stream.flush()


def receive(stream: BinaryIO, *, most_bytes: int) -> Message | None:
    """Read the next message; None at the end of the stream, or in the middle of a message that ends there.

    Raises
    ------
    Garbled
        It is no message, or its bytes are more than `most_bytes`.
    OSError
    """
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    fields_size, body_size = _HEAD.unpack(head)
    if fields_size > _MOST_FIELDS or body_size > most_bytes:
        raise Garbled(f"an answer of {body_size} bytes")
    text = stream.read(fields_size)
    body = bytearray(body_size)
    if len(text) < fields_size or _filled(stream, body) < body_size:
        return None
    try:
        fields = json.loads(text)
        kind = str(fields.pop("kind"))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise Garbled("no fields") from error
    return Message(kind, fields, body)


def _filled(stream: BinaryIO, body: bytearray) -> int:
    view, done = memoryview(body), 0
    while done < len(body):
        count = stream.readinto(view[done:])  # type: ignore[attr-defined]  # it is opened raw
        if not count:
            break
        done += count
    return done

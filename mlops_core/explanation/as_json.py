"""An explanation as a JSON document: the fields of its objects, under their names."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from mlops_core.explanation.results import Explanation

__all__ = ["Json", "to_json"]

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


def to_json(explanation: Explanation) -> dict[str, Json]:
    """Return what an explanation holds, ready for `json.dumps`.

    Times are ISO 8601 in UTC, a number that is not finite is null. Beside the fields there are `drifted`,
    the names of the columns that did, and `since`, when the first of them left its limits.
    """
    document = {field.name: _plain(getattr(explanation, field.name)) for field in fields(explanation)}
    return {
        **document,
        "drifted": [one.column for one in explanation.drifted],
        "since": _plain(explanation.since),
    }


def _plain(value: object) -> Json:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, Sequence):
        return [_plain(one) for one in value]
    raise TypeError(f"an explanation holds no {type(value).__name__}")

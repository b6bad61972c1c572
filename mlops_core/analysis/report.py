"""What a comparison found: a value object for notebooks, JSON and reports."""

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from mlops_core.analysis.chunks import Bound
from mlops_core.analysis.distributions import Distribution
from mlops_core.analysis.pairing import Skipped
from mlops_core.statistics.registry import DRIFT_STATISTICS, ColumnKind
from mlops_core.statistics.rules import DriftStatus

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LEVELS", "ChunkDrift", "ColumnDrift", "DriftReport", "moment"]

LEVELS: Final[tuple[DriftStatus, ...]] = ("in_range", "warning", "critical")
"""From good to bad."""

_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class ChunkDrift:
    """One chunk of a column against the whole reference.

    Attributes
    ----------
    start, end
        Aware times in UTC, row numbers from 0, or None; the end is left out.
    rows, nulls
        All rows, and those without a value (null or NaN).
    statistics, quality
        Values by name; nan where undefined.
    reasons
        Why a statistic is undefined, by name.
    status
        By the rule of thumb for the population stability index.
    """

    start: Bound
    end: Bound
    rows: int
    nulls: int
    statistics: Mapping[str, float]
    quality: Mapping[str, float]
    reasons: Mapping[str, str]
    status: DriftStatus

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold: undefined values are None, with their reasons beside."""
        found: dict[str, Any] = {
            "start": moment(self.start),
            "end": moment(self.end),
            "rows": self.rows,
            "nulls": self.nulls,
            "statistics": {name: _finite(value) for name, value in self.statistics.items()},
            "status": self.status,
            "quality": {name: _finite(value) for name, value in self.quality.items()},
        }
        return found | ({"reasons": dict(self.reasons)} if self.reasons else {})


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """A column, chunk by chunk.

    Attributes
    ----------
    column, kind
        Its name, and how it was counted.
    chunks
        In order of time or rows, at least one.
    distribution
        The reference and all current rows, for a chart.
    """

    column: str
    kind: ColumnKind
    chunks: tuple[ChunkDrift, ...]
    distribution: Distribution

    @property
    def status(self) -> DriftStatus:
        """The worst status of its chunks."""
        return max((chunk.status for chunk in self.chunks), key=LEVELS.index)

    @property
    def worst_chunk(self) -> ChunkDrift:
        """The chunk with the largest population stability index, the first of equals."""
        return max(self.chunks, key=lambda chunk: _ordered(chunk.statistics.get("psi", math.nan)))


@dataclass(frozen=True, slots=True, repr=False)
class DriftReport:
    """How far current rows are from reference rows.

    Attributes
    ----------
    reference, current
        What was compared, in words.
    reference_rows, current_rows
        How many rows each has.
    columns
        In the order of the reference.
    skipped
        The columns that were not compared, and why.
    chunked_by
        ``"day"``, ``"week"``, ``"month"``, ``"rows"``, or None.
    """

    reference: str
    current: str
    reference_rows: int
    current_rows: int
    columns: tuple[ColumnDrift, ...]
    skipped: tuple[Skipped, ...]
    chunked_by: str | None = None

    @property
    def worst(self) -> DriftStatus:
        """The worst status of its columns."""
        return max((column.status for column in self.columns), key=LEVELS.index)

    @property
    def worst_first(self) -> list[ColumnDrift]:
        """The columns, those that drifted most at the top."""
        return sorted(
            self.columns,
            key=lambda found: (
                -LEVELS.index(found.status),
                -_ordered(found.worst_chunk.statistics.get("psi", math.nan)),
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the document that ``bigboard drift --json`` prints.

        ``start`` and ``end`` are ISO times for chunks of time, row numbers from 0 for chunks of rows (the end
        is left out), and None without chunks. A statistic that is undefined is None, and ``reasons`` of the
        chunk says why.
        """
        return {
            "reference": {"rows": self.reference_rows},
            "current": {"rows": self.current_rows},
            "columns": [
                {
                    "column": found.column,
                    "kind": found.kind,
                    "chunks": [chunk.to_dict() for chunk in found.chunks],
                }
                for found in self.columns
            ],
            "skipped": [{"column": one.column, "reason": one.reason} for one in self.skipped],
            "status": self.worst,
        }

    def to_frame(self) -> "pd.DataFrame":
        """Return one row for each column and chunk, statistics and quality in columns of their own."""
        import pandas as pd

        rows = [
            {
                "column": found.column,
                "kind": found.kind,
                "start": chunk.start,
                "end": chunk.end,
                "rows": chunk.rows,
                "nulls": chunk.nulls,
                "status": chunk.status,
                **chunk.statistics,
                **chunk.quality,
            }
            for found in self.columns
            for chunk in found.chunks
        ]
        names = list(dict.fromkeys(name for row in rows for name in row))
        statistics = [name for name in DRIFT_STATISTICS if name in names]
        before = names[: names.index("status") + 1]
        after = [name for name in names if name not in before and name not in statistics]
        return pd.DataFrame(rows, columns=[*before, *statistics, *after])

    def summary(self) -> str:
        """Say in a sentence what was found."""
        counted = {level: sum(found.status == level for found in self.columns) for level in reversed(LEVELS)}
        drifted = [f"{counted[level]} {level}" for level in ("critical", "warning") if counted[level]]
        total = len(self.columns)
        noun = "column" if total == 1 else "columns"
        return f"{', '.join(drifted)} of {total} {noun}" if drifted else f"{total} {noun}, all in range"

    def __repr__(self) -> str:
        lines = [
            f"{self.current} ({self.current_rows:,} rows) against {self.reference} "
            f"({self.reference_rows:,} rows): {self.summary()}"
        ]
        shown = self.worst_first[:_SHOWN]
        width = max(len(found.column) for found in shown)
        for found in shown:
            psi = found.worst_chunk.statistics.get("psi", math.nan)
            value = "  n/a" if math.isnan(psi) else f"{psi:.3f}"
            lines.append(f"  {found.column:<{width}}  {found.kind:<11}  psi {value}  {found.status}")
        if len(self.columns) > _SHOWN:
            lines.append(f"  and {len(self.columns) - _SHOWN} more: see to_frame()")
        if self.skipped:
            lines.append(f"  {len(self.skipped)} skipped: see skipped")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = []
        for found in self.worst_first[:_SHOWN]:
            psi = found.worst_chunk.statistics.get("psi", math.nan)
            rows.append(
                f"<tr><td>{html.escape(found.column)}</td><td>{found.kind}</td>"
                f"<td>{'n/a' if math.isnan(psi) else f'{psi:.3f}'}</td><td>{found.status}</td></tr>"
            )
        more = f"<p>and {len(self.columns) - _SHOWN} more</p>" if len(self.columns) > _SHOWN else ""
        return (
            f"<p>{html.escape(self.current)} against {html.escape(self.reference)}: {self.summary()}</p>"
            "<table><thead><tr><th>column</th><th>kind</th><th>psi</th><th>status</th></tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>{more}"
        )


def moment(bound: Bound) -> str | int | None:
    """Return a bound as JSON holds it: a time in ISO 8601, in UTC."""
    return bound.astimezone(UTC).isoformat() if isinstance(bound, datetime) else bound


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _ordered(value: float) -> float:
    return -1.0 if math.isnan(value) else value

"""The drift report as one HTML file: charts and all, without a network."""

import base64
import gzip
import json
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from mlops_core import __version__
from mlops_core.analysis.report import LEVELS, ColumnDrift, DriftReport, moment
from mlops_core.domain.errors import InvalidInput
from mlops_core.statistics.registry import DRIFT_STATISTICS
from mlops_core.statistics.rules import RULES_OF_THUMB

__all__ = ["MOST_BYTES", "drift_page", "write_drift_report"]

MOST_BYTES: Final = 5_000_000
"""No report is larger than this."""

_MOST_DATA: Final = 2_200_000
_TABLE_ROWS: Final = 1_000


def write_drift_report(report: DriftReport, path: Path) -> None:
    """Write the report to a file, replacing what is there.

    Raises
    ------
    InvalidInput
        If the file cannot be written.
    """
    page = drift_page(report)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}; choose another place") from error


def drift_page(report: DriftReport) -> str:
    """Return the report as one HTML page of at most 5 MB.

    It holds the distribution of each column and its statistics over the chunks. Where those would be too
    much (many columns in many chunks), all but the statistics that decide are left out first, then the
    chunks of the columns that drifted least.
    """
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("mlops_core.cli", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    counts = {level: sum(found.status == level for found in report.columns) for level in LEVELS}
    return environment.get_template("drift_page.html.jinja").render(
        report=report,
        headline=_headline(report, counts),
        counts=counts,
        rows=[_row(found) for found in report.worst_first[:_TABLE_ROWS]],
        plotly=_plotly(),
        data=_packed(report),
        version=__version__,
    )


def _headline(report: DriftReport, counts: dict[Any, int]) -> str:
    total = len(report.columns)
    if report.worst == "in_range":
        return (
            "No drift: the only column is in range"
            if total == 1
            else f"No drift: all {total} columns are in range"
        )
    worst = report.worst_first[0].column
    parts = [f"{counts[level]} {level}" for level in ("critical", "warning") if counts[level]]
    return f"{' and '.join(parts)} of {total} columns; {worst} moved most"


def _row(found: ColumnDrift) -> dict[str, Any]:
    chunk = found.worst_chunk
    other = chunk.statistics.get("kolmogorov_smirnov", chunk.statistics.get("l_infinity", math.nan))
    return {
        "column": found.column,
        "kind": found.kind,
        "status": found.status,
        "psi": _text(chunk.statistics.get("psi", math.nan)),
        "other": _text(other),
        "nulls": f"{chunk.nulls / chunk.rows:.1%}" if chunk.rows else "",
    }


def _text(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.3f}"


def _plotly() -> str:
    """Return the library that draws, packed; empty when it is not installed (the tables do without)."""
    found = find_spec("plotly")
    if found is None or found.origin is None:
        return ""
    library = Path(found.origin).parent / "package_data" / "plotly.min.js"
    return _pack(library.read_bytes()) if library.is_file() else ""


def _packed(report: DriftReport) -> str:
    """Return the data of the charts, as much of it as fits."""
    names = list(DRIFT_STATISTICS)
    few = ["psi", "kolmogorov_smirnov", "l_infinity"]
    columns = report.worst_first
    for statistics, in_full in (
        (names, len(columns)),
        (few, len(columns)),
        (few, len(columns) // 4),
        (few, 20),
        (few, 0),
    ):
        document = _document(report, columns, statistics, in_full)
        packed = _pack(json.dumps(document, separators=(",", ":"), allow_nan=False).encode())
        if len(packed) <= _MOST_DATA:
            return packed
    document = _document(report, columns[:_TABLE_ROWS], few, 0)
    return _pack(json.dumps(document, separators=(",", ":"), allow_nan=False).encode())


def _document(
    report: DriftReport, columns: list[ColumnDrift], statistics: list[str], in_full: int
) -> dict[str, Any]:
    starts = max((found.chunks for found in columns), key=len)
    return {
        "chunked": report.chunked_by,
        "starts": [moment(chunk.start) for chunk in starts],
        "rows": [chunk.rows for chunk in starts],
        "rules": {name: [rule.warning, rule.critical] for name, rule in RULES_OF_THUMB.items()},
        "columns": [
            _column(found, statistics, complete=place < in_full) for place, found in enumerate(columns)
        ],
    }


def _column(found: ColumnDrift, statistics: list[str], *, complete: bool) -> dict[str, Any]:
    chunks = found.chunks if complete or len(found.chunks) == 1 else ()
    shown = found.distribution
    worst = found.worst_chunk
    return {
        "name": found.column,
        "kind": found.kind,
        "status": found.status,
        "edges": _rounded(shown.edges, 6),
        "labels": [label[:80] for label in shown.labels],
        "reference": _rounded(shown.reference, 4),
        "current": _rounded(shown.current, 4),
        "worst": {name: _number(value, 4) for name, value in worst.statistics.items()},
        "series": {
            name: [_number(chunk.statistics[name], 4) for chunk in chunks]
            for name in statistics
            if chunks and name in worst.statistics
        },
        "nulls": [_number(chunk.nulls / chunk.rows, 4) if chunk.rows else None for chunk in chunks],
    }


def _rounded(values: tuple[float, ...], digits: int) -> list[float | None]:
    return [_number(value, digits) for value in values]


def _number(value: float, digits: int) -> float | None:
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def _pack(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()

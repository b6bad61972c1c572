"""``bigboard drift``: two sets of rows in, one answer out; no workspace needed."""

import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_core.cli.options import JsonOption
from mlops_core.cli.output import console, fail
from mlops_core.domain.errors import BigboardError, InvalidInput

if TYPE_CHECKING:
    from mlops_core.analysis.drift import Progress
    from mlops_core.analysis.report import ColumnDrift, DriftReport

__all__ = ["drift"]

_STYLES = {"critical": ("◆", "bold red"), "warning": ("▲", "yellow"), "in_range": ("●", "green")}
_PERIODS = ("day", "week", "month")
_LEVELS = ("warning", "critical")
_MOST_SHOWN = 50
_SHOWN_STATISTICS = ("psi", "kolmogorov_smirnov", "wasserstein_normalised", "jensen_shannon")


def drift(
    reference: Annotated[str, typer.Argument(help="Parquet or CSV file, glob in quotes, or Delta table.")],
    current: Annotated[str, typer.Argument(help="What to compare with it.")],
    timestamp: Annotated[
        str | None, typer.Option("--timestamp", metavar="COL", help="Cut the current rows by this column.")
    ] = None,
    every: Annotated[
        str | None, typer.Option("--every", metavar="day|week|month", help="How long a chunk of time is.")
    ] = None,
    chunk_rows: Annotated[
        int | None, typer.Option("--chunk-rows", metavar="N", help="Cut them after so many rows instead.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", metavar="A,B", help="Compare these columns alone.")
    ] = None,
    categorical: Annotated[
        str | None, typer.Option("--categorical", metavar="C,D", help="Integer columns to count by value.")
    ] = None,
    as_json: JsonOption = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a report with charts.")
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option("--fail-on", metavar="warning|critical", help="Exit 1 when this level is reached."),
    ] = None,
) -> None:
    """Say how far the rows of one file are from those of another; exit 2 on bad input."""
    from mlops_core.analysis.drift import drift as measure

    with _bad_input_explained():
        _check_choice("--every", every, _PERIODS)
        _check_choice("--fail-on", fail_on, _LEVELS)
        if html is not None:
            _check_writable(html)
        with _progress() as progress:
            report = measure(
                reference,
                current,
                timestamp=timestamp,
                every=every,  # type: ignore[arg-type]  # checked above
                chunk_rows=chunk_rows,
                columns=_names("--columns", columns),
                categorical=_names("--categorical", categorical) or (),
                progress=progress,
            )
        if html is not None:
            from mlops_core.cli.drift_report import write_drift_report

            write_drift_report(report, html)
    if as_json:
        sys.stdout.write(json.dumps(report.to_dict(), ensure_ascii=False, allow_nan=False) + "\n")
        sys.stdout.flush()
    elif sys.stdout.isatty():
        _show_table(report)
    else:
        _print_plain(report)
    if fail_on is not None and _reaches(report.worst, fail_on):
        raise typer.Exit(1)


def _reaches(level: str, limit: str) -> bool:
    order = ("in_range", *_LEVELS)
    return order.index(level) >= order.index(limit)


def _check_choice(option: str, given: str | None, known: tuple[str, ...]) -> None:
    if given is not None and given not in known:
        raise InvalidInput(f"{option} {given!r} is unknown: choose {', '.join(known)}")


def _names(option: str, given: str | None) -> list[str] | None:
    """Part names at commas; a name that holds one is put into double quotes."""
    if given is None:
        return None
    import csv

    names = [name.strip() for name in next(csv.reader([given], skipinitialspace=True), [])]
    if not names or not all(names):
        raise InvalidInput(f"{option} {given!r} names no column: give names with commas between them")
    return names


def _check_writable(path: Path) -> None:
    """Raise InvalidInput now, not after the work, if a file cannot be written."""
    folder = path.parent
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder: name a file, for example {path / 'drift.html'}")
    if not folder.is_dir():
        raise InvalidInput(f"{path} cannot be written: there is no folder {folder}; create it first")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise InvalidInput(f"{path} may not be written: choose another place")


@contextmanager
def _progress() -> "Iterator[Progress | None]":
    """Show a bar on a terminal's standard error."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("counting"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("counting", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _bad_input_explained() -> Iterator[None]:
    """Show an error of ours as a message and exit 2, so that 1 means that a level is reached."""
    try:
        yield
    except BigboardError as error:
        fail(str(error))
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        print(file=sys.stderr)
        fail("interrupted: nothing was written")
        raise typer.Exit(130) from None


def _show_table(report: "DriftReport") -> None:
    from rich.markup import escape
    from rich.table import Table

    console.print(
        f"[bold]{report.summary()}[/bold]  {escape(report.current)} ({report.current_rows:,} rows) "
        f"against {escape(report.reference)} ({report.reference_rows:,} rows)",
        highlight=False,
    )
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    wide = console.width >= 100
    table.add_column("column", no_wrap=True, overflow="ellipsis", max_width=40)
    if wide:
        table.add_column("kind", no_wrap=True)
    if report.chunked_by:
        table.add_column("worst chunk", no_wrap=True)
    for name in ("PSI", "KS", "W/sd", "JS", "nulls"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for found in report.worst_first[:_MOST_SHOWN]:
        chunk = found.worst_chunk
        symbol, style = _STYLES[found.status]
        table.add_row(
            escape(found.column),
            *([found.kind] if wide else []),
            *([_where(found)] if report.chunked_by else []),
            *(_number(chunk.statistics.get(name)) for name in _SHOWN_STATISTICS),
            f"{chunk.nulls / chunk.rows:.1%}" if chunk.rows else "",
            f"[{style}]{symbol} {found.status.replace('_', ' ')}[/{style}]",
        )
    console.print(table)
    console.print(
        "[dim]PSI: population stability index; KS: Kolmogorov-Smirnov; W/sd: Wasserstein in standard "
        "deviations of the reference; JS: Jensen-Shannon distance[/dim]",
        highlight=False,
    )
    if len(report.columns) > _MOST_SHOWN:
        console.print(f"and {len(report.columns) - _MOST_SHOWN} more: --json or --html shows them all")
    for one in report.skipped[:10]:
        console.print(f"[dim]skipped {escape(one.column)}: {escape(one.reason)}[/dim]", highlight=False)
    if len(report.skipped) > 10:
        console.print(f"[dim]and {len(report.skipped) - 10} more skipped[/dim]")


def _print_plain(report: "DriftReport") -> None:
    """Print columns parted by tabs, one line for each column and chunk."""
    names = list(
        dict.fromkeys(name for found in report.columns for chunk in found.chunks for name in chunk.statistics)
    )
    lines = ["\t".join(["column", "kind", "start", "end", "rows", "nulls", "status", *names])]
    for found in report.worst_first:
        for chunk in found.chunks:
            document = chunk.to_dict()
            values = [chunk.statistics.get(name, math.nan) for name in names]
            fields = [found.column, found.kind, document["start"], document["end"], chunk.rows, chunk.nulls]
            texts = ["" if field is None else " ".join(str(field).split()) for field in fields]
            numbers = ["" if math.isnan(value) else f"{value:.6g}" for value in values]
            lines.append("\t".join([*texts, chunk.status, *numbers]))
    sys.stdout.write("\n".join(lines) + "\n")
    for one in report.skipped:
        print(f"skipped {one.column}: {one.reason}", file=sys.stderr)


def _where(found: "ColumnDrift") -> str:
    start = found.worst_chunk.to_dict()["start"]
    if isinstance(start, int):
        return f"from row {start:,}"
    return str(start)[:10] if start else ""


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4f}"

"""`bigboard explain`: why a model drifted, in the terminal or as JSON."""

import json
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_core.cli.options import JsonOption, WorkspaceOption
from mlops_core.cli.output import console, fail
from mlops_core.domain.errors import BigboardError

if TYPE_CHECKING:
    from mlops_core.explanation.results import ColumnMovement, Explanation

__all__ = ["explain"]

_LEVELS = {
    "retrain": ("◆", "bold red"),
    "critical": ("◆", "bold red"),
    "warning": ("▲", "yellow"),
    "in_range": ("●", "green"),
}
_MOST_SHOWN = 20
_MOST_SEGMENTS = 3
_MOST_INSIDE = 10


def explain(
    model: Annotated[str, typer.Argument(help="Its name.")],
    start: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day \\[default: 4 weeks before --to].")
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="DATE", help="The day after the last \\[default: the newest prediction's]."
        ),
    ] = None,
    reference_start: Annotated[
        str | None,
        typer.Option("--reference-from", metavar="DATE", help="Compare with a window from this day on."),
    ] = None,
    reference_end: Annotated[
        str | None, typer.Option("--reference-to", metavar="DATE", help="The day after its last.")
    ] = None,
    segment: Annotated[
        str, typer.Option("--segment", metavar="COLUMN=VALUE", help="Explain these rows alone.")
    ] = "",
    statistic: Annotated[
        str, typer.Option("--statistic", help="What measures how far a column moved.")
    ] = "psi",
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Say why a model drifted: what moved, since when, where, and whether accuracy followed.

    Exits with 2 on bad input.
    """
    from mlops_core.explanation.as_json import to_json
    from mlops_core.explanation.notebook import explain as ask

    try:
        found = ask(
            model,
            start=start,
            end=end,
            reference_start=reference_start,
            reference_end=reference_end,
            segment=segment,
            statistic=statistic,
            workspace=workspace,
        )
    except BigboardError as error:
        fail(str(error))
        raise typer.Exit(2) from error
    if as_json:
        sys.stdout.write(json.dumps(to_json(found), ensure_ascii=False, allow_nan=False) + "\n")
        sys.stdout.flush()
    else:
        _show(found)


def _show(found: "Explanation") -> None:
    _say(found.headline, style="bold")
    _say(_what_was_compared(found), style="dim")
    for one in found.drifted:
        if one.move is not None:
            _say(f"\n{one.move.sentence}")
        if one.segments_sentence:
            _say(one.segments_sentence)
    for drift in found.in_segments[:_MOST_INSIDE]:
        _say(f"\n{drift.sentence}")
    if found.performance is not None:
        _say(f"\n{found.performance.sentence}")
    _show_columns(found)
    _show_segments(found)
    _show_inside(found)
    if found.events:
        near = found.since or found.window.start
        _say(f"\nWhat happened near {near.day} {near:%b %Y}", style="bold")
        for event in found.events[:10]:
            last = event.end - timedelta(microseconds=1) if event.end else None
            until = f" to {last:%d %b %Y}" if last else ""
            _say(f"{event.at:%d %b %Y}{until}  {event.title}")
    for note in found.notes:
        _say(f"note: {note}", style="dim")


def _what_was_compared(found: "Explanation") -> str:
    window = f"{found.window.start:%Y-%m-%d} to {found.window.end:%Y-%m-%d}"
    reference = "its reference"
    if found.reference is not None:
        reference = f"{found.reference.start:%Y-%m-%d} to {found.reference.end:%Y-%m-%d}"
    return (
        f"version {found.version}, {window} ({found.rows:,} predictions) against {reference} "
        f"({found.reference_rows:,} rows)"
    )


def _show_columns(found: "Explanation") -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("column", no_wrap=True, overflow="ellipsis", max_width=40)
    for name in (found.statistic, "p", "importance"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("since", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for one in found.columns[:_MOST_SHOWN]:
        table.add_row(
            escape(one.column),
            _number(one.value),
            _chance(one.adjusted_p_value),
            "" if one.importance is None else f"{one.importance:.2f}",
            f"{one.since:%Y-%m-%d}" if one.since else "",
            _status(one),
        )
    console.print()
    console.print(table)
    if len(found.columns) > _MOST_SHOWN:
        _say(f"and {len(found.columns) - _MOST_SHOWN} more: --json shows them all", style="dim")


def _show_segments(found: "Explanation") -> None:
    from rich.markup import escape
    from rich.table import Table

    drifted = [one for one in found.drifted if one.segments]
    if not drifted:
        return
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("column", "segment"):
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=28)
    for name in ("explains", "rows"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(found.statistic, justify="right", no_wrap=True)
    for one in drifted:
        for share in one.segments[:_MOST_SEGMENTS]:
            table.add_row(
                escape(one.column),
                escape(share.segment),
                f"{100 * share.explained:.0f} %",
                f"{share.rows:,}",
                _number(share.value),
            )
    console.print()
    console.print(table)


def _show_inside(found: "Explanation") -> None:
    from rich.markup import escape
    from rich.table import Table

    if not found.in_segments:
        return
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("column", "inside segment"):
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=28)
    for name in ("rows", found.statistic, "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found.in_segments[:_MOST_INSIDE]:
        table.add_row(
            escape(one.column),
            escape(one.segment),
            f"{one.rows:,}",
            _number(one.value),
            _chance(one.adjusted_p_value),
        )
    console.print()
    console.print(table)
    if len(found.in_segments) > _MOST_INSIDE:
        _say(f"and {len(found.in_segments) - _MOST_INSIDE} more: --json shows them all", style="dim")


def _status(one: "ColumnMovement") -> str:
    symbol, style = _LEVELS.get(one.level, ("○", "dim"))
    return f"[{style}]{symbol} {one.level.replace('_', ' ')}[/{style}]"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if abs(value) < 1e6 else f"{value:.3g}"


def _chance(value: float | None) -> str:
    if value is None:
        return ""
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def _say(text: str, style: str = "") -> None:
    console.print(text, style=style, markup=False, highlight=False)

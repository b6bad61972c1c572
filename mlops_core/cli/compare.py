"""`bigboard compare`: a challenger against another version on the same rows, in the terminal or as JSON."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mlops_core.cli.options import JsonOption, WorkspaceOption
from mlops_core.cli.output import console, fail
from mlops_core.domain.errors import BigboardError, InvalidInput

if TYPE_CHECKING:
    from rich.table import Table

    from mlops_core.comparison import ComparisonReport
    from mlops_core.comparison.report import Difference

__all__ = ["compare", "parse_version", "show_report"]

_VERDICTS: Final = {
    "better": ("▲ better", "bold green"),
    "worse": ("▼ worse", "bold red"),
    "worse_in_segment": ("▼ worse for {segment}", "bold red"),
    "no_evidence": ("● no evidence", "bold"),
}
_MOST_SHOWN: Final = 20
_WIDE: Final = 10_000


def compare(
    challenger: Annotated[str, typer.Argument(metavar="MODEL:VERSION", help="The version to be judged.")],
    champion: Annotated[
        str | None,
        typer.Argument(metavar="MODEL:VERSION", help="Compare with it \\[default: the champion]."),
    ] = None,
    snapshot: Annotated[
        str | None,
        typer.Option(
            "--snapshot",
            metavar="ID|TABLE@VERSION",
            help="Compare on these rows \\[default: the first version's evaluation snapshot].",
        ),
    ] = None,
    as_json: JsonOption = False,
    server: Annotated[
        str | None,
        typer.Option(
            "--server", metavar="URL", help="Have it compared by this console, not in this process."
        ),
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Compare two versions of a model on the same rows, with intervals and a verdict.

    It is done here, or by the server that holds the workspace. Ctrl-C cancels.

    Exits with 0 whatever the verdict, with 2 on bad input.
    """
    try:
        report = _compared(challenger, champion, snapshot, server, workspace)
    except BigboardError as error:
        fail(str(error))
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        fail("interrupted: nothing was stored")
        raise typer.Exit(130) from None
    if as_json:
        from mlops_core.comparison import to_document

        sys.stdout.write(json.dumps(to_document(report), ensure_ascii=False, allow_nan=False) + "\n")
        sys.stdout.flush()
    else:
        show_report(report)


def parse_version(text: str) -> tuple[str, int]:
    """Return model and number of `churn-risk:5`.

    Raises
    ------
    InvalidInput
        If it is not written like that.
    """
    name, _, number = text.rpartition(":")
    if not name or not number.isascii() or not number.isdigit():
        raise InvalidInput(f"'{text}' names no version: write MODEL:NUMBER, like churn-risk:5")
    return name, int(number)


def _check_snapshot_name(text: str) -> None:
    version = text.rpartition("@")[2]
    if not version.isascii() or not version.isdigit():
        raise InvalidInput(f"'{text}' names no snapshot: give its number, or TABLE@VERSION")


def show_report(report: "ComparisonReport") -> None:
    """Print a comparison: the verdict first, then the figures that it rests on."""
    text, style = _VERDICTS[report.verdict]
    _say(text.format(segment=report.worse_segment), style=style)
    _say(report.sentence)
    _say(
        f"{report.model} version {report.challenger} against version {report.champion}, {report.rows:,} rows "
        f"of {report.snapshot}, {report.resamples:,} resamples",
        style="dim",
    )
    _show_metrics(report)
    _show_segments(report)
    _show_fairness(report)
    _show_cost(report)
    for note in report.notes:
        _say(f"note: {note}", style="dim")


def _compared(
    challenger: str, champion: str | None, snapshot: str | None, server: str | None, folder: Path | None
) -> "ComparisonReport":
    """Compare here, or by the server that holds the workspace; Ctrl-C cancels."""
    from mlops_core.cli.reaching import follow, reached
    from mlops_core.settings import Settings

    model, number = parse_version(challenger)
    other = None if champion is None else parse_version(champion)
    if other is not None and other[0] != model:
        raise InvalidInput(
            f"{challenger} and {champion} are versions of different models, which predict different things: "
            "name two versions of one model"
        )
    if snapshot is not None:
        _check_snapshot_name(snapshot)
    with reached(Settings() if folder is None else Settings(workspace=folder), server) as reaching:
        wish = reaching.compare(model, number, None if other is None else other[1], snapshot=snapshot)
        job = follow(reaching, wish)
        if job.comparison_id is None:
            raise BigboardError(job.message or f"the comparison ended as {job.state}")
        return reaching.comparison(job.comparison_id).report


def _show_metrics(report: "ComparisonReport") -> None:
    from mlops_core.comparison.wording import metric_name

    table = _table(
        "metric", f"v{report.challenger}", f"v{report.champion}", "difference", "95 % interval", "p", ""
    )
    for one in report.metrics:
        table.add_row(metric_name(one.metric), *_figures(one), _chance(one.p_value), _judged(one))
    _print(table)


def _show_segments(report: "ComparisonReport") -> None:
    from rich.markup import escape

    from mlops_core.comparison.wording import margin_text, metric_name

    if not report.segments:
        return
    heading = f"{metric_name(report.primary.metric)} in"
    table = _table(heading, f"v{report.challenger}", f"v{report.champion}", "difference", "interval", "p", "")
    for one in report.segments[:_MOST_SHOWN]:
        mark = "[red]▼ worse[/red]" if one.is_worse else ""
        table.add_row(escape(one.segment), *_figures(one.difference), _chance(one.adjusted_p_value), mark)
    _print(table)
    if len(report.segments) > _MOST_SHOWN:
        _say(f"and {len(report.segments) - _MOST_SHOWN} more: --json shows them all", style="dim")
    _say(
        f"p tests whether it is worse by more than {margin_text(report.margin)}; intervals and p are "
        f"corrected for {len(report.segments)} segments",
        style="dim",
    )


def _show_fairness(report: "ComparisonReport") -> None:
    from rich.markup import escape

    from mlops_core.comparison.wording import difference_text, value_text

    if not report.fairness:
        return
    table = _table(
        "groups of", f"v{report.challenger}", f"v{report.champion}", "difference", "95 % interval", ""
    )
    for one in report.fairness:
        limits = ""
        if one.lower is not None and one.upper is not None:
            limits = f"{difference_text(one.lower)} to {difference_text(one.upper)}"
        table.add_row(
            escape(one.attribute),
            *("" if value is None else value_text(value) for value in (one.challenger, one.champion)),
            "" if one.difference is None else difference_text(one.difference),
            limits,
            one.measure,
        )
    _print(table)


def _show_cost(report: "ComparisonReport") -> None:
    console.print()
    if report.agreement is not None:
        _say(f"both answer alike on {100 * report.agreement.share:.1f} % of the rows")
    found = report.latency
    if found is not None:
        _say(
            f"response time of {found.requests} requests: median {found.challenger_p50:.1f} ms against "
            f"{found.champion_p50:.1f} ms, 95th percentile {found.challenger_p95:.1f} ms against "
            f"{found.champion_p95:.1f} ms"
        )
    if report.challenger_bytes or report.champion_bytes:
        _say(f"size: {report.challenger_bytes / 1e6:.2f} MB against {report.champion_bytes / 1e6:.2f} MB")
    for what, names in (("added", report.features_added), ("dropped", report.features_dropped)):
        if names:
            _say(f"features {what}: {', '.join(names)}")


def _figures(one: "Difference") -> tuple[str, str, str, str]:
    from mlops_core.comparison.wording import difference_text, value_text

    mine, theirs = (
        "undefined" if value is None else value_text(value) for value in (one.challenger, one.champion)
    )
    difference = "" if one.difference is None else difference_text(one.difference)
    if one.lower is None or one.upper is None:
        return mine, theirs, difference, ""
    return mine, theirs, difference, f"{difference_text(one.lower)} to {difference_text(one.upper)}"


def _judged(one: "Difference") -> str:
    if one.is_better:
        return "[green]▲ better[/green]"
    return "[red]▼ worse[/red]" if one.is_worse else ""


def _chance(value: float | None) -> str:
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _table(first: str, *others: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True, overflow="ellipsis", max_width=40)
    for name in others[:-1]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(others[-1], no_wrap=True)
    return table


def _print(table: "Table") -> None:
    """Print every figure in full: a line that is too long is broken by the terminal, not cut."""
    from rich.console import Console

    console.print()
    Console(width=_WIDE).print(table, highlight=False)


def _say(text: str, style: str = "") -> None:
    console.print(text, style=style, markup=False, highlight=False)

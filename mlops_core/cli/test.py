"""`bigboard test`: put a version to its model's tests."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_core.cli.options import JsonOption, WorkspaceOption
from mlops_core.cli.output import console, fail
from mlops_core.domain.errors import BigboardError

if TYPE_CHECKING:
    from mlops_core.api.registry_shapes import ComparisonShown, TestRunShown, TestShown

__all__ = ["put_to_test"]

_MARKS = {
    "passed": ("●", "green"),
    "failed": ("◆", "bold red"),
    "error": ("▲", "yellow"),
    "skipped": ("○", "dim"),
}

_WIDE = 10_000


def put_to_test(
    version: Annotated[str, typer.Argument(metavar="MODEL:VERSION", help="Such as churn-risk:5.")],
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare it with the champion afterwards, if there is one.")
    ] = False,
    as_json: JsonOption = False,
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="URL", help="Have it tested by this console, not in this process."),
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Test a version: here, or by the server that holds the workspace. Ctrl-C cancels.

    Exits with 1 unless every test passed, with 2 on bad input.
    """
    from mlops_core.cli.compare import parse_version
    from mlops_core.cli.reaching import follow, reached
    from mlops_core.settings import Settings

    settings = Settings() if workspace is None else Settings(workspace=workspace)
    try:
        model, number = parse_version(version)
        with reached(settings, server) as reaching:
            job = follow(reaching, reaching.test(model, number, compare=compare))
            run = reaching.test_run(job.test_run_id) if job.test_run_id is not None else None
            compared = reaching.comparison(job.comparison_id) if job.comparison_id is not None else None
    except BigboardError as error:
        fail(str(error))
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        fail("cancelled: what was found before is kept")
        raise typer.Exit(130) from None
    if as_json:
        told = {
            "job": job.model_dump(mode="json"),
            "tests": None if run is None else run.model_dump(mode="json"),
            "comparison": None if compared is None else compared.model_dump(mode="json"),
        }
        sys.stdout.write(json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n")
        sys.stdout.flush()
    elif run is not None:
        _show(run, compared)
    if job.state != "succeeded":
        fail(f"the tests of {version} ended as {job.state}: {job.message}")
    if run is None or not run.all_passed or job.state != "succeeded":
        raise typer.Exit(1)


def _show(run: "TestRunShown", compared: "ComparisonShown | None") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("", "test"):
        table.add_column(name, no_wrap=True)
    for name in ("figure", "limit"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for one in run.results:
        mark, style = _MARKS[one.status]
        table.add_row(
            f"[{style}]{mark} {one.status}[/{style}]",
            escape(one.test.replace("_", " ")),
            _number(one.figure),
            _number(one.limit),
            escape(one.sentence),
        )
    (console if console.is_terminal else Console(width=_WIDE)).print(table)
    console.print(f"\n{run.model}:{run.version}: {_summary(run.results)}", style="bold", highlight=False)
    if compared is not None:
        console.print(compared.report.sentence, markup=False, highlight=False)


def _summary(results: "list[TestShown]") -> str:
    found = [one.status for one in results]
    counts = [f"{found.count(status)} {status}" for status in _MARKS if status in found]  # type: ignore[arg-type]  # words of the API
    return f"{len(found)} tests, " + ", ".join(counts) if counts else "no tests"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}"

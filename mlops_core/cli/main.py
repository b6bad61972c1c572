"""The command and its subcommands; each one translates its options into one core call."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_core import __version__
from mlops_core.cli.compare import compare
from mlops_core.cli.drift import drift
from mlops_core.cli.evaluate import evaluate
from mlops_core.cli.event import event
from mlops_core.cli.explain import explain
from mlops_core.cli.models import models
from mlops_core.cli.options import WorkspaceOption
from mlops_core.cli.output import console, fail
from mlops_core.cli.register import register
from mlops_core.cli.test import put_to_test
from mlops_core.cli.versions import versions
from mlops_core.domain.errors import BigboardError

if TYPE_CHECKING:
    from mlops_core.settings import Settings

__all__ = ["app"]

app = typer.Typer(
    name="bigboard",
    help="The operations console of a machine-learning department.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DEFAULT_PORT = 8501
LOOPBACK = "127.0.0.1"

PortOption = Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of the console and the API.")]


@app.command()
def demo(
    workspace: WorkspaceOption = None,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Build the workspace and stop.")] = False,
    port: PortOption = DEFAULT_PORT,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build it anew even if it is complete.")] = False,
    weeks: Annotated[
        int | None,
        typer.Option(
            "--weeks", min=1, max=26, envvar="BIGBOARD_DEMO_WEEKS", help="Replay only the first weeks."
        ),
    ] = None,
) -> None:
    """Build the demo workspace from real purchases, unless it is there already, and serve it."""
    from mlops_core.cli.building import build_with_progress
    from mlops_core.demo import demo_is_complete

    settings = _settings(workspace)
    with _errors_explained():
        if not no_serve:
            _check_port(LOOPBACK, port)
        if not demo_is_complete(settings) or rebuild:  # asked first: a workspace that a server holds stays
            build_with_progress(settings, weeks)
        else:
            console.print(f"The demo in [bold]{settings.workspace}[/bold] is complete.")
        if not no_serve:
            _serve(settings, LOOPBACK, port)


@app.command()
def serve(
    workspace: WorkspaceOption = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = LOOPBACK,
    port: PortOption = DEFAULT_PORT,
) -> None:
    """Serve the console, the API and the scheduler of a workspace."""
    with _errors_explained():
        _check_port(host, port)
        _serve(_settings(workspace), host, port)


@app.command()
def watch(
    file: Annotated[str, typer.Argument(help="Predictions: a Parquet or CSV file, a glob, a Delta table.")],
    timestamp: Annotated[str, typer.Option("--timestamp", help="Column: when the prediction was made.")],
    prediction: Annotated[str, typer.Option("--prediction", help="Column: the predicted value or label.")],
    model: Annotated[str | None, typer.Option("--model", help="Its name \\[default: the file's].")] = None,
    score: Annotated[
        str | None, typer.Option("--score", help="Column: probability of 1, or of the predicted label.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", help="Column: what turned out to be true; empty: not known yet.")
    ] = None,
    id_column: Annotated[
        str | None, typer.Option("--id", help="Column that tells predictions apart \\[default: all columns].")
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option("--segment", help="Column to keep figures apart by; repeatable.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="File to compare with \\[default: the first quarter].")
    ] = None,
    reference_until: Annotated[
        str | None, typer.Option("--reference-until", help="Compare with the rows before this date.")
    ] = None,
    problem: Annotated[
        str | None, typer.Option("--problem", help="binary, multiclass or regression \\[default: guessed].")
    ] = None,
    positive: Annotated[str | None, typer.Option("--positive", help="The label that counts as 1.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Make a file of predictions a monitored model; run again with a newer file to go on.

    Exits with 2 on bad input.
    """
    from mlops_core.cli.watch import model_name_of, show_watched, watch_plan, watch_with_progress

    settings = _settings(workspace)
    with _errors_explained(status=2):
        plan = watch_plan(
            model=model or model_name_of(file),
            timestamp=timestamp,
            prediction=prediction,
            score=score,
            target=target,
            id_column=id_column,
            segments=segment or [],
            reference=reference,
            reference_until=reference_until,
            problem=problem,
            positive=positive,
        )
        show_watched(watch_with_progress(settings, file, plan), file, settings)


@app.command()
def doctor(workspace: WorkspaceOption = None) -> None:
    """Say what is installed, which store is used and whether it works; exit 1 on a fault."""
    from mlops_core.cli.doctor import examine, show

    findings = examine(_settings(workspace))
    show(findings)
    if any(finding.fault for finding in findings):
        raise typer.Exit(1)


app.command()(drift)
app.command()(evaluate)
app.command()(explain)
app.command()(event)
app.command()(models)
app.command()(versions)
app.command()(register)
app.command("test")(put_to_test)
app.command()(compare)


@app.command()
def version() -> None:
    """Print the version."""
    console.print(f"bigboard {__version__}", highlight=False)


def _settings(workspace: Path | None) -> "Settings":
    from mlops_core.settings import Settings

    return Settings() if workspace is None else Settings(workspace=workspace)


def _serve(settings: "Settings", host: str, port: int) -> None:
    from mlops_core.cli.serving import serve_workspace

    serve_workspace(settings, host, port)


def _check_port(host: str, port: int) -> None:
    from mlops_core.cli.serving import check_port_free

    check_port_free(host, port)


@contextmanager
def _errors_explained(status: int = 1) -> Iterator[None]:
    """Show an error of ours as a message, not as a traceback, and exit with a status; Ctrl-C ends quietly."""
    try:
        yield
    except BigboardError as error:
        fail(str(error))
        raise typer.Exit(status) from error
    except KeyboardInterrupt:
        print(file=sys.stderr)
        fail("interrupted: nothing was lost; run the same command again to go on")
        raise typer.Exit(130) from None

"""`bigboard watch`: from a file of predictions to a monitored model."""

import re
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mlops_core.cli.output import console
from mlops_core.domain.errors import InvalidInput
from mlops_core.settings import Settings

if TYPE_CHECKING:
    from mlops_core.domain.states import ProblemType
    from mlops_core.monitoring.watched_file import WatchPlan
    from mlops_core.monitoring.watching import Watched

__all__ = ["show_watched", "watch_plan", "watch_with_progress"]

_PORT = 8501


def watch_plan(
    model: str,
    timestamp: str,
    prediction: str,
    score: str | None,
    target: str | None,
    id_column: str | None,
    segments: list[str],
    reference: str | None,
    reference_until: str | None,
    problem: str | None,
    positive: str | None,
) -> "WatchPlan":
    """Return the plan that the options name.

    Raises
    ------
    InvalidInput
        If options exclude each other, or a value cannot be.
    """
    from mlops_core.analysis.sources import open_source
    from mlops_core.monitoring.watched_file import FileColumns, WatchPlan

    if reference and reference_until:
        raise InvalidInput("--reference and --reference-until exclude each other: give one")
    return WatchPlan(
        model=model,
        columns=FileColumns(timestamp, prediction, score, target, id_column, tuple(segments)),
        problem=_problem(problem),
        positive=positive,
        reference=open_source(reference) if reference else None,
        reference_until=_moment(reference_until) if reference_until else None,
    )


def watch_with_progress(settings: Settings, file: str, plan: "WatchPlan") -> "Watched":
    """Watch the file in the workspace, which is made if there is none."""
    from mlops_core.analysis.sources import open_source
    from mlops_core.monitoring.watching import watch_file
    from mlops_core.workspace import actor_named, open_workspace

    source = open_source(file)
    workspace = open_workspace(settings, create=True)
    columns = (BarColumn(bar_width=30), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    try:
        actor = actor_named(workspace, settings.actor)
        errors = Console(stderr=True)
        with Progress(
            *columns,
            TextColumn("{task.description}"),
            console=errors,
            transient=True,
            disable=not errors.is_terminal,
        ) as bar:
            task = bar.add_task("reading", total=1.0)
            return watch_file(
                workspace,
                actor,
                source,
                plan,
                progress=lambda doing, share: bar.update(task, description=doing, completed=share),
            )
    finally:
        workspace.close()


def show_watched(watched: "Watched", file: str, settings: Settings) -> None:
    """Print what was stored, what was found, and where to look at it."""
    verb = "Registered" if watched.is_new else "Went on with"
    console.print(f"{verb} [bold]{watched.model}[/bold] ({watched.problem}) from {Path(file).name}")
    known = f", {watched.known:,} were known" if watched.known else ""
    console.print(
        f"Logged {watched.predictions:,} predictions and {watched.outcomes:,} outcomes{known}. Reference: "
        f"{watched.reference_rows:,} rows until {watched.reference_end:%d %b %Y}.",
        highlight=False,
    )
    for name, reason in watched.skipped.items():
        console.print(f"Not watched: {name}, {reason}.", highlight=False, markup=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("", "Finding"):
        table.add_column(heading)
    for finding in watched.row.findings:
        table.add_row(finding.label, finding.sentence)
    if not watched.row.findings:
        table.add_row(
            "Not measured", "No prediction lies behind the reference yet: add newer rows and run again."
        )
    console.print(table, highlight=False, markup=False)
    where = "" if settings.workspace == Settings().workspace else f" --workspace {settings.workspace}"
    console.print(
        f"The board: run [bold]bigboard serve{where}[/bold], then open "
        f"[bold]http://localhost:{_PORT}/model?model={watched.model}[/bold]"
    )


def _problem(problem: str | None) -> "ProblemType | None":
    from mlops_core.domain.states import ProblemType

    if problem is None:
        return None
    known = [kind.value for kind in ProblemType if kind != ProblemType.CLUSTERING]
    if problem not in known:
        raise InvalidInput(f"there is no problem '{problem}': choose {', '.join(known)}")
    return ProblemType(problem)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"--reference-until {text!r} is no date: write it like 2026-03-01") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def model_name_of(file: str) -> str:
    """Return a model name made of a file's name: `Größe (EU).parquet` gives `grosse-eu`.

    Raises
    ------
    InvalidInput
        If nothing of the name can be used.
    """
    plain = unicodedata.normalize("NFKD", Path(file).stem.casefold())
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    name = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")
    if not name:
        raise InvalidInput(f"no model name can be made of {file!r}: give one with --model")
    return name

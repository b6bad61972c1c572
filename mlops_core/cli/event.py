"""`bigboard event`: note what happened in the world, so that explanations can name it."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

import typer

from mlops_core.cli.options import WorkspaceOption
from mlops_core.cli.output import console, fail
from mlops_core.domain.errors import BigboardError, InvalidInput

__all__ = ["event"]


def event(
    title: Annotated[str, typer.Argument(help="What it is called, such as 'Campaign 18'.")],
    start: Annotated[str, typer.Option("--start", help="Its first day, like 2017-10-30 (UTC).")],
    end: Annotated[
        str | None, typer.Option("--end", help="Its last day \\[default: it was on one day].")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The only model that it concerns \\[default: all].")
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Note an event in the calendar: charts mark it, and explanations of drift near it name it.

    Exits with 2 on bad input.
    """
    from mlops_core.explanation.events import add_calendar_event
    from mlops_core.settings import Settings
    from mlops_core.workspace import actor_named, open_workspace

    settings = Settings() if workspace is None else Settings(workspace=workspace)
    try:
        first = _midnight("--start", start)
        last = None if end is None else _midnight("--end", end)
        if last is not None and last < first:
            raise InvalidInput(f"--end {end} lies before --start {start}: give a later day, or none")
        if last is not None and last.date() == date.max:
            raise InvalidInput(f"--end {end} is the last day that there is: give an earlier one, or none")
        opened = open_workspace(settings)
        try:
            add_calendar_event(
                opened,
                actor_named(opened, settings.actor),
                title=title,
                start=first,
                end=None if last is None else last + timedelta(days=1),
                model_name=model,
            )
        finally:
            opened.close()
    except BigboardError as error:
        fail(str(error))
        raise typer.Exit(2) from error
    span = f"on {first:%d %b %Y}" if last is None else f"from {first:%d %b %Y} to {last:%d %b %Y}"
    console.print(
        f"Noted {title.strip()} {span} for {model or 'every model'}.", highlight=False, markup=False
    )


def _midnight(option: str, text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError as error:
        raise InvalidInput(f"{option} {text!r} is no day: write it like 2017-10-30") from error

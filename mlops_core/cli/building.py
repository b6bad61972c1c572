"""Build the demo with a progress bar that says what it does."""

import time

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from mlops_core.cli.output import console
from mlops_core.demo import BuildProgress, build_demo
from mlops_core.settings import Settings

__all__ = ["build_with_progress"]


def build_with_progress(settings: Settings, weeks: int | None) -> None:
    """Build the demo workspace; where no terminal is, print a line for each tenth."""
    began = time.monotonic()
    console.print(
        f"Building the demo in [bold]{settings.workspace}[/bold] from a year of real purchases "
        "(two to four minutes)"
    )
    if console.is_terminal:
        _with_bar(settings, weeks)
    else:
        _with_lines(settings, weeks)
    console.print(f"Built in {time.monotonic() - began:.0f} s.")


def _with_bar(settings: Settings, weeks: int | None) -> None:
    columns = (BarColumn(bar_width=30), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        build_demo(
            settings,
            weeks=weeks,
            report=lambda step: bar.update(
                task, total=step.total, completed=step.done, description=step.doing
            ),
        )


def _with_lines(settings: Settings, weeks: int | None) -> None:
    tenths: set[int] = set()

    def report(step: BuildProgress) -> None:
        tenth = 10 * step.done // step.total
        if tenth not in tenths:
            tenths.add(tenth)
            console.print(f"{10 * tenth:3d} % {step.doing}")

    build_demo(settings, weeks=weeks, report=report)

"""``bigboard evaluate``: predictions and targets in, performance out; no workspace needed."""

import json
import math
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from mlops_core.cli.options import JsonOption
from mlops_core.cli.output import console, fail
from mlops_core.domain.errors import BigboardError

if TYPE_CHECKING:
    from mlops_core.analysis.evaluation import Evaluation, Measured

__all__ = ["evaluate"]

_MOST_SHOWN = 50
_WIDE = 10_000
_SHOWN = {
    "binary": ("roc_auc", "average_precision", "f1", "accuracy", "log_loss", "brier"),
    "multiclass": ("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted"),
    "regression": ("mae", "rmse", "mape", "r_squared"),
}


def evaluate(
    file: Annotated[str, typer.Argument(help="Parquet or CSV file, glob in quotes, or Delta table.")],
    target: Annotated[str, typer.Option("--target", metavar="COL", help="What came out.")],
    prediction: Annotated[
        str | None, typer.Option("--prediction", metavar="COL", help="Predicted label or number.")
    ] = None,
    score: Annotated[
        str | None, typer.Option("--score", metavar="COL", help="Probability of the positive label.")
    ] = None,
    problem: Annotated[
        str | None, typer.Option("--problem", metavar="binary|multiclass|regression", help="Else guessed.")
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option("--segment", metavar="COL", help="Measure each value by itself, too.")
    ] = None,
    timestamp: Annotated[
        str | None, typer.Option("--timestamp", metavar="COL", help="Cut the rows by this column.")
    ] = None,
    every: Annotated[
        str | None, typer.Option("--every", metavar="day|week|month", help="How long a chunk of time is.")
    ] = None,
    positive: Annotated[
        str | None, typer.Option("--positive", metavar="LABEL", help="The label that counts as 1.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say how good predictions were, with 95 % intervals; exit 2 on bad input."""
    from mlops_core.analysis.evaluation import evaluate as measure

    try:
        found = measure(
            file,
            target=target,
            prediction=prediction,
            score=score,
            problem=problem,  # type: ignore[arg-type]  # checked there
            segments=segment or (),
            timestamp=timestamp,
            every=every,  # type: ignore[arg-type]
            positive=positive,
        )
    except BigboardError as error:
        fail(str(error))
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(json.dumps(found.to_dict(), allow_nan=False))
    else:
        _show(found)


def _show(found: "Evaluation") -> None:
    why = f", guessed: {found.guessed} (--problem says otherwise)" if found.guessed else ""
    console.print(f"A {found.problem} problem{why}.", markup=False, highlight=False)
    names = _SHOWN[found.problem]
    table = _table("Chunk", names)
    for chunk in found.chunks[:_MOST_SHOWN]:
        label = "all rows" if chunk.start is None else f"{chunk.start:%Y-%m-%d}"
        _add(table, label, chunk.measured, names)
    _print(table)
    if len(found.chunks) > _MOST_SHOWN:
        console.print(f"{len(found.chunks) - _MOST_SHOWN} more chunks: ask for --json.", highlight=False)
    for chunk in found.chunks[:_MOST_SHOWN]:
        for column, values in chunk.segments.items():
            heading = column if chunk.start is None else f"{column}, {chunk.start:%Y-%m-%d}"
            segments = _table(heading, names)
            for value, measured in list(values.items())[:_MOST_SHOWN]:
                _add(segments, value, measured, names)
            _print(segments)


def _table(first: str, names: tuple[str, ...]) -> Table:
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column(Text(first))
    for heading in ("Rows", "Known", *names):
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _print(table: Table) -> None:
    """Print every figure in full: a line that is too long is broken by the terminal, not cut."""
    Console(width=_WIDE).print(table, highlight=False)


def _add(table: Table, label: str, found: "Measured", names: tuple[str, ...]) -> None:
    from rich.text import Text

    share = "" if math.isnan(found.outcomes_share) else f"{found.outcomes_share:.0%}"
    cells = [_cell(found, name) for name in names]
    table.add_row(Text(label), f"{found.rows:,}", share, *cells)


def _cell(found: "Measured", name: str) -> str:
    value, limits = found.metrics[name], found.intervals[name]
    if math.isnan(value):
        return found.reasons.get(name, "")
    if math.isnan(limits.lower):
        return f"{value:.4g}"
    return f"{value:.4g} ({limits.lower:.3g}-{limits.upper:.3g})"

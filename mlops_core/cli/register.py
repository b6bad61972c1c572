"""`bigboard register`: a version from what is in hand after training."""

import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_core.cli.options import JsonOption, ServerOption, WorkspaceOption
from mlops_core.cli.registry_tables import asked, print_json, say
from mlops_core.domain.errors import InvalidInput

if TYPE_CHECKING:
    from mlops_core.api.registry_shapes import RegisteredShown
    from mlops_core.registry.cards import Card

__all__ = ["register"]

_CARD = ("intended_use", "limits", "protected_attributes", "considerations")


def register(
    model: Annotated[str, typer.Argument(help="Name of the model, which is there already.")],
    artefact: Annotated[
        Path, typer.Argument(help="The fitted estimator, saved with skops; or a file of any other format.")
    ],
    training: Annotated[
        str,
        typer.Option("--training", help="Rows it was trained on: a file or a warehouse table."),
    ],
    evaluation: Annotated[
        str, typer.Option("--evaluation", help="Rows it was not trained on, with their outcomes.")
    ],
    reference: Annotated[
        str | None, typer.Option("--reference", help="Rows to compare with later \\[default: --evaluation].")
    ] = None,
    predictions: Annotated[
        str | None,
        typer.Option(
            "--predictions", help="What it predicts for --evaluation; for formats other than skops."
        ),
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", help="Its input columns: a,b,c \\[default: the artefact's].")
    ] = None,
    outcome: Annotated[
        str, typer.Option("--outcome", metavar="COL", help="What the column of outcomes is called.")
    ] = "outcome",
    timestamp: Annotated[
        str | None,
        typer.Option(
            "--timestamp", metavar="COL", help="When a row was predicted \\[default: a usual name]."
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", metavar="NAME=VALUE", help="A metric of your own; repeatable."),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option("--card", help="TOML file: intended_use, limits, protected_attributes, considerations."),
    ] = None,
    as_json: JsonOption = False,
    server: ServerOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Register a model version; the held-out rows are scored by the artefact, in a process of its own.

    The same artefact and training rows give the same version. Exits with 2 on bad input.
    """
    with asked(workspace, server) as reached:
        registered = reached.register(
            model,
            artefact,
            training=training,
            evaluation=evaluation,
            reference=reference,
            predictions=predictions,
            columns=[name.strip() for name in columns.split(",")] if columns else (),
            outcome=outcome,
            timestamp=timestamp,
            metrics=dict(map(_metric, metric or ())),
            card=asdict(read_card(card)) if card is not None else None,
        )
    if as_json:
        print_json(_as_json(registered))
    else:
        _show(registered)


def read_card(file: Path) -> "Card":
    """Read a model card from a TOML file.

    Raises
    ------
    InvalidInput
        It cannot be read, or holds something else than a card does.
    """
    from mlops_core.registry.cards import Card

    try:
        found: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"the card {file} cannot be read: {error}") from error
    strange = sorted(set(found) - set(_CARD))
    if strange:
        raise InvalidInput(f"the card {file} holds {', '.join(strange)}: it may have {', '.join(_CARD)}")
    attributes = found.pop("protected_attributes", [])
    is_text = all(isinstance(value, str) for value in found.values())
    if not is_text or not isinstance(attributes, list) or not all(isinstance(one, str) for one in attributes):
        raise InvalidInput(
            f"the card {file}: protected_attributes is a list of names, everything else is text"
        )
    return Card(**found, protected_attributes=tuple(attributes))


def _metric(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        if not name.strip() or not equals:
            raise ValueError
        return name.strip(), float(value)
    except ValueError as error:
        raise InvalidInput(f"--metric '{text}' is not NAME=VALUE, like roc_auc=0.81") from error


def _as_json(registered: "RegisteredShown") -> dict[str, Any]:
    return {
        "model": registered.model,
        "version": registered.number,
        "is_new": registered.is_new,
        "stage": registered.stage,
        "estimator": registered.estimator,
        "artefact": registered.artefact_digest,
        "metrics": registered.measured,
        "notes": registered.notes,
    }


def _show(registered: "RegisteredShown") -> None:
    label = f"{registered.model}:{registered.number}"
    if registered.is_new:
        say(f"Registered {label}, a {registered.estimator}.", style="bold")
    else:
        say(f"{label} is this version already: the same artefact and training rows.", style="bold")
        say("Its metrics stay as they were registered; new evaluation rows and a new card were added to it.")
    rows = max((one.rows for one in registered.metrics), default=0)
    shown = ", ".join(f"{name} {value:.4g}" for name, value in registered.measured.items())
    if shown and registered.is_new:
        say(f"On {rows:,} evaluation rows: {shown}")
    for note in registered.notes:
        say(f"note: {note}", style="dim")
    say(f"Next: bigboard test {label}", style="dim")

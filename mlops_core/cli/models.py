"""`bigboard models`: which models there are, and where each stands."""

from typing import Annotated

import typer

from mlops_core.cli.options import JsonOption, ServerOption, WorkspaceOption
from mlops_core.cli.registry_tables import age, asked, print_json, print_table, say

__all__ = ["models"]

_ONLY_IN_API = {"latency_objective_ms", "created_at"}


def models(
    text: Annotated[
        str | None, typer.Argument(help="Words that the name, description, owner or a tag holds.")
    ] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Who owns it, by name.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="A tag that it has.")] = None,
    problem: Annotated[
        str | None, typer.Option("--problem", help="binary, multiclass, regression or clustering.")
    ] = None,
    as_json: JsonOption = False,
    server: ServerOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """List the models with their champion and their newest version; exit 2 on bad input."""
    with asked(workspace, server) as reached:
        from mlops_core.domain.errors import InvalidInput
        from mlops_core.domain.states import ProblemType

        if problem is not None and problem not in tuple(ProblemType):
            raise InvalidInput(f"there is no problem '{problem}': choose {', '.join(ProblemType)}")
        lines = reached.models(text=text, owner=owner, tag=tag, problem=problem)
        now = reached.health().now
    if as_json:
        print_json({"models": [line.model_dump(exclude=_ONLY_IN_API) for line in lines]})
        return
    if not lines:
        say("No model matches." if text or owner or tag or problem else "There is no model yet.")
        return
    print_table(
        ("Model", "Problem", "Champion", "Metric", "Newest", "Stage", "Age", "Versions", "Owner", "Tags"),
        ("Champion", "Newest", "Age", "Versions"),
        [
            (
                line.name,
                line.problem_type,
                f"v{line.champion}" if line.champion else "",
                f"{line.primary_metric} {line.champion_value:.4g}" if line.champion_value is not None else "",
                f"v{line.newest}" if line.newest else "",
                line.newest_stage or "",
                age(line.newest_at, now) if line.newest_at else "",
                f"{line.versions:,}",
                line.owner,
                ", ".join(line.tags),
            )
            for line in lines
        ],
    )

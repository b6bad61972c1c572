"""`bigboard versions`: the versions of a model, or of all, with their tests and their comparison."""

from typing import TYPE_CHECKING, Annotated

import typer

from mlops_core.cli.options import JsonOption, ServerOption, WorkspaceOption
from mlops_core.cli.registry_tables import age, asked, print_json, print_table, say

if TYPE_CHECKING:
    from mlops_core.api.versions import ComparisonInShort, TestsInShort, VersionInShort

__all__ = ["versions"]


def versions(
    model: Annotated[str | None, typer.Argument(help="Name of the model \\[default: all].")] = None,
    find: Annotated[
        str | None, typer.Option("--find", help="Words that its model, owner, tag or estimator holds.")
    ] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Who owns the model, by name.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="A tag of the model.")] = None,
    stage: Annotated[
        list[str] | None, typer.Option("--stage", help="Where it stands, like candidate; repeatable.")
    ] = None,
    tests: Annotated[
        str, typer.Option("--tests", help="How its newest run ended: passed, failed or untested.")
    ] = "any",
    verdict: Annotated[
        str | None,
        typer.Option("--verdict", help="Against the champion: better, worse, no_evidence, worse_in_segment."),
    ] = None,
    feature: Annotated[str | None, typer.Option("--feature", help="An input column.")] = None,
    metric_from: Annotated[float | None, typer.Option("--metric-from", help="Least primary metric.")] = None,
    metric_to: Annotated[float | None, typer.Option("--metric-to", help="Greatest primary metric.")] = None,
    order: Annotated[
        str, typer.Option("--order", help="activity, registered, model, metric or difference.")
    ] = "activity",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="How many to list.")] = 50,
    as_json: JsonOption = False,
    server: ServerOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """List versions with stage, metric, tests and verdict against the champion; exit 2 on bad input."""
    with asked(workspace, server) as reached:
        from mlops_core.domain.errors import InvalidInput
        from mlops_core.domain.states import Stage, Verdict
        from mlops_core.registry.version_query import ORDERS, TESTS

        for name, value, known in (
            *(("stage", one, tuple(Stage)) for one in stage or ()),
            ("verdict", verdict, (None, *Verdict)),
            ("tests", tests, TESTS),
            ("order", order, ORDERS),
        ):
            if value not in known:
                raise InvalidInput(f"there is no {name} '{value}': choose {', '.join(filter(None, known))}")
        page = reached.versions(
            model,
            text=find,
            owner=owner,
            tag=tag,
            stage=stage,
            tests=tests,
            verdict=verdict,
            metric_least=metric_from,
            metric_most=metric_to,
            feature=feature,
            order=order,
            limit=limit,
        )
        now = reached.health().now
    if as_json:
        lines = [line.model_dump(exclude={"tests": {"all_passed"}}) for line in page.versions]
        print_json({"total": page.total, "versions": lines})
        return
    if not page.total:
        say("No version matches.")
        return
    print_table(
        ("Version", "Stage", "Alias", "Metric", "Tests", "Against champion", "Age", "Author"),
        ("Age",),
        [
            (
                f"{line.model}:{line.number}",
                line.stage + (" (update)" if line.is_update else ""),
                ", ".join(_aliases(line)),
                _metric(line),
                _tests(line.tests),
                "" if line.is_champion else _comparison(line.comparison),
                age(line.created_at, now),
                line.author,
            )
            for line in page.versions
        ],
    )
    if page.total > len(page.versions):
        say(f"and {page.total - len(page.versions):,} more: ask for them with --limit", style="dim")


def _aliases(line: "VersionInShort") -> list[str]:
    named = (("champion", line.is_champion), ("challenger", line.is_challenger))
    return [name for name, holds in named if holds]


def _metric(line: "VersionInShort") -> str:
    return "" if line.primary is None else f"{line.primary_metric} {line.primary:.4g}"


def _tests(found: "TestsInShort | None") -> str:
    if found is None:
        return "not tested"
    bad = found.failed + found.errors
    if bad:
        return f"{bad} of {bad + found.passed} failed"
    return f"{found.passed} passed" if found.all_passed else found.state


def _comparison(found: "ComparisonInShort | None") -> str:
    if found is None:
        return "not compared"
    words = found.verdict.replace("_", " ") + (f" {found.segment}" if found.segment else "")
    if found.difference is None:
        return f"{words} than v{found.champion}" if found.verdict == "better" else words
    interval = "" if found.lower is None else f" ({found.lower:+.3g} to {found.upper:+.3g})"
    return f"{words}: {found.difference:+.3g}{interval} on v{found.champion}"

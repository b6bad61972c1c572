"""Whether a version was measured on rows that it was trained on."""

from collections.abc import Sequence
from typing import Final

from sqlmodel import col, select

from mlops_core.domain import Entity, Snapshot
from mlops_core.features import AS_OF
from mlops_core.registry.columns import OUTCOME
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.declared import Parameter, version_test
from mlops_core.version_tests.outcome import NotJudged, Outcome
from mlops_core.warehouse import quoted, warehouse_sql
from mlops_core.workspace import Workspace

__all__ = ["training_rows"]

_MOST_ALIKE: Final = 0.1


@version_test(
    "training_rows",
    title="Not measured on its training rows",
    parameters=[
        Parameter("share", 0.01, "share of evaluation rows that may be training rows", lowest=0, highest=1)
    ],
)
def training_rows(context: TestContext) -> Outcome:
    """Count the evaluation rows that are in a training snapshot, by entity and time, or else by their values.

    Rows are the same when both tables have the key of an entity and `as_of`, and these agree; otherwise when
    every input, and the outcome where training has it, agrees, missing values included. Where more than a
    tenth of the evaluation rows share their values with another one, values do not tell rows apart, and it is
    skipped.
    """
    source = context.workspace_source
    evaluation = context.evaluation_snapshot
    context.rows  # noqa: B018 - what cannot be read is said before DuckDB is asked
    if evaluation is None or not evaluation.rows:
        raise NotJudged("The version has no evaluation rows.")
    limit, lines, worst, by = context.number("share"), [], 0.0, ""
    for training in source.training_snapshots:
        same, words = _same_rows(context, source.workspace, evaluation, training)
        share = same / evaluation.rows
        lines.append([f"{training.table_name}@{training.version}", same, share, words])
        if share >= worst:
            worst, by = share, words
    if not lines:
        raise NotJudged("The version has no training snapshot.")
    passed = worst <= limit
    total = evaluation.rows
    sentence = (
        f"{worst:.1%} of {total:,} evaluation rows are training rows (by {by})."
        if worst
        else f"None of {total:,} evaluation rows is a training row (by {by})."
    )
    return Outcome.judged(
        passed,
        sentence,
        figure=worst,
        limit=limit,
        evidence={"columns": ["training snapshot", "rows in it", "share", "compared by"], "rows": lines},
    )


def _same_rows(
    context: TestContext, workspace: Workspace, evaluation: Snapshot, training: Snapshot
) -> tuple[int, str]:
    """Return how many evaluation rows are in a training snapshot, and by what that was told."""
    context.training([])  # says so when it was vacuumed
    key = _key(workspace, evaluation, training)
    if key is not None:
        columns, words = [key, AS_OF], f"{key} and {AS_OF}"
    else:
        columns = list(context.version.columns)
        missing = [name for name in columns if name not in training.columns or name not in evaluation.columns]
        if missing:
            raise NotJudged(f"Training and evaluation snapshot do not both have column {missing[0]}.")
        has_outcome = OUTCOME in training.columns and OUTCOME in evaluation.columns
        columns += [OUTCOME] if has_outcome else []
        words = "all inputs and the outcome" if has_outcome else "all inputs"
    files = {
        "evaluation": workspace.warehouse.files(evaluation.table_name, version=evaluation.version),
        "training": workspace.warehouse.files(training.table_name, version=training.version),
    }
    with warehouse_sql() as connection:
        if key is None:
            distinct = connection.execute(
                _distinct_sql(columns), {"evaluation": files["evaluation"]}
            ).fetchone()
            alike = 1.0 - (distinct[0] if distinct else 0) / evaluation.rows
            if alike > _MOST_ALIKE:
                raise NotJudged(
                    f"{alike:.0%} of the evaluation rows have the values of another one, so rows cannot be "
                    f"told apart: give both tables the key of an entity and {AS_OF}."
                )
        found = connection.execute(_same_sql(columns), files).fetchone()
    return (int(found[0]) if found else 0), words


def _key(workspace: Workspace, *snapshots: Snapshot) -> str | None:
    """Return the key of an entity that all snapshots have beside `as_of`, None where there is none."""
    if any(AS_OF not in snapshot.columns for snapshot in snapshots):
        return None
    with workspace.store.read() as session:
        keys = session.exec(select(Entity.key_column).order_by(col(Entity.id))).all()
    return next((key for key in keys if all(key in snapshot.columns for snapshot in snapshots)), None)


def _distinct_sql(columns: Sequence[str]) -> str:
    names = ", ".join(map(quoted, columns))
    return f"SELECT count(*) FROM (SELECT DISTINCT {names} FROM read_parquet($evaluation))"  # noqa: S608 - quoted


def _same_sql(columns: Sequence[str]) -> str:
    same = "\n    AND ".join(f"e.{name} IS NOT DISTINCT FROM t.{name}" for name in map(quoted, columns))
    return f"""
SELECT count(*)
FROM read_parquet($evaluation) AS e
SEMI JOIN read_parquet($training) AS t
    ON {same}
"""  # noqa: S608 - the names are quoted

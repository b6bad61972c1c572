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

_MOST_ALIKE: Final = 0.5


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
    every input, and the outcome where training has it, agrees, missing values included. Values that several
    rows of either table share do not tell which row is which, and are left out; where more than half of the
    evaluation rows are such, it is skipped.
    """
    source = context.workspace_source
    evaluation = context.evaluation_snapshot
    context.rows  # noqa: B018 - what cannot be read is said before DuckDB is asked
    if evaluation is None or not evaluation.rows:
        raise NotJudged("The version has no evaluation rows.")
    limit, lines, worst, by = context.number("share"), [], 0.0, ""
    total = evaluation.rows
    for training in source.training_snapshots:
        same, compared, words = _same_rows(context, source.workspace, evaluation, training)
        share = same / compared
        lines.append([f"{training.table_name}@{training.version}", same, compared, share, words])
        if share >= worst:
            worst, total, by = share, compared, words
    if not lines:
        raise NotJudged("The version has no training snapshot.")
    passed = worst <= limit
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
        evidence={
            "columns": ["training snapshot", "rows in it", "of", "share", "compared by"],
            "rows": lines,
        },
    )


def _same_rows(
    context: TestContext, workspace: Workspace, evaluation: Snapshot, training: Snapshot
) -> tuple[int, int, str]:
    """Return how many evaluation rows are in a training snapshot, of how many, and by what that was told."""
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
        found = connection.execute(_same_sql(columns, told_apart=key is not None), files).fetchone()
    same, compared = found if found is not None else (0, 0)
    if compared < (1.0 - _MOST_ALIKE) * evaluation.rows:
        raise NotJudged(
            f"{1 - compared / evaluation.rows:.0%} of the evaluation rows have the values of another one, so "
            f"rows cannot be told apart: give both tables the key of an entity and {AS_OF}."
        )
    return int(same), int(compared), words


def _key(workspace: Workspace, *snapshots: Snapshot) -> str | None:
    """Return the key of an entity that all snapshots have beside `as_of`, None where there is none."""
    if any(AS_OF not in snapshot.columns for snapshot in snapshots):
        return None
    with workspace.store.read() as session:
        keys = session.exec(select(Entity.key_column).order_by(col(Entity.id))).all()
    return next((key for key in keys if all(key in snapshot.columns for snapshot in snapshots)), None)


def _same_sql(columns: Sequence[str], *, told_apart: bool) -> str:
    """Return a query for the evaluation rows that are in training, and how many were compared.

    Parameters
    ----------
    told_apart
        Whether the columns tell rows apart by themselves; otherwise values that occur twice are left out.
    """
    names = ", ".join(map(quoted, columns))
    same = " AND ".join(f"e.{name} IS NOT DISTINCT FROM t.{name}" for name in map(quoted, columns))
    once = "" if told_apart else f"GROUP BY {names} HAVING count(*) = 1"
    return f"""
WITH
    e AS (SELECT {names} FROM read_parquet($evaluation) {once}),
    t AS (SELECT {names} FROM read_parquet($training) {once})
SELECT
    (SELECT count(*) FROM e SEMI JOIN t ON {same}),
    (SELECT count(*) FROM e)
"""  # noqa: S608 - the names are quoted

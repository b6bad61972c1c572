"""Questions to the files of a model's logs: which days, which versions, which outcomes are known.

The files of a prediction log may differ in their columns, because versions of a model do.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from mlops_core.monitoring.logs import KNOWN_AT, OUTCOME, PREDICTION_ID, VERSION
from mlops_core.monitoring.windows import Window
from mlops_core.registry.columns import PREDICTED_AT
from mlops_core.slices import MISSING
from mlops_core.warehouse import quoted, warehouse_sql

__all__ = [
    "Days",
    "LoggedRows",
    "days_with_outcomes",
    "known_outcomes",
    "latest_by_day",
    "predictions_in",
]

Days = dict[int, set[datetime]]
"""Days, each by its midnight in UTC, by version number."""

_DAY = timedelta(days=1)


def latest_by_day(files: Sequence[str]) -> dict[int, dict[datetime, datetime]]:
    """Return, by version and day, when the last prediction in some files was made."""
    query = f"""
SELECT {VERSION}, date_trunc('day', {PREDICTED_AT}) AS day, max({PREDICTED_AT})
FROM read_parquet($files, union_by_name = true)
GROUP BY ALL
"""  # noqa: S608 - the names are our own constants
    with warehouse_sql() as connection:
        rows = connection.execute(query, {"files": list(files)}).fetchall()
    latest: dict[int, dict[datetime, datetime]] = defaultdict(dict)
    for number, day, moment in rows:
        latest[number][day.astimezone(UTC)] = moment.astimezone(UTC)
    return latest


def days_with_outcomes(
    predictions: Sequence[str], outcomes: Sequence[str], known_before: Sequence[str] | None = None
) -> Days:
    """Return the days of the predictions in some files whose outcome is in some others.

    Parameters
    ----------
    known_before
        When given, only those count whose outcome is in these files too: it was logged again.
    """
    touched: Days = defaultdict(set)
    if not predictions or not outcomes or known_before == []:
        return touched
    again = f"SEMI JOIN read_parquet($before) AS b USING ({PREDICTION_ID})" if known_before else ""
    query = f"""
SELECT DISTINCT p.{VERSION}, date_trunc('day', p.{PREDICTED_AT}) AS day
FROM read_parquet($predictions, union_by_name = true) AS p
SEMI JOIN (SELECT DISTINCT o.{PREDICTION_ID} FROM read_parquet($outcomes) AS o {again}) AS o
    USING ({PREDICTION_ID})
"""  # noqa: S608 - the names are our own constants
    files = {"predictions": list(predictions), "outcomes": list(outcomes)}
    with warehouse_sql() as connection:
        rows = connection.execute(
            query, files | ({"before": list(known_before)} if known_before else {})
        ).fetchall()
    for number, day in rows:
        touched[number].add(day.astimezone(UTC))
    return touched


def outcomes_that_arrived(
    predictions: Sequence[str],
    outcomes: Sequence[str],
    number: int,
    without: Iterable[datetime],
    columns: Sequence[str],
) -> list[pa.RecordBatch]:
    """Return one version's predictions whose outcome is in a few files, those of some days left out.

    As `known_outcomes`, but at the cost of the few outcomes rather than of all days that they touch.
    """
    wanted = "".join(f", p.{quoted(column)}" for column in columns)
    query = f"""
SELECT p.{PREDICTED_AT}, o.{OUTCOME}{wanted}
FROM read_parquet($predictions, union_by_name = true) AS p
JOIN (
    SELECT {PREDICTION_ID}, arg_max({OUTCOME}, ({KNOWN_AT}, {OUTCOME})) AS {OUTCOME}
    FROM read_parquet($outcomes)
    WHERE {OUTCOME} IS NOT NULL
    GROUP BY {PREDICTION_ID}
) AS o USING ({PREDICTION_ID})
WHERE p.{VERSION} = $number
    AND NOT list_contains($without::TIMESTAMPTZ[], date_trunc('day', p.{PREDICTED_AT}))
"""  # noqa: S608 - the names are our own constants, or quoted
    with warehouse_sql() as connection:
        table: pa.Table = connection.execute(
            query,
            {
                "predictions": list(predictions),
                "outcomes": list(outcomes),
                "number": number,
                "without": sorted(without),
            },
        ).to_arrow_table()
    batches: list[pa.RecordBatch] = table.to_batches()
    return batches


def known_outcomes(
    predictions: Sequence[str],
    outcomes: Sequence[str],
    number: int,
    days: Iterable[datetime],
    columns: Sequence[str],
) -> list[pa.RecordBatch]:
    """Return one version's predictions of some days whose outcome is known, with the outcome known last.

    `columns` are those of the prediction log to return beside the time and the outcome.

    Of two outcomes that became known at the same moment the larger one counts, in whatever order they came.
    """
    days = sorted(days)
    wanted = "".join(f", p.{quoted(column)}" for column in columns)
    query = f"""
WITH chosen AS MATERIALIZED (
    SELECT p.{PREDICTION_ID}, p.{PREDICTED_AT}{wanted}
    FROM read_parquet($predictions, union_by_name = true) AS p
    WHERE p.{VERSION} = $number
        AND p.{PREDICTED_AT} >= $start AND p.{PREDICTED_AT} < $end
        AND list_contains($days, date_trunc('day', p.{PREDICTED_AT}))
), known AS (
    SELECT {PREDICTION_ID}, arg_max({OUTCOME}, ({KNOWN_AT}, {OUTCOME})) AS {OUTCOME}
    FROM read_parquet($outcomes) AS o
    SEMI JOIN chosen USING ({PREDICTION_ID})
    WHERE {OUTCOME} IS NOT NULL
    GROUP BY {PREDICTION_ID}
)
SELECT * EXCLUDE ({PREDICTION_ID}) FROM chosen JOIN known USING ({PREDICTION_ID})
"""  # noqa: S608 - the names are our own constants, or quoted
    with warehouse_sql() as connection:
        table: pa.Table = connection.execute(
            query,
            {
                "predictions": list(predictions),
                "outcomes": list(outcomes),
                "number": number,
                "start": days[0],
                "end": days[-1] + _DAY,
                "days": days,
            },
        ).to_arrow_table()
    batches: list[pa.RecordBatch] = table.to_batches()
    return batches


@dataclass(frozen=True, slots=True)
class LoggedRows:
    """Rows of a prediction log, all of them or a sample, and how many there are."""

    rows: pa.Table
    total: int


def predictions_in(
    files: Sequence[str],
    number: int,
    window: Window,
    columns: Sequence[str],
    *,
    segment: str = "",
    most: int,
) -> LoggedRows:
    """Return what one version predicted in a window, the columns asked for alone.

    Parameters
    ----------
    segment
        `column=value`, empty for all rows.
    most
        Of more rows, a sample of so many, the same each time.
    """
    if not files:
        return LoggedRows(pa.table({column: pa.nulls(0) for column in columns}), 0)
    wanted = ", ".join(f"p.{quoted(column)}" for column in dict.fromkeys(columns))
    where = f"p.{VERSION} = $number AND p.{PREDICTED_AT} >= $start AND p.{PREDICTED_AT} < $end"
    values = {"files": list(files), "number": number, "start": window.start, "end": window.end}
    if segment:
        column, _, value = segment.partition("=")
        where += f" AND coalesce(CAST(p.{quoted(column)} AS VARCHAR), $missing) = $value"
        values |= {"value": value, "missing": MISSING}
    source = f"FROM read_parquet($files, union_by_name = true) AS p WHERE {where}"
    with warehouse_sql() as connection:
        total = connection.execute(f"SELECT count(*) {source}", values).fetchall()[0][0]
        sampled = (
            f"ORDER BY hash(p.{PREDICTION_ID}), p.{PREDICTION_ID} LIMIT {most:d}" if total > most else ""
        )
        rows: pa.Table = connection.execute(
            f"SELECT {wanted} {source} {sampled}",
            values,
        ).to_arrow_table()
    return LoggedRows(rows, int(total))


def news_of(outcomes: pa.Table, logged: Sequence[str]) -> pa.Table:
    """Return the outcomes that differ from what some files of the outcome log know last, or are not there."""
    if not logged or not outcomes.num_rows:
        return outcomes
    query = f"""
SELECT new.*
FROM outcomes AS new
ANTI JOIN (
    SELECT {PREDICTION_ID}, arg_max({OUTCOME}, ({KNOWN_AT}, {OUTCOME})) AS {OUTCOME}
    FROM read_parquet($logged) AS old
    SEMI JOIN outcomes AS asked USING ({PREDICTION_ID})
    GROUP BY {PREDICTION_ID}
) AS known USING ({PREDICTION_ID}, {OUTCOME})
"""  # noqa: S608 - the names are our own constants
    with warehouse_sql() as connection:
        connection.register("outcomes", outcomes)
        news: pa.Table = connection.execute(query, {"logged": list(logged)}).to_arrow_table()
    return news.cast(outcomes.schema)

"""A sample of the rows that a version has predicted on in a window, or of those of its reference."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from mlops_core.domain import Model, ModelVersion
from mlops_core.domain.states import LogKind
from mlops_core.monitoring.logs import PREDICTION_ID, VERSION, log_table
from mlops_core.monitoring.windows import Window
from mlops_core.registry.columns import PREDICTED_AT
from mlops_core.slices.arrow_columns import MISSING
from mlops_core.warehouse import quoted, warehouse_sql
from mlops_core.workspace import Workspace

__all__ = ["Sample", "logged_columns", "rows_in_segment", "sample_log"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows, and how many they stand for."""

    rows: pa.Table
    total: int


def logged_columns(workspace: Workspace, model: Model) -> list[str]:
    """Return the columns of a model's prediction log, nothing before the first prediction."""
    table = log_table(model, LogKind.PREDICTIONS)
    return list(workspace.warehouse.schema(table).names) if workspace.warehouse.exists(table) else []


def sample_log(
    workspace: Workspace,
    model: Model,
    version: ModelVersion,
    window: Window,
    columns: Sequence[str],
    *,
    segment: str = "",
    most: int,
) -> Sample:
    """Return at most `most` of a version's predictions in a window, each day and segment with its share.

    A systematic sample in the order of day, segment columns and a hash of the id: the same log gives the same
    rows. Only the rows that were chosen are read with all their columns.

    Parameters
    ----------
    columns
        Those of the log to return beside `predicted_at`.
    segment
        `column=value`, or empty for all rows.
    """
    log = log_table(model, LogKind.PREDICTIONS)
    files = workspace.warehouse.files(log)
    strata = [quoted(one) for one in model.segment_columns if one in workspace.warehouse.schema(log).names]
    name, _, value = segment.partition("=")
    inside = f"AND coalesce(CAST({quoted(name)} AS VARCHAR), $missing) = $value" if segment else ""
    wanted = ", ".join(quoted(one) for one in dict.fromkeys([PREDICTED_AT, *columns]))
    query = f"""
WITH ordered AS (
    SELECT
        {PREDICTION_ID},
        row_number() OVER (ORDER BY {", ".join(["date_trunc('day', " + PREDICTED_AT + ")", *strata])},
            hash({PREDICTION_ID}), {PREDICTION_ID}) - 1 AS place,
        count(*) OVER () AS total
    FROM read_parquet($files, union_by_name = true)
    WHERE {VERSION} = $number AND {PREDICTED_AT} >= $start AND {PREDICTED_AT} < $end {inside}
), chosen AS (
    SELECT {PREDICTION_ID}, total FROM ordered
    WHERE total <= $most OR ((place + 1) * $most) // total > (place * $most) // total
)
SELECT chosen.total, {wanted}
FROM read_parquet($files, union_by_name = true) AS log JOIN chosen USING ({PREDICTION_ID})
ORDER BY {PREDICTED_AT}, {PREDICTION_ID}
"""  # noqa: S608 - the names are our own constants, or quoted
    given = {
        "files": files,
        "number": version.number,
        "start": window.start,
        "end": window.end,
        "most": most,
    }
    with warehouse_sql() as connection:
        rows = connection.execute(
            query, given | ({"missing": MISSING, "value": value} if segment else {})
        ).to_arrow_table()
    total = rows.column(0)[0].as_py() if rows.num_rows else 0
    return Sample(rows.remove_column(0), total)


def rows_in_segment(rows: pa.Table, segment: str) -> pa.Table:
    """Return the rows of a segment `column=value`; all rows for the empty one."""
    if not segment:
        return rows
    name, _, value = segment.partition("=")
    texts = pc.fill_null(rows[name].cast(pa.string()), MISSING)
    return rows.filter(pc.equal(texts, value))

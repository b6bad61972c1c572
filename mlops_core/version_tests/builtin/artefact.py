"""Whether the artefact loads and answers, apart from everything else, within time and memory."""

from typing import Final

import pyarrow as pa

from mlops_core.domain.errors import ScoringError
from mlops_core.scoring import Limits, open_model
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.declared import Parameter, version_test
from mlops_core.version_tests.outcome import NotJudged, Outcome

__all__ = ["artefact"]

_MIB: Final = 1024**2


@version_test(
    "artefact",
    title="Loads and answers on its own",
    parameters=[
        Parameter("seconds", 30.0, "seconds to load it, and again to answer", lowest=0.01, highest=3600),
        Parameter("memory_mib", 2048, "MiB of memory that it may use", lowest=16, highest=1_048_576),
        Parameter("rows", 100, "rows that it is asked for", lowest=1, highest=100_000),
    ],
)
def artefact(context: TestContext) -> Outcome:
    """Load the artefact in a clean process with limits of time and memory, and ask it for some rows."""
    source = context.workspace_source
    if not source.can_be_asked:
        raise NotJudged(
            f"An artefact in the format '{context.version.artefact_format}' cannot be asked here."
        )
    seconds, memory = context.number("seconds"), int(context.number("memory_mib"))
    limits = Limits(seconds=seconds, load_seconds=seconds, memory_bytes=memory * _MIB)
    rows = _some_rows(context)
    answered, warnings = 0.0, tuple[str, ...]()
    try:
        with open_model(source.workspace, context.version, limits=limits) as model:
            loaded, warnings = model.load_seconds, model.warnings
            if rows is not None:
                answered = model.predict(rows).seconds
    except ScoringError as error:
        source.give_up(error)
        return Outcome.judged(False, f"{_upper(error)}.", limit=seconds, evidence={"trace": [str(error)]})
    took = max(loaded, answered)
    asked = f" and answered {rows.num_rows:,} rows in {answered:.2f} s" if rows is not None else ""
    return Outcome.judged(
        True,
        f"It loaded in {loaded:.2f} s{asked}; it may take {seconds:g} s and {memory:,} MiB.",
        figure=took,
        limit=seconds,
        evidence={
            "facts": {
                "format": context.version.artefact_format,
                "bytes": context.version.artefact_bytes,
                "seconds to load": loaded,
                "seconds to answer": answered if rows is not None else None,
                "rows": rows.num_rows if rows is not None else 0,
            }
            | ({"warnings": "; ".join(warnings)} if warnings else {})
        },
    )


def _some_rows(context: TestContext) -> pa.Table | None:
    """Return rows to ask for, of the evaluation or else the training snapshot; None where there are none."""
    columns = list(context.version.columns)
    for place in ("evaluation", "training"):
        try:
            rows = context.rows if place == "evaluation" else context.training(columns)
        except NotJudged:
            continue
        if rows.num_rows and set(columns) <= set(rows.column_names):
            return rows.slice(0, int(context.number("rows")))
    return None


def _upper(error: ScoringError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]

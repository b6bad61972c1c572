"""Count a source into slices, with the engine that was chosen."""

from mlops_core.domain.errors import InvalidInput
from mlops_core.feeders.sources import Source, batches_of
from mlops_core.settings import ENGINES, Settings
from mlops_core.slices import Slice, SliceKey, SlicePlan, build_slices

__all__ = ["count_slices"]


def count_slices(source: Source, plan: SlicePlan, settings: Settings | None = None) -> dict[SliceKey, Slice]:
    """Count every row of a source into the slices that it belongs to.

    Counts are the same with every engine, sums differ by rounding.

    Parameters
    ----------
    source
        Parquet files, or a query.
    plan
        What to count.
    settings
        Name the engine, and where Spark runs; read from the environment when None.

    Returns
    -------
    dict
        The slices that hold at least one row, as `build_slices` returns them.

    Raises
    ------
    SchemaMismatch
        If a column is missing or of the wrong type, a time is null, or files do not fit each other.
    InvalidInput
        If files are missing or damaged, a query fails, a segment column has too many values, a time is
        outside the years 1 to 9999, or there is no such engine.
    EngineError
        If Spark was chosen and is not installed, does not start, or fails.
    """
    settings = settings or Settings()
    match settings.engine:
        case "local":
            return build_slices(batches_of(source, plan), plan)
        case "spark":
            from mlops_core.feeders.spark import count_on_spark

            return count_on_spark(source, plan, settings.spark_master)
        case other:
            raise InvalidInput(f"engine '{other}' is unknown: choose {' or '.join(ENGINES)}")

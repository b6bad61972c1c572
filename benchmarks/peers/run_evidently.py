"""Evidently's drift preset: one statistic for each column, which Evidently chooses by kind and size."""

import sys

from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
from peer import CATEGORICAL, NUMERIC, frames, measure

first, second = frames(sys.argv[1])
definition = DataDefinition(numerical_columns=NUMERIC, categorical_columns=CATEGORICAL)
reference, current = (Dataset.from_pandas(frame, data_definition=definition) for frame in (first, second))


def drift() -> object:
    """Run the preset and read its figures."""
    return Report([DataDriftPreset()]).run(current, reference).dict()


measure(drift)

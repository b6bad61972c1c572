"""NannyML's univariate drift, all its methods: fitted on the first half, weekly chunks of the second."""

import sys

import nannyml
from peer import CATEGORICAL, COLUMNS, TIME, frames, measure

first, second = frames(sys.argv[1], time_column=True)


def drift() -> object:
    """Fit on the reference and calculate the chunks."""
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=COLUMNS,
        treat_as_categorical=CATEGORICAL,
        timestamp_column_name=TIME,
        chunk_period="W",
        continuous_methods=["kolmogorov_smirnov", "jensen_shannon", "wasserstein", "hellinger"],
        categorical_methods=["chi2", "jensen_shannon", "l_infinity", "hellinger"],
    )
    return calculator.fit(first).calculate(second).to_df()


measure(drift)

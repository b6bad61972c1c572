"""alibi-detect's tabular drift: Kolmogorov-Smirnov for numbers, chi-squared for categories."""

import sys

import numpy as np
from alibi_detect.cd import TabularDrift
from peer import CATEGORICAL, NUMERIC, frames, measure

arrays = []
for frame in frames(sys.argv[1]):  # it takes one matrix, without nulls
    numbers = frame[NUMERIC].fillna(frame[NUMERIC].median()).to_numpy()
    codes = np.column_stack([frame[name].cat.codes.to_numpy(np.float64) for name in CATEGORICAL])
    arrays.append(np.hstack([numbers, codes]))
first, second = arrays
sizes = {len(NUMERIC) + place: None for place in range(len(CATEGORICAL))}


def drift() -> object:
    """Compare the two matrices."""
    return TabularDrift(first, p_val=0.05, categories_per_feature=sizes).predict(second)


measure(drift)

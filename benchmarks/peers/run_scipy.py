"""What a data scientist writes with scipy: a loop over the columns, each half compared with the other."""

import sys

import numpy as np
import pandas as pd
from peer import CATEGORICAL, NUMERIC, frames, measure
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

first, second = frames(sys.argv[1])


def drift() -> object:
    """Compare column by column."""
    found = {}
    for name in NUMERIC:
        before, after = (frame[name].dropna().to_numpy() for frame in (first, second))
        edges = np.unique(np.quantile(before, np.linspace(0, 1, 11)))[1:-1]
        shares = [
            np.bincount(np.searchsorted(edges, values, "right"), minlength=len(edges) + 1) / len(values)
            for values in (before, after)
        ]
        low, high = (np.maximum(share, 1e-4) for share in shares)
        found[name] = (
            ks_2samp(before, after, method="asymp"),
            wasserstein_distance(before, after),
            float(np.sum((high - low) * np.log(high / low))),
            jensenshannon(*shares, base=2),
        )
    for name in CATEGORICAL:
        counts = pd.concat([frame[name].value_counts() for frame in (first, second)], axis=1).fillna(0)
        both = counts.to_numpy()
        both = both[both.sum(axis=1) > 0]
        found[name] = chi2_contingency(both), jensenshannon(both[:, 0], both[:, 1], base=2)
    return found


measure(drift)

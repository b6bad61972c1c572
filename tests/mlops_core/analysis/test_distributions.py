import numpy as np
import pandas as pd
import pytest

from mlops_core.analysis.drift import drift


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).normal(size=20_000),
        np.random.default_rng(2).poisson(40, 20_000).astype(float),
        np.random.default_rng(3).lognormal(0, 2, 20_000),
    ],
)
def test_the_bars_of_a_histogram_hold_the_rows_that_numpy_puts_there(values):
    whole = (values == np.round(values)).all()
    later = values[:5_000] + 4 if whole else values[:5_000] * 1.1
    (found,) = drift(pd.DataFrame({"x": values}), pd.DataFrame({"x": later})).columns
    shown = found.distribution
    for rows, shares in ((values, shown.reference), (later, shown.current)):
        expected = np.histogram(rows, shown.edges)[0] / len(rows)
        assert np.array(shares) == pytest.approx(expected, abs=0.01)


def test_few_values_have_a_bar_each():
    rows = pd.DataFrame({"x": [0, 0, 1, 2], "y": ["a", "b", "b", None]})
    x, y = drift(rows, rows).columns
    assert dict(zip(x.distribution.labels, x.distribution.current, strict=True)) == {
        "0": 0.5,
        "1": 0.25,
        "2": 0.25,
    }
    assert dict(zip(y.distribution.labels, y.distribution.reference, strict=True)) == {
        "b": 0.5,
        "a": 0.25,
        "(missing)": 0.25,
    }

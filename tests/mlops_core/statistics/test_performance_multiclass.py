import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from mlops_core.statistics import PERFORMANCE_STATISTICS
from tests.mlops_core.statistics.counting import outcomes


def averaged(function, average):
    return lambda y, p: function(y, p, average=average, zero_division=0)


MULTICLASS = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    **{
        f"{name}_{average}": averaged(function, average)
        for average in ("macro", "weighted")
        for name, function in (
            ("precision", metrics.precision_score),
            ("recall", metrics.recall_score),
            ("f1", metrics.f1_score),
        )
    },
}
ROWS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcde")), min_size=1)


@pytest.mark.filterwarnings("ignore:y_pred contains classes:UserWarning")  # some rows are made to hold them
@pytest.mark.parametrize("name", MULTICLASS)
@given(ROWS)
def test_a_multiclass_statistic_is_that_of_scikit_learn(name, rows):
    actual, predicted = zip(*rows, strict=True)
    found = PERFORMANCE_STATISTICS[name].compute(outcomes(predicted, actual, "multiclass"))
    assert found == pytest.approx(MULTICLASS[name](actual, predicted))


def test_classes_of_parts_are_united():
    first, second = outcomes(["a"], ["b"], "multiclass"), outcomes(["c", "a"], ["c", "a"], "multiclass")
    both = first.merge(second)
    assert both.classes == ("a", "b", "c")
    expected = metrics.confusion_matrix(["b", "c", "a"], ["a", "c", "a"])
    assert np.array_equal(both.confusion, expected)

import math

import pytest

from mlops_core.domain.errors import InvalidInput
from mlops_core.statistics import (
    DRIFT_STATISTICS,
    PERFORMANCE_STATISTICS,
    QUALITY_STATISTICS,
    drift_statistic,
    performance_statistic,
    population_stability_index,
    quality_statistic,
    rmse,
)


def test_the_registries_name_what_there_is():
    assert set(DRIFT_STATISTICS) == {
        "psi",
        "jensen_shannon",
        "hellinger",
        "kolmogorov_smirnov",
        "kolmogorov_smirnov_p_value",
        "wasserstein",
        "wasserstein_normalised",
        "l_infinity",
        "chi_squared",
        "chi_squared_p_value",
    }
    assert set(QUALITY_STATISTICS) == {"null_share", "infinite_share", "out_of_range_share", "unseen_share"}
    assert {"accuracy", "roc_auc", "log_loss", "brier", "rmse", "mae"} <= set(PERFORMANCE_STATISTICS)
    assert DRIFT_STATISTICS["psi"].function is population_stability_index
    assert PERFORMANCE_STATISTICS["rmse"].function is rmse


@pytest.mark.parametrize("registry", [DRIFT_STATISTICS, QUALITY_STATISTICS, PERFORMANCE_STATISTICS])
def test_every_statistic_says_what_it_is_and_where_it_comes_from(registry):
    for name, statistic in registry.items():
        assert statistic.name == name
        assert statistic.summary
        assert statistic.reference


def test_the_registries_cannot_be_written_to():
    for registry in (DRIFT_STATISTICS, QUALITY_STATISTICS, PERFORMANCE_STATISTICS):
        with pytest.raises(TypeError):
            registry["mine"] = None


def test_a_name_is_given_once():
    with pytest.raises(InvalidInput, match="'psi' is registered already"):
        drift_statistic("psi", kinds={"numeric"}, lower=0.0, upper=1.0, reference="mine")
    with pytest.raises(InvalidInput, match="'mae' is registered already"):
        performance_statistic("mae", problem_types={"regression"}, higher_is_better=False, reference="mine")


def test_p_values_alone_fall_with_drift():
    falling = {name for name, statistic in DRIFT_STATISTICS.items() if not statistic.higher_is_drift}
    assert falling == {"kolmogorov_smirnov_p_value", "chi_squared_p_value"}


def test_a_quality_statistic_is_named_once_and_of_a_known_kind():
    with pytest.raises(InvalidInput, match="'null_share' is registered already"):
        quality_statistic("null_share", kinds={"numeric"}, lower=0.0, upper=1.0, reference="mine")
    with pytest.raises(InvalidInput, match="choose among numeric, categorical"):
        quality_statistic("mine", kinds={"image"}, lower=0.0, upper=1.0, reference="mine")


def test_a_kind_must_be_known():
    for kinds in (set(), {"image"}):
        with pytest.raises(InvalidInput, match="choose among numeric, categorical"):
            drift_statistic("mine", kinds=kinds, lower=0.0, upper=math.inf, reference="mine")
    with pytest.raises(InvalidInput, match="choose among binary, multiclass, regression"):
        performance_statistic("mine", problem_types={"ranking"}, higher_is_better=True, reference="mine")

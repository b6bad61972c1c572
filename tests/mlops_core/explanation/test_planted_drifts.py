"""The small version of benchmarks/planted_drifts.py: the same drifts, in customers that were made up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from benchmarks.drifts_to_plant import DRIFTS, Case
from benchmarks.planted_drifts import Bench
from mlops_core.analysis import domain_classifier
from mlops_core.domain.states import ProblemType
from mlops_core.explanation.together import tell_windows_apart

MONDAY = datetime(2025, 1, 6, tzinfo=UTC)
COLUMNS = ["spend", "baskets", "discount_share", "age", "income"]
BANDS = ["19-24", "25-34", "35-44", "45-54", "55+"]


def customers(rows, *, start, weeks, seed):
    """Spend follows baskets and income; many have bought nothing."""
    random = np.random.default_rng(seed)
    baskets = random.negative_binomial(2, 0.25, rows)
    income = random.choice(["low", "middle", "high"], rows, p=[0.3, 0.5, 0.2])
    size = np.select([income == "low", income == "middle"], [9.0, 14.0], 22.0)
    at = np.sort(random.integers(0, weeks * 7 * 86_400, rows))
    return pd.DataFrame(
        {
            "prediction_id": [f"{seed}-{number}" for number in range(rows)],
            "predicted_at": pd.to_datetime([start + timedelta(seconds=int(one)) for one in at], utc=True),
            "latency_ms": random.lognormal(2, 0.5, rows),
            "spend": np.round(baskets * size * random.lognormal(0, 0.4, rows), 2),
            "baskets": baskets,
            "discount_share": random.beta(2, 9, rows),
            "age": random.choice(BANDS, rows, p=[0.1, 0.2, 0.25, 0.25, 0.2]),
            "income": income,
        }
    )


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    reference = customers(4_000, start=MONDAY - timedelta(weeks=13), weeks=12, seed=1)
    log = customers(4_000, start=MONDAY, weeks=8, seed=2)
    text = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["age", "income"]),
        remainder="passthrough",
    )
    next_spend = 0.6 * reference["spend"] + 2 * reference["baskets"]
    estimator = make_pipeline(text, LinearRegression()).fit(reference[COLUMNS], next_spend)
    case = Case(
        name="next-spend",
        problem=ProblemType.REGRESSION,
        metric="rmse",
        estimator=estimator,
        columns=COLUMNS,
        segments=["income"],
        importance={"spend": 1.0, "baskets": 0.4, "discount_share": 0.1, "age": 0.2, "income": 0.1},
        reference=reference.drop(columns=["prediction_id", "latency_ms"]),
        log=log,
        number="spend",
        other="baskets",
        text="age",
        segment="income",
    )
    scored = replace(case, reference=case.scored(case.reference), log=case.scored(case.log))
    return Bench(scored, tmp_path_factory.mktemp("planted"))


@pytest.fixture(autouse=True)
def fewer_permutations(monkeypatch):
    monkeypatch.setitem(domain_classifier.tell_apart.__kwdefaults__, "repeats", 19)


@pytest.mark.parametrize("drift", DRIFTS)
def test_a_planted_drift_is_named_first(bench, drift):
    verdict, _found = bench.run(drift, DRIFTS[drift])
    assert verdict.first, f"{verdict.named}: {verdict.sentence}"
    assert verdict.p_value <= 0.05
    column = verdict.planted.partition(",")[0].partition(" and ")[0]
    assert column in verdict.sentence.lower()


def test_where_nothing_was_planted_nothing_is_named(bench):
    workspace, found = bench.explain(bench.case.window_rows, "nothing")
    assert not found.drifted
    assert not found.in_segments
    together = tell_windows_apart(workspace, bench.case.name, window=found.window)
    workspace.close()
    assert not together.differs

"""The calibration error from groups against the definition on raw rows."""

import numpy as np
import pytest

from mlops_core.comparison.calibration_gap import calibration_gap
from mlops_core.comparison.report import CalibrationPoint


def test_the_gap_is_the_expected_calibration_error_of_the_rows():
    random = np.random.default_rng(5)
    scores = random.random(3_000)
    outcomes = (random.random(3_000) < scores**2).astype(float)
    bins = np.minimum((scores * 10).astype(int), 9)
    groups = [(scores[bins == one], outcomes[bins == one]) for one in range(10)]

    by_hand = np.mean([abs(scores[bins == one].mean() - outcomes[bins == one].mean()) for one in bins])

    points = [CalibrationPoint(said.mean(), true.mean(), len(said)) for said, true in groups]
    assert calibration_gap(points) == pytest.approx(by_hand)


def test_there_is_no_gap_without_rows_and_none_where_all_came_true():
    assert calibration_gap([]) is None
    assert calibration_gap([CalibrationPoint(0.2, 0.2, 10), CalibrationPoint(0.9, 0.9, 1)]) == 0

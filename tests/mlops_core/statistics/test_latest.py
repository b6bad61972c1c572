import numpy as np

from mlops_core.slices import NumericCounts, NumericGrid
from mlops_core.statistics.latest import remember_latest


def test_a_shared_step_is_taken_once_for_the_same_objects_and_again_for_others():
    taken = []

    @remember_latest
    def rows_of_both(reference, current, grid):
        taken.append((reference, current, grid))
        return reference.rows + current.rows

    grid = NumericGrid(np.array([0.0, 1.0]))
    first, second, third = (NumericCounts(rows, 0, 0, 0, 0, 0, 0, 0, 0, np.zeros(3)) for rows in (1, 20, 300))
    assert [rows_of_both(first, second, grid) for _ in range(3)] == [21, 21, 21]
    assert len(taken) == 1
    assert rows_of_both(first, third, grid) == 301
    assert rows_of_both(second, third, grid) == 320
    assert rows_of_both(first, second, NumericGrid(np.array([0.0, 1.0]))) == 21
    assert len(taken) == 4

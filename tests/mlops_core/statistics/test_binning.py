"""The bins of a reference: what is kept of them must be what would be found anew."""

import gc
import math
import weakref

import numpy as np

from mlops_core.slices.counts import NumericCounts
from mlops_core.statistics.binning import bin_starts


def counted(cells) -> NumericCounts:
    cells = np.array(cells, np.int64)
    rows = int(cells.sum())
    return NumericCounts(rows, 0, 0, 0, 0, math.nan, math.nan, 0.0, 1.0, cells)


def test_bins_of_equal_cells_are_equal_runs_and_a_spike_is_a_bin_of_its_own():
    assert bin_starts(counted([1] * 20), 10).tolist() == list(range(0, 20, 2))
    assert bin_starts(counted([0, 80, 0, 0, 20]), 10).tolist() == [0, 1, 2, 4]


def test_references_that_are_asked_for_in_turn_keep_their_own_bins():
    references = [counted(np.full(40, place + 1)) for place in range(5)]
    references += [counted(np.arange(40) ** place) for place in range(5)]
    expected = {
        (n, bins): bin_starts(counted(one.cells), bins).tolist()
        for n, one in enumerate(references)
        for bins in (10, 20)
    }

    for _ in range(3):
        for (n, bins), starts in expected.items():
            assert bin_starts(references[n], bins).tolist() == starts


def test_new_counts_at_the_place_of_forgotten_ones_are_looked_at():
    rng = np.random.default_rng(4)
    for _ in range(200):
        spike = int(rng.integers(1, 30))
        cells = np.zeros(32, np.int64)
        cells[spike] = 7
        assert bin_starts(counted(cells), 10).tolist() == [0, spike, spike + 1]


def test_bins_that_are_kept_do_not_keep_the_counts():

    found = counted([1, 2, 3])
    bin_starts(found, 10)
    cells = weakref.ref(found.cells)
    del found
    gc.collect()
    assert cells() is None

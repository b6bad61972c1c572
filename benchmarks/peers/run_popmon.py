"""popmon: weekly histograms of the second half compared with the first, without the HTML report."""

import sys

import popmon
from histogrammar.dfinterface.make_histograms import make_histograms
from peer import COLUMNS, TIME, frames, measure
from popmon.config import Settings

first, second = frames(sys.argv[1], text="object", time_column=True)
FEATURES = [f"{TIME}:{name}" for name in COLUMNS]


def drift() -> object:
    """Fill the histograms and compare them."""
    settings = Settings(time_axis=TIME, features=FEATURES)
    settings._set_bin_specs_by_time_width_and_offset("1w", "2024-01-01")
    reference = make_histograms(first, features=FEATURES, time_axis=TIME, bin_specs=settings.bin_specs)
    compared = Settings(time_axis=TIME, reference_type="external")
    return popmon.df_stability_metrics(second, settings=compared, reference=reference)


measure(drift)

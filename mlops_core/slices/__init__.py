"""Slices: new data is scanned once into counts that can be added up for any window and segment."""

from mlops_core.slices.arrow_columns import MISSING, Period
from mlops_core.slices.codec import (
    decode_grids,
    decode_outcomes,
    decode_slice,
    encode_grids,
    encode_outcomes,
    encode_slice,
)
from mlops_core.slices.counts import (
    MOST_UNSEEN,
    CategoricalCounts,
    Counts,
    NumericCounts,
    Slice,
    merge_slices,
)
from mlops_core.slices.grid import (
    MOST_CATEGORIES,
    CategoricalGrid,
    Grid,
    Grids,
    NumericGrid,
    grids_from_table,
)
from mlops_core.slices.grouping import ALL_ROWS, MOST_SEGMENTS, SliceKey
from mlops_core.slices.kernel import SlicePlan, build_slices
from mlops_core.slices.merging import merge_encoded, merge_groups
from mlops_core.slices.outcome_counts import (
    MOST_CLASSES,
    BinaryOutcomes,
    MulticlassOutcomes,
    Outcomes,
    RegressionOutcomes,
    merge_outcomes,
)
from mlops_core.slices.outcomes import OutcomePlan, ProblemType, build_outcome_slices
from mlops_core.slices.score_grid import SCORE_CELLS, score_edges

__all__ = [
    "ALL_ROWS",
    "MISSING",
    "MOST_CATEGORIES",
    "MOST_CLASSES",
    "MOST_SEGMENTS",
    "MOST_UNSEEN",
    "SCORE_CELLS",
    "BinaryOutcomes",
    "CategoricalCounts",
    "CategoricalGrid",
    "Counts",
    "Grid",
    "Grids",
    "MulticlassOutcomes",
    "NumericCounts",
    "NumericGrid",
    "OutcomePlan",
    "Outcomes",
    "Period",
    "ProblemType",
    "RegressionOutcomes",
    "Slice",
    "SliceKey",
    "SlicePlan",
    "build_outcome_slices",
    "build_slices",
    "decode_grids",
    "decode_outcomes",
    "decode_slice",
    "encode_grids",
    "encode_outcomes",
    "encode_slice",
    "grids_from_table",
    "merge_encoded",
    "merge_groups",
    "merge_outcomes",
    "merge_slices",
    "score_edges",
]

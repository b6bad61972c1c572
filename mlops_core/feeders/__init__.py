"""Feeders: what hands the rows to the slice builder, on this machine or on a Spark cluster.

All of them run the same builder, so that every count is the same whoever feeds it; sums differ by rounding.
"""

from mlops_core.feeders.counting import count_slices
from mlops_core.feeders.sources import ParquetFiles, Source, SqlQuery

__all__ = ["ParquetFiles", "Source", "SqlQuery", "count_slices"]

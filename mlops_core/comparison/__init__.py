"""A challenger against the champion, on the same rows."""

from mlops_core.comparison.compare import compare_versions
from mlops_core.comparison.report import ComparisonReport
from mlops_core.comparison.stored import from_document, latest_comparison, read_comparison, to_document

__all__ = [
    "ComparisonReport",
    "compare_versions",
    "from_document",
    "latest_comparison",
    "read_comparison",
    "to_document",
]

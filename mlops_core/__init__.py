"""Everything about a machine-learning department that is true without a screen.

Importing this package is cheap: what needs pandas, DuckDB or scikit-learn is imported by the
module that uses it, when it is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_core.analysis.drift import drift

__all__ = ["__version__", "drift"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what a notebook uses when it is asked for."""
    if name == "drift":
        from mlops_core.analysis.drift import drift

        return drift
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

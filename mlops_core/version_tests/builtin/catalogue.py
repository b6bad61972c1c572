"""The built-in tests in the order in which a suite carries them out."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mlops_core.version_tests.builtin import (
    artefact,
    baseline,
    bias,
    calibration,
    data,
    features,
    latency,
    metrics,
    order,
    overlap,
    schemas,
    single_feature,
    values,
)
from mlops_core.version_tests.declared import VersionTest, collect_tests

__all__ = ["BUILT_IN"]

BUILT_IN: Final[Mapping[str, VersionTest]] = MappingProxyType(
    collect_tests(
        [
            artefact,
            data,
            schemas,
            metrics,
            baseline,
            calibration,
            bias,
            overlap,
            single_feature,
            order,
            values,
            latency,
            features,
        ]
    )
)
"""Every built-in test by name."""

"""The built-in tests in the order in which a suite carries them out."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mlops_core.version_tests.builtin import artefact, data, schemas
from mlops_core.version_tests.declared import VersionTest, tests_in

__all__ = ["BUILT_IN"]

BUILT_IN: Final[Mapping[str, VersionTest]] = MappingProxyType(tests_in([artefact, data, schemas]))
"""Every built-in test by name."""

"""The REST API: thin routes over the core's calls."""

from mlops_core.api.application import create_api

__all__ = ["create_api"]

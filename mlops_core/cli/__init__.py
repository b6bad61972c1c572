"""The `bigboard` command."""

from mlops_core.cli.main import app

__all__ = ["app"]

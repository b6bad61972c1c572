"""What machine learning brings: so far, how much it is used."""

from mlops_core.value.usage import UsageLine, UsageView, read_usage

__all__ = ["UsageLine", "UsageView", "read_usage"]

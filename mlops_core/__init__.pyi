from mlops_core.analysis.drift import drift
from mlops_core.explanation.notebook import explain

__all__ = ["__version__", "drift", "explain"]

__version__: str

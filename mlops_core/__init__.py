"""Everything about a machine-learning department that is true without a screen.

Importing this package is cheap: what needs pandas, DuckDB or scikit-learn is imported by the
module that uses it, when it is used.
"""

__version__ = "0.1.0"

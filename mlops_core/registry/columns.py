"""Names of the columns that every model's prediction log shares, and the grid of response times."""

from mlops_core.slices import NumericGrid

__all__ = ["LATENCY", "OUTCOME", "PREDICTED_AT", "PREDICTION", "SCORE", "latency_grid"]

PREDICTED_AT = "predicted_at"
PREDICTION = "prediction"
SCORE = "score"
"""Optional: the probability of outcome 1, or of the predicted class, where `prediction` is a label."""
LATENCY = "latency_ms"
OUTCOME = "outcome"
"""What turned out to be true; in a reference it is null in the rows that trained the model."""


def latency_grid() -> NumericGrid:
    """Return the cells of response times: 600 from 10 µs to 60 s, each 2.6 % wider than the last."""
    return NumericGrid.log_spaced(0.01, 60_000.0, 600)

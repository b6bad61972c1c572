"""What stands behind the figure of a column, and the Python that computes it."""

from collections.abc import Sequence

from app.components.plain import plain
from app.explorer.address import View
from app.explorer.words import figure, reference_words, segment_words, window_words
from mlops_core.explanation.results import ColumnMovement, Explanation
from mlops_core.monitoring.levels import Limit
from mlops_core.statistics import DRIFT_STATISTICS

__all__ = ["figure_code", "figure_facts"]


def figure_facts(
    view: View, explanation: Explanation, movement: ColumnMovement, limits: Sequence[Limit]
) -> dict[str, str]:
    """Return what stands behind a column's figure, by name, in Markdown; empty where there is nothing."""
    statistic = DRIFT_STATISTICS[view.statistic]
    chance = movement.adjusted_p_value
    most = "∞" if statistic.upper == float("inf") else f"{statistic.upper:g}"
    return {
        "Value": f"{figure(movement.value)}, in a range from {statistic.lower:g} to {most}",
        "Window": f"{window_words(explanation.window, years=True)}, n = {explanation.rows:,}",
        "Reference": f"{reference_words(explanation.reference)}, n = {explanation.reference_rows:,}",
        "Rows": plain(segment_words(view.segment)) if view.segment else "",
        "By chance": f"p = {chance:.2g}, "
        f"corrected for {len(explanation.columns)} columns (Benjamini-Hochberg)"
        if chance is not None
        else "not known for this column",
        "Thresholds": _thresholds(limits),
        "Formula": f"{plain(statistic.summary)} :gray[{plain(statistic.reference)}]",
    }


def _thresholds(limits: Sequence[Limit]) -> str:
    if not limits:
        return "none is customary: a monitor needs one that is learned or chosen"
    words = [f"{one.level} {'from' if one.above else 'down from'} {one.value:.3g}" for one in limits]
    return f"{', '.join(words)} :gray[({'; '.join(dict.fromkeys(one.reason for one in limits))})]"


def figure_code(view: View, explanation: Explanation) -> str:
    """Return Python that computes the figure; the end of a window is not included there."""
    window, reference = explanation.window, explanation.reference
    lines = [
        "import mlops_core",
        "",
        "explanation = mlops_core.explain(",
        f"    {view.model!r},",
        f'    start="{window.start.date()}",',
        f'    end="{window.end.date()}",',
    ]
    if reference:
        lines += [
            f'    reference_start="{reference.start.date()}",',
            f'    reference_end="{reference.end.date()}",',
        ]
    lines += [f"    segment={view.segment!r},", f"    statistic={view.statistic!r},", ")"]
    lines.append(f"value = next(one.value for one in explanation.columns if one.column == {view.column!r})")
    return "\n".join(lines)

"""Status and colour in one place: icon, word and colour for each level, and the hues of the charts."""

from dataclasses import dataclass

import streamlit as st

from mlops_core.domain.states import Level

__all__ = ["Palette", "StatusStyle", "level_color", "palette", "status_style"]


@dataclass(frozen=True, slots=True)
class StatusStyle:
    """How a level looks: a symbol for tables, a Material icon, and Streamlit's name of the colour."""

    symbol: str
    icon: str
    color: str


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one theme, as CSS.

    Attributes
    ----------
    ground
        What a page is drawn on, and a chart that is saved as a picture.
    reference_marked
        The reference where it moved.
    reference_text
        The reference's grey where it is written, not filled.
    current_faint
        What is current and not what moved.
    estimated
        What was estimated, never measured.
    window_band, reference_band
        The days that the analysis window and the reference cover.
    series
        Okabe and Ito's colours, which people with colour-blindness can tell apart.
    """

    ground: str
    text: str
    muted: str
    grid: str
    reference: str
    reference_marked: str
    reference_text: str
    current: str
    current_faint: str
    estimated: str
    green: str
    orange: str
    red: str
    warning_band: str
    critical_band: str
    window_band: str
    reference_band: str
    series: tuple[str, ...]


_STYLES = {
    Level.RETRAIN: StatusStyle("◆", ":material/error:", "red"),
    Level.CRITICAL: StatusStyle("◆", ":material/error:", "red"),
    Level.WARNING: StatusStyle("▲", ":material/trending_up:", "orange"),
    Level.IN_RANGE: StatusStyle("●", ":material/check_circle:", "green"),
    Level.UNKNOWN: StatusStyle("○", ":material/help:", "gray"),
    Level.UNJUDGED: StatusStyle("○", ":material/help:", "gray"),
}

_SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C8C8C")

_LIGHT = Palette(
    ground="#FFFFFF",
    text="#1B2430",
    muted="#5B6776",
    grid="#E6EBF0",
    reference="#B9C2CD",
    reference_marked="#8794A3",
    reference_text="#6B7888",
    current="#0B5CAD",
    current_faint="#7FA8D3",
    estimated="#B1457F",
    green="#1B7F5C",
    orange="#B45F06",
    red="#B3261E",
    warning_band="rgba(230, 159, 0, 0.12)",
    critical_band="rgba(179, 38, 30, 0.12)",
    window_band="rgba(11, 92, 173, 0.10)",
    reference_band="rgba(91, 103, 118, 0.14)",
    series=_SERIES,
)
_DARK = Palette(
    ground="#12171E",
    text="#E6EAF0",
    muted="#9AA7B6",
    grid="#2B3542",
    reference="#55606E",
    reference_marked="#7C8897",
    reference_text="#9AA7B6",
    current="#6FB1F5",
    current_faint="#3E6C9E",
    estimated="#E59CC6",
    green="#5CC9A0",
    orange="#F0A54A",
    red="#F2827A",
    warning_band="rgba(240, 165, 74, 0.13)",
    critical_band="rgba(242, 130, 122, 0.14)",
    window_band="rgba(111, 177, 245, 0.14)",
    reference_band="rgba(154, 167, 182, 0.16)",
    series=("#56B4E9", "#E69F00", "#2FC39B", "#E59CC6", "#8FD0F5", "#F08A4B", "#A9A9A9"),
)


def status_style(level: Level) -> StatusStyle:
    """Return how a level looks on every page."""
    return _STYLES[level]


def palette() -> Palette:
    """Return the colours of the theme that the viewer uses."""
    return _DARK if st.context.theme.type == "dark" else _LIGHT


def level_color(level: Level) -> str:
    """Return the colour of a level as CSS."""
    colors = palette()
    return {"red": colors.red, "orange": colors.orange, "green": colors.green}.get(
        status_style(level).color, colors.muted
    )

"""What no single column shows: whether a classifier can tell the window from the reference."""

import pandas as pd
import streamlit as st

from app import session
from app.components.download import csv_of, draw_downloads, file_name_of
from app.components.plain import plain
from app.components.tables import ROW_PIXELS
from app.components.titles import draw_title
from app.explorer.address import View
from app.explorer.words import first_upper, in_segment, reference_words, window_words
from app.theme import palette
from mlops_core.domain.errors import BigboardError
from mlops_core.explanation.together import Together, tell_windows_apart
from mlops_core.monitoring.windows import Window

__all__ = ["draw_together"]

_FOUND = "explorer_together"
_MOST_KEPT = 8
_MOST_PIXELS = 370


def draw_together(view: View, window: Window) -> None:
    """Draw what was found of these windows, or the button that looks; looking takes seconds."""
    key = (view.model, window, view.reference, view.segment, session.workspace().store.revision())
    kept: dict[object, Together | str] = st.session_state.setdefault(_FOUND, {})
    if key not in kept:
        _draw_button(view, window, key, kept)
    found = kept.get(key)
    if isinstance(found, str):
        st.info(plain(found), icon=":material/search_off:")
    elif found is not None:
        _draw_found(view, found)


def _draw_button(view: View, window: Window, key: object, kept: dict[object, Together | str]) -> None:
    place = st.empty()
    with place.container():
        st.markdown(
            "**Columns may stay as they are one by one and still move against each other.** "
            f"A classifier tries to tell the predictions of {window_words(window)}"
            f"{plain(in_segment(view.segment))} from {_from(view)}; if it can, more has changed than chance."
        )
        asked = st.button(
            "Compare all columns together", icon=":material/join:", key="explorer_compare", type="primary"
        )
    if not asked:
        return
    bar = place.progress(0.0, "reading rows")

    def report(share: float, doing: str) -> None:
        bar.progress(min(max(share, 0.0), 1.0), doing)

    try:
        found: Together | str = tell_windows_apart(
            session.workspace(),
            view.model,
            window=window,
            reference=view.reference,
            segment=view.segment,
            progress=report,
        )
    except BigboardError as error:
        found = f"{first_upper(str(error))}."
    while len(kept) >= _MOST_KEPT:
        kept.pop(next(iter(kept)))
    kept[key] = found
    place.empty()


def _from(view: View) -> str:
    return (
        f"those of {reference_words(view.reference)}" if view.reference else "rows of the training reference"
    )


def _draw_found(view: View, found: Together) -> None:
    with draw_title(found.sentence):
        name = file_name_of(view.model, "together", view.segment)
        draw_downloads({"The columns": (name, lambda: _csv(found))}, key="explorer_together_download")
    st.markdown(
        f":gray[AUC] **{found.auc:.3f}** :gray[· by chance up to] **{found.baseline:.3f}** "
        f":gray[· p =] **{found.p_value:.2g}** :gray[· n = {found.rows:,} against {found.reference_rows:,}; "
        "0.5 is alike, 1 can always be told apart]"
    )
    telling = {one.column for one in found.telling}
    css = [
        f"color: {palette().orange}; font-weight: 600" if one.column in telling else ""
        for one in found.columns
    ]
    frame = pd.DataFrame(
        {
            "column": [one.column for one in found.columns],
            "importance": [max(one.importance, 0.0) for one in found.columns],
            "alone": ["—" if one.alone is None else f"{one.alone:.3f}" for one in found.columns],
            "says": ["tells most" if one.column in telling else "" for one in found.columns],
        }
    )
    st.dataframe(
        frame.style.apply(lambda _: css, subset=["says"]),
        hide_index=True,
        column_config={
            "column": st.column_config.TextColumn("Column", width=200),
            "importance": st.column_config.ProgressColumn(
                "AUC lost without it",
                format="%.3f",
                min_value=0,
                max_value=max((one.importance for one in found.columns), default=0.0) or 1.0,
                width=180,
            ),
            "alone": st.column_config.TextColumn("AUC of it alone", alignment="right", width=120),
            "says": st.column_config.TextColumn("", width=110),
        },
        row_height=ROW_PIXELS,
        height=min(ROW_PIXELS * (len(frame) + 1) + 4, _MOST_PIXELS),
        alt="Columns by how much they tell the windows apart",
    )
    if found.notes:
        st.caption(plain(" ".join(f"{first_upper(note)}." for note in found.notes)))


def _csv(found: Together) -> bytes:
    return csv_of(
        ("column", "auc_lost_without_it", "auc_alone"),
        [(one.column, one.importance, one.alone) for one in found.columns],
    )

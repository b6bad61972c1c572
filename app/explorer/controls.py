"""The line of controls: each writes what was chosen into the URL, which alone says what is shown."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import streamlit as st

from app.explorer.address import View, go_to
from app.explorer.words import COMMON, first_upper, long_name, reference_words, segment_words, window_words
from mlops_core.monitoring.windows import Window
from mlops_core.statistics import DRIFT_STATISTICS

__all__ = ["draw_model_choice", "draw_statistic_choice", "draw_view_choices"]

_DAY = timedelta(days=1)


def draw_model_choice(models: Sequence[str], view: View | None) -> None:
    """Draw the choice of the model; another one is shown as it is now, in the newest four weeks."""

    def choose() -> None:
        model = st.session_state["explorer_model"]
        kept = (
            replace(view, model=model, window=None, reference=None, segment="", column="") if view else None
        )
        if model:
            go_to(kept or View(model))

    _hold("explorer_model", view.model if view else None)
    st.selectbox(
        "Model",
        models,
        index=0 if view else None,
        key="explorer_model",
        placeholder="Choose a model",
        on_change=choose,
        width=210,
    )


def draw_view_choices(view: View, span: Window, segments: Sequence[str]) -> None:
    """Draw the choices of the reference, the window and the segment.

    Parameters
    ----------
    view
        With its window, not None.
    span
        The days in which the model has predicted.
    """
    with st.container(width=170, gap="xxsmall"):
        st.markdown(":small[Reference]")
        with st.popover(
            _shortened(first_upper(reference_words(view.reference))),
            width="stretch",
            key="explorer_references",
        ):
            _draw_reference(view, span)
    with st.container(width=150, gap="xxsmall"):
        st.markdown(":small[Window]")
        with st.popover(
            window_words(view.window) if view.window else "—", width="stretch", key="explorer_windows"
        ):
            _draw_window(view, span)

    def choose() -> None:
        go_to(replace(view, segment=st.session_state["explorer_segment"] or ""))

    _hold("explorer_segment", view.segment)
    st.selectbox(
        "Segment",
        ["", *segments],
        key="explorer_segment",
        format_func=segment_words,
        on_change=choose,
        width=160,
    )


def draw_statistic_choice(view: View) -> None:
    """Draw a button for each of the common statistics, and a list of the others."""
    others = [name for name in DRIFT_STATISTICS if name not in COMMON]

    def choose(key: str) -> None:
        if st.session_state[key]:
            go_to(replace(view, statistic=st.session_state[key]))

    _hold("explorer_statistic", view.statistic if view.statistic in COMMON else None)
    st.segmented_control(
        "Statistic",
        list(COMMON),
        key="explorer_statistic",
        format_func=COMMON.__getitem__,
        on_change=choose,
        args=("explorer_statistic",),
        required=view.statistic in COMMON,
    )
    _hold("explorer_more", view.statistic if view.statistic not in COMMON else None)
    st.selectbox(
        "More statistics",
        others,
        index=None,
        key="explorer_more",
        format_func=long_name,
        placeholder="More",
        on_change=choose,
        args=("explorer_more",),
        label_visibility="collapsed",
        width=96,
    )


def _draw_window(view: View, span: Window) -> None:
    st.markdown("Drag over the chart below, or choose the first and the last day.")

    def choose(window: Window) -> None:
        go_to(replace(view, window=window))

    _days_input("Window", "explorer_window", view.window, span, choose)
    with st.container(horizontal=True, gap="small"):
        for weeks in (4, 8, 13):
            newest = Window(max(span.end - weeks * 7 * _DAY, span.start), span.end)
            st.button(
                f"Newest {weeks} weeks", key=f"explorer_newest_{weeks}", on_click=choose, args=(newest,)
            )


def _draw_reference(view: View, span: Window) -> None:
    st.markdown("What the window is compared with.")

    def choose(reference: Window | None) -> None:
        go_to(replace(view, reference=reference))

    st.button(
        "Training reference",
        key="explorer_training",
        on_click=choose,
        args=(None,),
        disabled=view.reference is None,
        icon=":material/model_training:",
    )
    before = _before(view, span)
    if before is not None:
        st.button(
            f"The same time before: {window_words(before)}",
            key="explorer_before",
            on_click=choose,
            args=(before,),
            icon=":material/history:",
        )
    _days_input("Another window", "explorer_reference", view.reference, span, choose)


def _before(view: View, span: Window) -> Window | None:
    """Return as many days directly before the window, None where the model had not predicted yet."""
    if view.window is None:
        return None
    before = view.window.moved(view.window.start - view.window.end)
    return before if before.start >= span.start else None


def _days_input(
    label: str, name: str, shown: Window | None, span: Window, choose: Callable[[Window], None]
) -> None:
    """Draw the first and the last day; a box for other days is another box, which needs no holding."""
    last = span.end.date() - _DAY
    inside = shown is not None and span.start <= shown.start and shown.end <= span.end
    value: tuple[Any, ...] = ()
    if shown is not None and inside:
        value = (shown.start.date(), shown.end.date() - _DAY)
    key = f"{name}_{'_'.join(map(str, (span.start.date(), *value)))}"

    def chosen() -> None:
        days = st.session_state[key]
        if isinstance(days, tuple) and len(days) == 2:
            choose(Window(_midnight(days[0]), _midnight(days[1]) + _DAY))

    st.date_input(
        label,
        value=value,
        min_value=span.start.date(),
        max_value=last,
        key=key,
        format="DD/MM/YYYY",
        on_change=chosen,
        width=260,
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _shortened(text: str) -> str:
    return text if len(text) <= 22 else f"{text[:21]}…"


def _hold(key: str, value: object) -> None:
    """Let a widget show what the URL says, whatever it showed before."""
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value

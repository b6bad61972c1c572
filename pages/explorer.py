"""Explorer: why a model drifted, in two windows, the columns ranked, and what to do about it."""

from dataclasses import replace

import streamlit as st

from app.cache import one_revision, until_changed
from app.components.plain import plain
from app.explorer.address import View, read_view, with_column
from app.explorer.body import draw_body
from app.explorer.controls import draw_model_choice, draw_statistic_choice, draw_view_choices
from app.explorer.inside import draw_inside
from app.explorer.saving import draw_saved, draw_saving
from app.explorer.words import first_upper
from app.navigation import pages
from app.theme import status_style
from mlops_core.domain.errors import BigboardError
from mlops_core.domain.states import Level
from mlops_core.explanation.explain import explain_model
from mlops_core.explanation.results import Explanation
from mlops_core.explanation.spans import segments_of, span_of
from mlops_core.monitoring import read_board
from mlops_core.monitoring.windows import Window

_read_board = until_changed(read_board)
_explain = until_changed(explain_model)
_segments = until_changed(segments_of)
_span = until_changed(span_of)


@st.fragment
def draw_explorer() -> None:
    """Draw the explorer for the model, windows, segment and statistic that the URL names."""
    with one_revision():
        _draw()


def _draw() -> None:
    board = _read_board()
    models = sorted(row.model for row in board.rows)
    if not models:
        st.markdown("### :material/query_stats: No model is in production yet")
        st.info("The explorer compares windows of models in production: promote a version first.")
        return
    asked = st.query_params.get("of") or board.rows[0].model
    if asked not in models:
        _draw_gone(asked, models)
        return
    span = _span(asked)
    if span is None:
        st.markdown(f"### :material/query_stats: {plain(asked)} has not predicted yet")
        st.info("Log predictions, and its windows can be compared here.")
        draw_model_choice(models, View(asked))
        return
    view, problems = read_view(st.query_params, asked, _segments)
    try:
        explanation = _explain(
            asked,
            window=view.window,
            reference=view.reference,
            segment=view.segment,
            statistic=view.statistic,
        )
    except BigboardError as error:
        st.markdown(f"### :material/search_off: {plain(asked)}: there is nothing to compare")
        _draw_controls(models, view, span, None)
        _draw_problems(problems)
        st.info(f"{plain(first_upper(str(error)))}.", icon=":material/date_range:")
        return
    view, missing = with_column(
        replace(view, window=explanation.window), [one.column for one in explanation.columns]
    )
    _draw_headline(explanation)
    _draw_controls(models, view, span, explanation)
    _draw_problems([*problems, *missing])
    draw_inside(view, explanation)
    draw_body(view, explanation)


def _draw_headline(explanation: Explanation) -> None:
    worst = max(
        (one.level for one in explanation.columns), key=lambda one: one.severity, default=Level.UNKNOWN
    )
    if explanation.in_segments:
        worst = max(worst, Level.CRITICAL, key=lambda one: one.severity)
    style = status_style(worst)
    said = [explanation.performance.sentence] if explanation.performance else []
    if explanation.since and explanation.events:
        nearest = explanation.events[0]
        said.append(f"Near that date: {nearest.title} ({nearest.at.day} {nearest.at:%b}).")
    notes = [f"{first_upper(note)}." for note in explanation.notes]
    words, more = (said, notes) if said else (notes, [])
    with st.container(gap="xxsmall"):
        st.markdown(f"### :{style.color}[{style.icon}] {plain(explanation.headline)}")
        if not draw_saved() and words:
            st.markdown(f":gray[{plain(' '.join(words))}]", help=plain(" ".join(more)) or None)


def _draw_controls(models: list[str], view: View, span: Window, explanation: Explanation | None) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        draw_model_choice(models, view)
        draw_view_choices(view, span, _segments(view.model))
        draw_statistic_choice(view)
        if explanation is not None and explanation.columns:
            draw_saving(view)


def _draw_problems(problems: list[str]) -> None:
    """Say what a link asks for in vain."""
    if problems:
        st.warning("  \n".join(map(plain, problems)), icon=":material/link_off:")


def _draw_gone(asked: str, models: list[str]) -> None:
    st.markdown(f"### :material/link_off: There is no model '{plain(asked)}' in production")
    st.info(
        f"It was taken out of production, or the link is mistyped. Choose one of the {len(models)} models, "
        "or look for it on the board."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        draw_model_choice(models, None)
        st.page_link(pages()["board"], label="Board", icon=":material/dashboard:")


draw_explorer()

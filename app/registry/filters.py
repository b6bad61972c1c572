"""The line of filters above the list; each writes what was chosen into the URL."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from app.components.holding import hold
from app.registry.address import ORDERS, View, go_to
from app.registry.looks import STAGE_WORDS, VERDICT_WORDS
from mlops_core.domain.states import Stage, Verdict

__all__ = ["draw_filters"]

_TESTS = {"passed": "Tests passed", "failed": "A test failed", "untested": "Not tested"}
_ORDERS = dict(
    zip(ORDERS, ("Last active first", "Newest first", "By model", "Best against champion"), strict=True)
)


def draw_filters(view: View, owners: Sequence[str], tags: Sequence[str], features: Sequence[str]) -> None:
    """Draw the search and the filters in one line, the rarer ones behind a button."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        hold("registry_find", view.find)
        st.text_input(
            "Find a version",
            key="registry_find",
            placeholder="Find a model, owner, estimator",
            icon=":material/search:",
            label_visibility="collapsed",
            on_change=_write,
            args=(view, "find", "registry_find"),
            width=246,
        )
        _choice(view, "owner", "Owner", {name: name for name in owners}, 158)
        _choice(view, "stage", "Stage", {str(one): STAGE_WORDS[one] for one in Stage}, 142)
        _choice(view, "tests", "Tests", _TESTS, 132)
        _choice(view, "verdict", "Verdict", {str(one): VERDICT_WORDS[one] for one in Verdict}, 160)
        rare = sum((bool(view.tag), bool(view.feature), view.least is not None or view.most is not None))
        with st.popover(
            f"More · {rare}" if rare else "More",
            icon=":material/tune:",
            key="registry_more",
            help="Filter by tag, by a feature that is used, or by the range of the primary metric",
        ):
            _choice(view, "tag", "Tag", {tag: tag for tag in tags}, 260)
            _choice(view, "feature", "Feature used", {name: name for name in features}, 260)
            with st.container(horizontal=True, gap="small"):
                _number(view, "least", "Primary metric from")
                _number(view, "most", "up to")
        _choice(view, "order", "Order", _ORDERS, 186, required=True)
        if view.is_filtered:
            st.button(
                "Clear",
                icon=":material/filter_alt_off:",
                type="tertiary",
                key="registry_clear",
                help="Show all versions",
                on_click=go_to,
                args=(view.all_versions,),
            )


def _choice(
    view: View, name: str, label: str, words: dict[str, str], width: int, *, required: bool = False
) -> None:
    """Draw a box whose options are what the URL may say, shown in words; one of a link is kept as it is."""
    key = f"registry_{name}"
    chosen = getattr(view, name)
    options = [*words, chosen] if chosen and chosen not in words else list(words)
    hold(key, chosen or None)
    st.selectbox(
        label,
        options,
        index=None,
        key=key,
        format_func=lambda one: words.get(one, one),
        placeholder=label,
        label_visibility="collapsed",
        required=required,
        on_change=_write,
        args=(view, name, key),
        width=width,
    )


def _number(view: View, name: str, label: str) -> None:
    key = f"registry_{name}"
    hold(key, getattr(view, name))
    st.number_input(
        label, key=key, value=None, format="%.4g", on_change=_write, args=(view, name, key), width=125
    )


def _write(view: View, name: str, key: str) -> None:
    value: Any = st.session_state[key]
    if value is None and name not in ("least", "most"):
        value = ""
    go_to(replace(view, **{name: value}, page=1))

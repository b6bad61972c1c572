"""One version: whether it is sound and better, the evidence for both, and what it was made from."""

from dataclasses import replace
from datetime import datetime

import streamlit as st

from app.components.formats import ago, exact
from app.components.holding import hold
from app.components.plain import plain
from app.navigation import open_model
from app.registry import reading
from app.registry.address import TABS, View, go_to
from app.registry.asking import draw_asking, draw_said
from app.registry.beside import draw_beside
from app.registry.compared import draw_details, draw_metrics, draw_segments
from app.registry.evidence import draw_tests
from app.registry.headline import version_headline
from app.registry.history import draw_history
from app.registry.looks import STAGE_WORDS
from app.registry.origin import draw_origin
from app.registry.running import draw_jobs, draw_last_trouble, jobs_of
from mlops_core.comparison.report import ComparisonReport
from mlops_core.domain.errors import BigboardError, NotFound
from mlops_core.domain.states import JobState
from mlops_core.registry.version_view import VersionChoice, VersionView

__all__ = ["draw_opened"]

_TITLES = dict(
    zip(TABS, ("Tests and comparison", "Side by side", "Card and lineage", "Activity"), strict=True)
)
_KEYS = {title: key for key, title in _TITLES.items()}


def draw_opened(view: View, now: datetime) -> None:
    """Draw the version that the URL names, or say that it is not there."""
    model, _, number = view.version.rpartition(":")
    try:
        if not (number.isascii() and number.isdecimal()) or len(number) > 9:
            raise NotFound(f"'{view.version}' names no version: a link says model:number, like churn-risk:3")
        found: VersionView = reading.version(model, int(number))
    except BigboardError as error:
        _draw_gone(view, str(error))
        return
    other, problem = _other(view, found)
    report, trouble = _report(found, other)
    run, results = reading.tests(found.version.id)
    sentence, icon, color = version_headline(found, report, run, results)
    jobs = jobs_of(found.label)
    open_jobs = [job for job in jobs if not JobState(job.state).is_over]
    waiting = {job.name for job in open_jobs}
    if "judge_version" in waiting:
        waiting |= {"test_version", "compare_versions"}
    _draw_bar(view, found, other, waiting)
    with st.container(gap="xxsmall"):
        st.markdown(f"### :{color}[{icon}] {plain(sentence)}")
        st.markdown(_about(found, report, now))
    draw_said()
    if problem:
        st.warning(plain(problem), icon=":material/link_off:")
    draw_jobs(open_jobs[::-1])
    draw_last_trouble(jobs)
    _draw_tabs(view, found, other, report, trouble, now)


def _draw_gone(view: View, why: str) -> None:
    st.markdown("### :material/link_off: This version is not there")
    st.info(
        f"{plain(why[:1].upper() + why[1:])}. It may have been mistyped: look for it in the list.",
        icon=":material/search_off:",
    )
    _back(view)


def _back(view: View) -> None:
    st.button(
        "All versions",
        icon=":material/arrow_back:",
        type="tertiary",
        key="registry_back",
        on_click=go_to,
        args=(view.as_list,),
    )


def _draw_bar(view: View, found: VersionView, other: int | None, waiting: set[str]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _back(view)
        _draw_version_choice(view, found)
        st.markdown(":gray[against]", width="content")
        _draw_other_choice(view, found, other)
        st.space("stretch")
        draw_asking(found, other, waiting=waiting)
        if found.is_champion:
            st.button(
                "In production",
                icon=":material/monitoring:",
                key="registry_open_model",
                on_click=open_model,
                args=(found.model.name,),
                help="Its drift, accuracy and response times",
            )


def _draw_version_choice(view: View, found: VersionView) -> None:
    def choose() -> None:
        number = st.session_state["registry_version"]
        go_to(replace(view, version=f"{found.model.name}:{number}", versus=""))

    hold("registry_version", found.version.number)
    st.selectbox(
        "Version",
        [one.number for one in found.choices],
        format_func=lambda number: f"{found.model.name} {_choice_words(found, number)}",
        key="registry_version",
        label_visibility="collapsed",
        required=True,
        on_change=choose,
        width=330,
    )


def _draw_other_choice(view: View, found: VersionView, other: int | None) -> None:
    numbers = [one.number for one in found.choices if one.number != found.version.number]

    def choose() -> None:
        number = st.session_state["registry_other"]
        is_default = number is None or number == found.champion
        go_to(replace(view, versus="" if is_default else str(number)))

    hold("registry_other", other)
    st.selectbox(
        "Against",
        numbers,
        index=None,
        format_func=lambda number: _choice_words(found, number),
        key="registry_other",
        placeholder="no other version",
        required=other is not None,
        label_visibility="collapsed",
        disabled=not numbers,
        on_change=choose,
        width=200,
    )


def _choice_words(found: VersionView, number: int) -> str:
    one: VersionChoice | None = next((one for one in found.choices if one.number == number), None)
    if one is None:
        return f"v{number}"
    return f"v{number} · {'champion' if one.is_champion else STAGE_WORDS[one.stage].lower()}"


def _other(view: View, found: VersionView) -> tuple[int | None, str]:
    """Return the version to compare with, the champion by default, and what a link asks for in vain."""
    default = None if found.is_champion else found.champion
    if not view.versus:
        return default, ""
    numbers = {one.number for one in found.choices} - {found.version.number}
    asked = view.versus.removeprefix(f"{found.model.name}:").removeprefix("v")
    if asked.isascii() and asked.isdecimal() and int(asked[:9]) in numbers:
        return int(asked), ""
    instead = "The champion is taken instead" if default else "Nothing is laid beside it"
    return default, f"{found.model.name} has no other version '{view.versus}'. {instead}: choose one above."


def _report(found: VersionView, other: int | None) -> tuple[ComparisonReport | None, str]:
    """Return the newest comparison with another version, or in words why it cannot be read."""
    if other is None:
        return None, ""
    try:
        return reading.comparison(found.model.name, found.version.number, other), ""
    except BigboardError as error:
        return None, str(error)


def _about(found: VersionView, report: ComparisonReport | None, now: datetime) -> str:
    words = [
        f":gray-badge[{STAGE_WORDS[found.stage]}]",
        f":gray[{plain(found.model.description)}. Owned by {plain(found.owner)}, "
        f"registered {ago(found.version.created_at, now)} by {plain(found.author)}"
        f" ({exact(found.version.created_at)})"
        + (f", compared {ago(report.at, now)}" if report else "")
        + ".]",
    ]
    return " ".join(words)


def _draw_tabs(
    view: View,
    found: VersionView,
    other: int | None,
    report: ComparisonReport | None,
    trouble: str,
    now: datetime,
) -> None:
    def choose() -> None:
        go_to(replace(view, tab=_KEYS[st.session_state["registry_tab"]]))

    hold("registry_tab", _TITLES[view.tab])
    tabs = dict(zip(TABS, st.tabs(list(_KEYS), key="registry_tab", on_change=choose), strict=True))
    with tabs[view.tab], st.container(gap="small"):
        match view.tab:
            case "versus":
                _draw_versus(found, other)
            case "origin":
                draw_origin(found)
            case "activity":
                draw_history(reading.activity(found.model.name, found.version.number), now)
            case _:
                _draw_evidence(found, other, report, trouble, now)


def _draw_evidence(
    found: VersionView, other: int | None, report: ComparisonReport | None, trouble: str, now: datetime
) -> None:
    run, results = reading.tests(found.version.id)
    compared, tested = st.columns([0.62, 0.38], gap="medium")
    with tested, st.container(gap="xxsmall"):
        titles = {one.name: one.title for one in reading.suite(found.model.name)}
        draw_tests(results, run, titles, label=found.label, now=now)
    with compared, st.container(gap="xxsmall"):
        if report is None:
            _draw_not_compared(found, other, trouble)
        else:
            draw_metrics(report)
            draw_segments(report)
    if report is not None:
        draw_details(report)


def _draw_not_compared(found: VersionView, other: int | None, trouble: str) -> None:
    st.markdown("**Not compared yet**" if other else "**Nothing to compare with**")
    if trouble:
        st.warning(plain(f"{trouble[:1].upper()}{trouble[1:]}."), icon=":material/warning:")
    elif other is None and found.is_champion:
        st.info(
            "It is the version in production, which new ones are compared with. Choose another version above "
            "to lay it beside this one.",
            icon=":material/compare_arrows:",
        )
    elif other is None:
        st.info(
            f"No version of {plain(found.model.name)} is in production yet. Once one is promoted, new "
            "versions are compared with it on the same rows.",
            icon=":material/compare_arrows:",
        )
    elif found.evaluation is None:
        st.info(
            "A comparison measures both versions on the same rows, and this one was registered without an "
            "evaluation snapshot. Register it with one: `store_evaluation_data` makes it.",
            icon=":material/compare_arrows:",
        )
    else:
        st.info(
            f"Press **Compare** to measure v{found.version.number} and v{other} row by row on "
            f"{plain(found.evaluation.table_name)}@{found.evaluation.version}, or "
            f"`bigboard compare {found.label} {found.model.name}:{other}`.",
            icon=":material/compare_arrows:",
        )


def _draw_versus(found: VersionView, other: int | None) -> None:
    if other is None:
        st.info(
            f"{plain(found.model.name)} has no other version to lay beside this one."
            if len(found.choices) < 2
            else "Choose a version above to lay it beside this one.",
            icon=":material/view_column_2:",
        )
        return
    draw_beside(reading.beside(found.model.name, found.version.number, found.model.name, other))

"""Registry (lead): which of the new versions are sound, and which are better than what is in production."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import streamlit as st

from app import session
from app.cache import one_revision
from app.components.plain import plain
from app.registry import reading
from app.registry.address import Shown, View, go_to, read_view
from app.registry.counts import draw_counts
from app.registry.filters import draw_filters
from app.registry.headline import count_of
from app.registry.listing import PAGE_ROWS, draw_listing
from app.registry.opened import draw_opened
from app.registry.running import draw_jobs, jobs_open
from mlops_core.domain.states import Verdict
from mlops_core.registry.catalogue import VersionPage


@st.fragment(run_every="20s")
def draw_registry() -> None:
    """Draw the list of versions, or the one that the URL names; it looks for changes every 20 seconds."""
    view, problems = read_view(st.query_params)
    with one_revision():
        now = session.workspace().clock.now()
        if problems:
            st.warning("  \n".join(map(plain, problems)), icon=":material/link_off:")
        if view.version:
            draw_opened(view, now)
        else:
            _draw_list(view, now)


def _draw_list(view: View, now: datetime) -> None:
    counts = reading.counts(now)
    _draw_headline(counts, now)
    page = reading.search(reading.query_of(view, now))
    if not page.total and not view.is_filtered:
        st.info(
            "Versions appear here once they are registered: `bigboard register MODEL ARTEFACT` or "
            "`register_version` in Python. `bigboard demo` builds a workspace with some.",
            icon=":material/inventory_2:",
        )
        return
    draw_jobs(jobs_open())
    draw_counts(view, counts)
    facets = reading.facets()
    draw_filters(view, facets.owners, facets.tags, facets.features)
    pages = max(1, math.ceil(page.total / PAGE_ROWS))
    if view.page > pages:
        view = replace(view, page=pages)
        page = reading.search(reading.query_of(view, now))
    _draw_title(view, page, pages)
    if not page.total:
        st.info(
            "No version matches. Clear the filters to see them all, or choose another count above.",
            icon=":material/search_off:",
        )
        return
    draw_listing(view, page, now)


def _draw_headline(counts: Mapping[Shown, int], now: datetime) -> None:
    """Say how many of the new versions are sound, and how many are better."""
    new = counts[Shown.DEVELOPMENT]
    sound_and_better = View(show=Shown.PASSED, verdict=Verdict.BETTER)
    better = reading.total(sound_and_better, now)
    if not new:
        st.markdown("### :gray[:material/inventory_2:] No new version is on its way")
        return
    failed = counts[Shown.FAILED]
    sound = f"{counts[Shown.PASSED]:,} passed their tests"
    if better:
        best = f"{better:,} of them {'is' if better == 1 else 'are'} better than what is in production"
    else:
        best = "none of them is better than what is in production"
    bad = f"; {failed:,} failed" if failed else ""
    icon = ":green[:material/verified:]" if better else ":gray[:material/inventory_2:]"
    st.markdown(f"### {icon} Of {count_of(new, 'new version')}, {sound} and {best}{bad}")


def _draw_title(view: View, page: VersionPage, pages: int) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        first = (view.page - 1) * PAGE_ROWS + 1
        shown = f", {first} to {first + len(page.lines) - 1}" if pages > 1 else ""
        st.markdown(f"**{count_of(page.total, 'version')}{shown}**", width="content")
        if pages > 1:
            key = f"registry_page_{view.page}"  # another page is another widget, which needs no holding

            def turn() -> None:
                go_to(replace(view, page=st.session_state[key]))

            width = 120 + 36 * min(pages, 8)
            st.pagination(pages, default=view.page, key=key, on_change=turn, width=width)


draw_registry()

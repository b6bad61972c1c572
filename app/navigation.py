"""The pages, one for each role, and which one a role calls home."""

from functools import lru_cache

import streamlit as st
from streamlit.navigation.page import Page

from app.explorer.address import days_of
from mlops_core.console_root import console_root
from mlops_core.domain.states import Role
from mlops_core.monitoring.windows import Window

__all__ = ["HOME", "open_explorer", "open_model", "pages"]

HOME = {
    Role.DIRECTOR: "board",
    Role.LEAD: "registry",
    Role.DATA_SCIENTIST: "features",
    Role.ML_ENGINEER: "engineering",
    Role.EXECUTIVE: "value",
    Role.ADMIN: "board",
}

_PAGES = {
    "board": ("Board", "dashboard"),
    "registry": ("Registry", "inventory_2"),
    "features": ("Features", "table_chart"),
    "engineering": ("Engineering", "build"),
    "explorer": ("Explorer", "query_stats"),
    "value": ("Value", "payments"),
    "model": ("Model", "monitoring"),
}
_HIDDEN = {"model"}


@lru_cache(maxsize=1)
def _files() -> dict[str, str]:
    return {name: str(console_root() / "pages" / f"{name}.py") for name in _PAGES}


def pages() -> dict[str, Page]:
    """Return every page by its name in the URL; a new page is one file in `pages` and one line here."""
    return {
        name: st.Page(
            _files()[name],
            title=title,
            icon=f":material/{icon}:",
            url_path=name,
            default=name == "board",
            visibility="hidden" if name in _HIDDEN else "visible",
        )
        for name, (title, icon) in _PAGES.items()
    }


def open_model(model: str) -> None:
    """Go to the page of a model; the URL names it."""
    st.switch_page(pages()["model"], query_params={"model": model})


def open_explorer(
    model: str,
    column: str = "",
    *,
    window: Window | None = None,
    segment: str = "",
    statistic: str = "",
) -> None:
    """Go to the explorer with a model, and what else is given, chosen.

    Its parameter is `of`: Streamlit refuses to set one that a widget of the page being left is bound to.
    """
    chosen = {
        "of": model,
        "window": days_of(window) if window else "",
        "segment": segment,
        "statistic": statistic,
        "column": column,
    }
    given = {name: value for name, value in chosen.items() if value}
    st.switch_page(pages()["explorer"], query_params=given)

"""What the registry page shows, as its URL carries it: plain keys and no word that is only shown."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from mlops_core.domain.states import Stage, Verdict

__all__ = ["ORDERS", "TABS", "Shown", "View", "go_to", "link_to", "parameters_of", "read_view"]

TABS = ("comparison", "versus", "origin", "activity")
ORDERS = ("activity", "registered", "model", "difference")
_FREE = ("find", "owner", "tag", "feature", "version", "versus")
_TESTS = ("passed", "failed", "untested")


class Shown(StrEnum):
    """The counts above the list, each of which can be clicked."""

    DEVELOPMENT = "development"
    UPDATES = "updates"
    PASSED = "passed"
    FAILED = "failed"
    PROMOTED = "promoted"


@dataclass(frozen=True, slots=True)
class View:
    """What is looked at; each field is a parameter of the URL, left out where it has its default.

    Attributes
    ----------
    show
        The count that was clicked; empty for all versions.
    find
        Words that the model, the owner or the estimator holds.
    tests
        `passed`, `failed` or `untested`.
    least, most
        The range of the primary metric.
    version
        The version that is open, `churn-risk:5`; empty for the list.
    versus
        What it is laid beside; empty for the champion.
    """

    show: str = ""
    find: str = ""
    owner: str = ""
    tag: str = ""
    stage: str = ""
    tests: str = ""
    verdict: str = ""
    feature: str = ""
    least: float | None = None
    most: float | None = None
    order: str = ORDERS[0]
    page: int = 1
    version: str = ""
    versus: str = ""
    tab: str = TABS[0]

    @property
    def is_filtered(self) -> bool:
        """Return whether anything narrows the list."""
        return self.all_versions != replace(self, page=1, version="", versus="", tab=TABS[0])

    @property
    def all_versions(self) -> "View":
        """Return the list without a filter, in the same order."""
        return View(order=self.order)

    @property
    def as_list(self) -> "View":
        """Return the list that the open version was chosen from."""
        return replace(self, version="", versus="", tab=TABS[0])


_NAMES = tuple(field.name for field in fields(View))
_DEFAULTS = View()


def read_view(parameters: Mapping[str, str]) -> tuple[View, list[str]]:
    """Return what the parameters of a URL ask for, and in words what they ask for in vain.

    Whatever cannot be shown is left at its default. Whether a version, an owner, a tag or a feature is there
    is for the store to say.

    Examples
    --------
    >>> view, problems = read_view({"stage": "candidate", "tests": "green"})
    >>> view.stage, view.tests
    ('candidate', '')
    >>> problems
    ["Tests are passed, failed or untested, not 'green'. It is left out: choose another on the page."]
    """
    chosen: dict[str, Any] = {name: parameters.get(name, "") for name in _FREE}
    problems = []
    for name, allowed, words in (
        ("show", tuple(Shown), "There is no count"),
        ("stage", tuple(Stage), "There is no stage"),
        ("tests", _TESTS, "Tests are passed, failed or untested, not"),
        ("verdict", tuple(Verdict), "There is no verdict"),
        ("order", ORDERS, "There is no order"),
        ("tab", TABS, "There is no tab"),
    ):
        asked = parameters.get(name, "")
        if asked and asked in allowed:
            chosen[name] = asked
        elif asked:
            problems.append(f"{words} '{asked}'. It is left out: choose another on the page.")
    for name in ("least", "most"):
        asked = parameters.get(name, "")
        chosen[name] = _number(asked)
        if asked and chosen[name] is None:
            problems.append(f"'{asked}' is no number that a metric could be. Its range is left open.")
    asked = parameters.get("page", "")
    if asked.isascii() and asked.isdecimal() and 0 < int(asked) < 1_000_000:
        chosen["page"] = int(asked)
    return View(**chosen), problems


def parameters_of(view: View) -> dict[str, str]:
    """Return the parameters of a URL that asks for a view."""
    values = {name: getattr(view, name) for name in _NAMES}
    return {
        name: f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in values.items()
        if value is not None and value != getattr(_DEFAULTS, name)
    }


def go_to(view: View) -> None:
    """Write a view into the URL; parameters that are not the registry's stay."""
    others = {name: value for name, value in st.query_params.items() if name not in _NAMES}
    st.query_params.from_dict({**others, **parameters_of(view)})


def link_to(view: View) -> str:
    """Return the whole address of a view, to be passed on."""
    page = str(st.context.url or "/registry").partition("?")[0]
    return f"{page}?{urlencode(parameters_of(view))}"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None

"""Run the console in this process and read what is on the screen, by keys and structure, not by wording."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

import numpy as np
from streamlit.testing.v1 import AppTest

from mlops_core.console_root import console_root

if TYPE_CHECKING:
    import pandas as pd
    from streamlit.testing.v1.element_tree import Selectbox

__all__ = [
    "PAGES",
    "bars",
    "headline",
    "instructions",
    "numbers",
    "open_page",
    "parts",
    "read",
    "table",
    "table_with",
    "who",
]

PAGES = sorted(file.stem for file in (console_root() / "pages").glob("*.py"))
_HOME = "board"
_ESCAPED = re.compile(r"\\([^a-zA-Z0-9\s])")
_NUMBER = re.compile(r"(?<![\w.])[-+−]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.])[-+−]?\d+(?:\.\d+)?")


def open_page(name: str = _HOME, /, *, theme: str = "light", **query: str) -> AppTest:
    """Open a page as a pasted link does, with query parameters, and run it once."""
    screen = AppTest.from_file(console_root() / "app" / "main.py", default_timeout=60)
    screen.query_params.update(query)
    screen.context["theme"] = theme
    if name != _HOME:
        screen.switch_page(f"../pages/{name}.py")
    screen.run()
    assert not screen.exception, screen.exception[0].value
    return screen


def who(screen: AppTest) -> Selectbox[str]:
    """The box in the header that says who is looking."""
    return screen.get_by_key("bigboard_header").selectbox[0]


def headline(screen: AppTest) -> str:
    """The first line of sight."""
    return next(text for text in (read(one.value) for one in screen.markdown) if text.startswith("###"))


def numbers(text: str) -> list[float]:
    """The numbers in a text: `1,234` is one, the 1 in `v1` is none."""
    found = _NUMBER.findall(text)
    return [float(one.replace(",", "").replace("−", "-").replace("+", "")) for one in found]


def parts(screen: AppTest) -> str:
    """All Markdown of the page."""
    return "\n".join(read(one.value) for one in screen.markdown)


def read(markdown: str) -> str:
    """A text without the marks that let Markdown show a character as it is."""
    return _ESCAPED.sub(r"\1", markdown)


def table(screen: AppTest, key: str) -> pd.DataFrame:
    """The table with a key."""
    return screen.dataframe(key=key).value


def table_with(screen: AppTest, column: str) -> pd.DataFrame:
    """The table that has a column; those that open nothing have no key."""
    return next(one.value for one in screen.dataframe if column in one.value.columns)


def instructions(screen: AppTest) -> list[str]:
    """What the page tells somebody who finds it empty."""
    return [one.value for one in screen.info]


def bars(screen: AppTest) -> list[list[float]]:
    """The heights of the bars in each bar trace of the charts."""
    charts = [json.loads(one.proto.spec) for one in screen.get("plotly_chart")]
    return [_decoded(trace["y"]) for chart in charts for trace in chart["data"] if trace["type"] == "bar"]


def _decoded(values: list[float] | dict[str, str]) -> list[float]:
    """Numbers as Plotly writes them: a list, or the bytes of an array."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"]).tolist()
    return values

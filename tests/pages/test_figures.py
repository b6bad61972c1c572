"""What Plotly itself says of the figures that the pages draw without asking it."""

from __future__ import annotations

import json
from typing import Any

import plotly.graph_objects as go
import pytest
from plotly.io import templates
from streamlit.testing.v1 import AppTest

from mlops_core.workspace import Workspace
from tests.pages.conftest import DRIFTED, SLOW
from tests.pages.screen import open_page


def figures(screen: AppTest) -> list[dict[str, Any]]:
    return [json.loads(one.proto.spec) for one in screen.get("plotly_chart")]


@pytest.mark.parametrize(
    ("page", "asked", "charts"),
    [
        pytest.param("explorer", {"of": DRIFTED}, 2, id="what moved"),
        pytest.param("explorer", {"of": DRIFTED, "window": "2017-08-14..2017-08-20"}, 2, id="moved"),
        pytest.param("explorer", {"of": DRIFTED, "reference": "2017-07-03..2017-07-09"}, 2, id="reference"),
        pytest.param("explorer", {"of": DRIFTED, "tab": "backtest"}, 1, id="backtest"),
        pytest.param("model", {"model": DRIFTED}, 1, id="model"),
        pytest.param("model", {"model": SLOW}, 1, id="regression"),
    ],
)
def test_plotly_knows_every_part_of_a_figure(
    eventful_console: Workspace, page: str, asked: dict[str, str], charts: int
) -> None:
    drawn = figures(open_page(page, **asked))

    assert len(drawn) == charts
    for figure in drawn:
        known = go.Figure(figure).to_plotly_json()
        assert len(known["data"]) == len(figure["data"])  # raises ValueError where a name or a value is wrong
        assert known["layout"].keys() == figure["layout"].keys()


def test_figures_wear_the_template_whose_colours_the_browser_replaces(console: Workspace) -> None:
    for figure in figures(open_page("explorer", of=DRIFTED)):
        assert figure["layout"]["template"] == templates["streamlit"].to_plotly_json()

"""Where the parts of a drawn interval lie: read back from the picture that the browser gets."""

from __future__ import annotations

import re
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.components.interval_image import WIDTH_PIXELS, interval_image, shared_extent
from app.theme import _LIGHT

GREEN = "#00FF00"
NAMESPACE = "{http://www.w3.org/2000/svg}"


def drawn(difference: float, lower: float, upper: float, extent: float) -> ElementTree.Element:
    address = interval_image(difference, lower, upper, extent=extent, color=GREEN, colors=_LIGHT)
    kind, _, picture = address.partition(",")
    assert kind == "data:image/svg+xml;utf8"
    assert not re.search(r"[#<>\"]", picture)  # a browser would end the address there
    return ElementTree.fromstring(unquote(picture))  # noqa: S314 - our own picture


def places(picture: ElementTree.Element) -> tuple[float, float, float]:
    """The left end, the middle and the right end of the interval."""
    line = next(one for one in picture.iter(f"{NAMESPACE}line") if one.get("stroke-width") == "3")
    dot = picture.find(f"{NAMESPACE}circle")
    assert dot is not None
    return float(line.get("x1", "")), float(dot.get("cx", "")), float(line.get("x2", ""))


def test_zero_is_in_the_middle_and_better_is_right_of_it() -> None:
    left, middle, right = places(drawn(0.01, 0.0, 0.02, 0.02))

    assert left == WIDTH_PIXELS / 2
    assert WIDTH_PIXELS / 2 < middle < right < WIDTH_PIXELS


@given(
    middle=some.floats(-1, 1),
    below=some.floats(0, 0.5),
    above=some.floats(0, 0.5),
)
def test_the_parts_lie_in_the_order_of_their_values(middle: float, below: float, above: float) -> None:
    left, dot, right = places(drawn(middle, middle - below, middle + above, 2.0))

    assert 0 < left <= dot <= right < WIDTH_PIXELS
    assert dot - WIDTH_PIXELS / 2 == pytest.approx(middle / 2 * (WIDTH_PIXELS / 2 - 9), abs=0.06)


def test_an_interval_that_goes_on_beyond_the_edge_ends_in_an_arrow() -> None:
    inside, beyond = drawn(0.5, 0.1, 0.9, 1.0), drawn(-5.0, -6.0, 0.5, 1.0)

    assert inside.find(f"{NAMESPACE}polygon") is None
    assert beyond.find(f"{NAMESPACE}polygon") is not None
    assert beyond.find(f"{NAMESPACE}circle") is None  # the difference itself is not on the picture


def test_one_wide_interval_does_not_squeeze_the_others() -> None:
    assert shared_extent([0.01, -0.02, 0.015]) == 0.02
    assert shared_extent([0.01, -0.02, 0.015, 9.0]) < 0.1
    assert shared_extent([]) == shared_extent([0.0, 0.0]) == 1.0

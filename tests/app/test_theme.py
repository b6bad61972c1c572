"""Status is an icon, a word and a colour; colours can be told from their ground."""

from __future__ import annotations

import tomllib
from dataclasses import fields

import pytest

from app import theme
from app.components.tables import status_text
from app.theme import Palette
from mlops_core.console_root import console_root
from mlops_core.domain.states import Level

LEGIBLE = 4.5  # WCAG 2.2, success criterion 1.4.3: text of ordinary size
VISIBLE = 3.0  # success criterion 1.4.11: what is not text


@pytest.fixture(params=["light", "dark"])
def palette(request: pytest.FixtureRequest) -> tuple[Palette, str]:
    """A palette with the ground that it is drawn on."""
    config = tomllib.loads((console_root() / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    chosen: Palette = theme._DARK if request.param == "dark" else theme._LIGHT
    return chosen, config["theme"][request.param]["backgroundColor"]


@pytest.mark.parametrize("level", list(Level))
def test_a_level_has_a_symbol_an_icon_and_a_colour(level: Level) -> None:
    style = theme.status_style(level)

    assert len(style.symbol) == 1
    assert not style.symbol.isalnum()
    assert style.icon.startswith(":material/")
    assert style.color in {"red", "orange", "green", "gray"}


def test_levels_that_differ_in_colour_differ_in_symbol_and_icon() -> None:
    styles = {theme.status_style(level) for level in Level}

    assert len({style.color for style in styles}) == len({style.symbol for style in styles})
    assert len({style.color for style in styles}) == len({style.icon for style in styles})


def test_red_is_kept_for_what_needs_a_person_now() -> None:
    assert [level for level in Level if theme.status_style(level).color == "red"] == [
        Level.CRITICAL,
        Level.RETRAIN,
    ]


@pytest.mark.parametrize("level", list(Level))
def test_a_status_in_a_table_is_symbol_and_word(level: Level) -> None:
    assert status_text(level, "In range") == f"{theme.status_style(level).symbol} In range"


def test_text_and_status_colours_are_legible(palette: tuple[Palette, str]) -> None:
    colors, ground = palette

    for name in ("text", "muted", "green", "orange", "red"):
        assert contrast(getattr(colors, name), ground) >= LEGIBLE, name


def test_the_current_window_is_visible_and_stands_out_from_the_reference(
    palette: tuple[Palette, str],
) -> None:
    colors, ground = palette

    assert contrast(colors.current, ground) >= VISIBLE
    assert contrast(colors.current, ground) > contrast(colors.reference, ground)


def test_both_themes_fill_every_place(palette: tuple[Palette, str]) -> None:
    colors, _ = palette

    assert all(getattr(colors, one.name) for one in fields(colors))
    assert len(set(colors.series)) == len(colors.series) == 7


def test_the_light_series_are_those_of_okabe_and_ito() -> None:
    published = {"#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#000000"}

    assert set(theme._LIGHT.series) - published == {"#8C8C8C"}  # grey in place of black and yellow


def contrast(first: str, second: str) -> float:
    """The contrast ratio of WCAG 2.2."""
    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

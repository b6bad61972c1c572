"""An interval as a small picture for a cell of a table: zero in the middle, better to the right."""

from urllib.parse import quote

from app.theme import Palette

__all__ = ["WIDTH_PIXELS", "interval_image", "shared_extent"]

WIDTH_PIXELS = 168
_HEIGHT = 27
_EDGE = 9
_MIDDLE = _HEIGHT / 2


def shared_extent(bounds: list[float]) -> float:
    """Return how far an axis reaches to either side of zero so that most of the bounds fit.

    One interval much wider than the others must not squeeze them to dots: it is cut, and gets an arrow.

    >>> shared_extent([0.01, -0.02, 0.0, 0.5])
    0.08
    """
    sizes = sorted(abs(one) for one in bounds if one)
    if not sizes:
        return 1.0
    return min(sizes[-1], 4 * sizes[len(sizes) // 2])


def interval_image(
    difference: float, lower: float, upper: float, *, extent: float, color: str, colors: Palette
) -> str:
    """Return an interval as the address of an SVG picture of 168 by 27 pixels.

    Parameters
    ----------
    difference, lower, upper
        Positive is better.
    extent
        What the left and the right edge stand for, above 0.
    color
        Of the interval, as CSS.
    """

    def place(value: float) -> float:
        half = WIDTH_PIXELS / 2
        return round(half + max(-1.0, min(1.0, value / extent)) * (half - _EDGE), 1)

    zero, left, right, middle = place(0), place(lower), place(upper), place(difference)
    parts = [
        f"<line x1='{zero}' y1='0' x2='{zero}' y2='{_HEIGHT}' stroke='{colors.muted}' stroke-width='1' "
        "stroke-dasharray='3 2'/>",
        f"<line x1='{left}' y1='{_MIDDLE}' x2='{right}' y2='{_MIDDLE}' stroke='{color}' stroke-width='3'/>",
        _end(left, -1, is_cut=lower < -extent, color=color),
        _end(right, 1, is_cut=upper > extent, color=color),
        f"<circle cx='{middle}' cy='{_MIDDLE}' r='4.5' fill='{color}' stroke='{colors.ground}'/>"
        if abs(difference) <= extent
        else "",
    ]
    picture = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH_PIXELS}' height='{_HEIGHT}' "
        f"viewBox='0 0 {WIDTH_PIXELS} {_HEIGHT}'>{''.join(parts)}</svg>"
    )
    return f"data:image/svg+xml;utf8,{quote(picture, safe=chr(39) + ' =:/')}"


def _end(place: float, side: int, *, is_cut: bool, color: str) -> str:
    """Return how an interval ends: with a stroke across, or an arrow where it goes on beyond the edge."""
    if is_cut:
        tip, back = place + side * 7, place - side
        points = f"{tip},{_MIDDLE} {back},{_MIDDLE - 5} {back},{_MIDDLE + 5}"
        return f"<polygon points='{points}' fill='{color}'/>"
    return (
        f"<line x1='{place}' y1='{_MIDDLE - 5}' x2='{place}' y2='{_MIDDLE + 5}' stroke='{color}' "
        "stroke-width='1.5'/>"
    )

"""Text of other people inside Markdown."""

import re

__all__ = ["plain"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~:$&])")


def plain(text: str) -> str:
    r"""Return a text so that Markdown shows every character as it is.

    >>> print(plain("50 % *off* [here](x)"))
    50 % \*off\* \[here\]\(x\)
    """
    return _SPECIAL.sub(r"\\\1", text)

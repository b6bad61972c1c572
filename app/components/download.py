"""What is shown, as files: tables as CSV, charts as PNG by the browser itself."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import streamlit as st

__all__ = ["csv_of", "draw_downloads", "file_name_of", "picture_config"]

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


def picture_config(file_name: str) -> dict[str, Any]:
    """Return the settings of a chart whose only button saves it as a PNG of twice the size."""
    return {
        "displayModeBar": "hover",
        "displaylogo": False,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"format": "png", "filename": file_name, "scale": 2},
    }


def file_name_of(*words: str) -> str:
    """Return words as the name of a file, without its ending.

    >>> file_name_of("churn-risk", "age=45-54", "", "psi")
    'churn-risk_age-45-54_psi'
    """
    return "_".join(_UNFIT.sub("-", word).strip("-") for word in words if word)


def csv_of(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return a table as CSV (RFC 4180) in UTF-8; None is an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def draw_downloads(files: Mapping[str, tuple[str, Callable[[], bytes]]], *, key: str, link: str = "") -> None:
    """Draw a button that opens what can be saved; a file is made when it is asked for.

    Parameters
    ----------
    files
        By what its button says: the name of the file without its ending, and what makes its bytes.
    link
        The address of what is shown, to pass on.
    """
    with st.popover("", icon=":material/download:", type="tertiary", key=key, help="Download, or pass on"):
        for number, (label, (name, make)) in enumerate(files.items()):
            st.download_button(
                f"{label}, as CSV",
                data=make,
                file_name=f"{name}.csv",
                mime="text/csv",
                icon=":material/download:",
                on_click="ignore",
                key=f"{key}_{number}",
                width="stretch",
            )
        st.caption("A chart is saved as a picture by the camera at its upper right.")
        if link:
            st.markdown(":gray[A link to this view]")
            st.code(link, language=None, wrap_lines=True)

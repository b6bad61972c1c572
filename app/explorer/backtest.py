"""Whether a monitor of a column would have warned before accuracy fell, and from which threshold."""

import pandas as pd
import streamlit as st

from app.cache import until_changed
from app.components.backtest_chart import draw_backtest_chart
from app.components.download import csv_of, draw_downloads, file_name_of
from app.components.plain import plain
from app.components.tables import ROW_PIXELS
from app.components.titles import draw_title
from app.explorer.address import View
from app.explorer.span import choose_span
from app.explorer.words import first_upper, short_name
from app.theme import palette
from mlops_core.domain.errors import BigboardError
from mlops_core.explanation.backtest import Backtest, ThresholdOutcome, backtest_column

__all__ = ["draw_backtest"]

_backtest = until_changed(backtest_column)


def draw_backtest(view: View) -> None:
    """Draw what each threshold would have done over all that is stored of the column."""
    try:
        found = _backtest(
            view.model, column=view.column, statistic=view.statistic, segment=view.segment, days=view.days
        )
    except BigboardError as error:
        choose_span(view, "explorer_backtest_span", labelled=False)
        st.info(plain(f"{first_upper(str(error))}."), icon=":material/history_toggle_off:")
        return
    with draw_title(found.sentence, actions=0.26):
        choose_span(view, "explorer_backtest_span", labelled=False)
        name = file_name_of(view.model, "backtest", view.column, view.statistic, view.segment)
        draw_downloads(
            {
                "The thresholds": (name, lambda: _outcomes_csv(found)),
                "The windows": (f"{name}_windows", lambda: _windows_csv(found)),
            },
            key="explorer_backtest_download",
        )
    st.markdown(f":small[:gray[{plain(f'{short_name(view.statistic)} of {view.column}. {found.reason}')}]]")
    draw_backtest_chart(
        found,
        unit=short_name(view.statistic),
        key="explorer_backtest_chart",
        alt=f"When each threshold on {short_name(view.statistic)} of {view.column} would have warned",
        file_name=file_name_of(view.model, "backtest", view.column, view.statistic),
    )
    _draw_outcomes(found)
    if found.notes:
        st.caption(plain(" ".join(found.notes)))


def _draw_outcomes(found: Backtest) -> None:
    outcomes = sorted(found.outcomes, key=lambda one: one is not found.proposed)
    falls = len(found.falls)
    frame = pd.DataFrame(
        {
            "name": [one.name for one in outcomes],
            "limit": [one.limit.value for one in outcomes],
            "warnings": [len(one.warnings) for one in outcomes],
            "caught": [f"{one.falls_caught} of {falls}" if falls else "—" for one in outcomes],
            "lead": [_lead(one) for one in outcomes],
            "false": [one.false_warnings for one in outcomes],
            "missed": [one.missed for one in outcomes],
            "reason": [one.limit.reason for one in outcomes],
        }
    )
    css = [f"color: {palette().green}; font-weight: 600" if one is found.proposed else "" for one in outcomes]
    st.dataframe(
        frame.style.apply(lambda _: css, subset=["name"]),
        hide_index=True,
        column_config={
            "name": st.column_config.TextColumn("Threshold", width=100),
            "limit": st.column_config.NumberColumn("From", format="%.3g", width=60),
            "warnings": st.column_config.NumberColumn("Warnings", width=72),
            "caught": st.column_config.TextColumn("Falls warned of", width=105),
            "lead": st.column_config.TextColumn("Days ahead", width=82),
            "false": st.column_config.NumberColumn("False", width=52),
            "missed": st.column_config.NumberColumn("Missed", width=62),
            "reason": st.column_config.TextColumn("Why this value", width=230),
        },
        row_height=ROW_PIXELS,
        height=ROW_PIXELS * (len(outcomes) + 1) + 4,
        alt="What each threshold would have done",
    )


def _lead(outcome: ThresholdOutcome) -> str:
    leads = sorted(outcome.lead_days)
    if not leads:
        return "—"
    return f"{leads[0]:g}" if leads[0] == leads[-1] else f"{leads[0]:g} to {leads[-1]:g}"


def _outcomes_csv(found: Backtest) -> bytes:
    return csv_of(
        ("threshold", "limit", "warnings", "falls_warned_of", "false_warnings", "missed", "reason"),
        [
            (
                one.name,
                one.limit.value,
                len(one.warnings),
                one.falls_caught,
                one.false_warnings,
                one.missed,
                one.limit.reason,
            )
            for one in found.outcomes
        ],
    )


def _windows_csv(found: Backtest) -> bytes:
    return csv_of(
        ("from", "until", found.statistic, "rows"),
        [
            (window.start.date(), window.end.date(), value, rows)
            for window, value, rows in zip(found.windows, found.values, found.rows, strict=True)
        ],
    )

"""Save what is shown as a monitor: one click, or after choosing another threshold."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app import session
from app.cache import until_changed
from app.components.plain import plain
from app.explorer.address import View
from app.explorer.span import choose_span
from app.explorer.words import in_segment, short_name
from mlops_core.domain.errors import BigboardError, NotPermitted
from mlops_core.domain.states import Level, MonitorKind
from mlops_core.explanation.backtest import Backtest, ThresholdOutcome, backtest_column
from mlops_core.explanation.movement import limits_of
from mlops_core.monitoring.levels import Limit
from mlops_core.monitoring.monitors import MAY_SAVE_MONITORS, save_monitor
from mlops_core.monitoring.thresholds import AnyThreshold, ConstantThreshold, LearnedThreshold, RuleOfThumb
from mlops_core.statistics import DRIFT_STATISTICS
from mlops_core.workspace import require_role

__all__ = ["draw_saved", "draw_saving"]


@dataclass(frozen=True, slots=True)
class _Offer:
    """Thresholds to choose, and where their levels begin."""

    name: str
    thresholds: Sequence[AnyThreshold]
    limits: Sequence[Limit]

    @property
    def words(self) -> str:
        """Return where the levels begin: `warning from 0.12`."""
        return ", ".join(
            f"{one.level} {'from' if one.above else 'down from'} {one.value:.3g}" for one in self.limits
        )


_backtest = until_changed(backtest_column)
_SAID = "explorer_said"
_OTHER = "another value"


def draw_saving(view: View) -> None:
    """Draw the button that saves a monitor with the threshold that is proposed, and the choice of others."""
    refused = _refused()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xxsmall", width="content"):
        st.button(
            "Save as monitor",
            icon=":material/notification_add:",
            key="explorer_save",
            disabled=bool(refused),
            help=refused or f"Watches {plain(_what(view))} with the threshold that is proposed",
            on_click=_save,
            args=(view, None),
        )
        choice = st.popover(
            "",
            icon=":material/tune:",
            key="explorer_choose",
            disabled=bool(refused),
            help=refused or "Choose the threshold first",
            on_change="rerun",
        )
    if choice.open and not refused:
        with choice:
            _draw_choice(view)


def draw_saved() -> bool:
    """Say in one line what came of saving, once; return whether there was something to say."""
    said = st.session_state.pop(_SAID, None)
    if said is None:
        return False
    saved, text = said[0], plain(said[1])
    if saved:
        st.toast(text, icon=":material/notification_add:")
        st.markdown(f":green[:material/notification_add: {text}]")
    else:
        st.markdown(f":orange[:material/notifications_off: {text}]")
    return True


def _refused() -> str:
    try:
        require_role(session.current_actor(), "save a monitor", *MAY_SAVE_MONITORS)
    except NotPermitted as error:
        return str(error)
    return ""


def _draw_choice(view: View) -> None:
    st.markdown(f"**Watch {plain(_what(view))}**")

    choose_span(view, "explorer_span")
    offers = {offer.name: offer for offer in _offers(view)}
    name = st.radio(
        "Threshold",
        [*offers, _OTHER],
        format_func=lambda one: (
            f"{one.capitalize()}: {offers[one].words}" if one in offers else "Another value"
        ),
        key="explorer_threshold",
    )
    offer = offers.get(name or _OTHER) or _draw_constant(view)
    st.button(
        "Save",
        icon=":material/notification_add:",
        key="explorer_save_chosen",
        on_click=_save,
        args=(view, offer),
    )


def _draw_constant(view: View) -> _Offer:
    above = DRIFT_STATISTICS[view.statistic].higher_is_drift
    level = st.segmented_control(
        "Level",
        [Level.WARNING, Level.CRITICAL],
        default=Level.WARNING,
        key="explorer_level",
        required=True,
    )
    value = st.number_input(
        "From" if above else "Down from",
        min_value=0.0,
        value=0.1 if above else 0.05,
        step=0.01,
        format="%.4g",
        key="explorer_value",
    )
    return _offer_of(_OTHER, [ConstantThreshold(level, value, above)])


def _offers(view: View) -> list[_Offer]:
    """Return the thresholds to choose from, the one to take first."""
    try:
        found: Backtest | None = _backtest(
            view.model, column=view.column, statistic=view.statistic, segment=view.segment, days=view.days
        )
    except BigboardError:
        found = None  # too few windows to replay: custom alone can say
    offers = []
    if limits_of(view.statistic):
        rules = [RuleOfThumb(one.level, view.statistic) for one in limits_of(view.statistic)]
        offers.append(_offer_of("rule of thumb", rules))
    if found is not None:
        named = {one.name: _Offer(one.name, [_kept(one, view)], [one.limit]) for one in found.outcomes}
        named.pop("rule of thumb", None)
        proposed = [named.pop("proposed")] if found.proposed else []
        offers = [*proposed, *offers, *named.values()]
    return offers


def _kept(outcome: ThresholdOutcome, view: View) -> AnyThreshold:
    """Return the threshold to store: of a segment nothing can be learned, but that of all rows holds."""
    limit = outcome.limit
    if view.segment and isinstance(outcome.threshold, LearnedThreshold):
        return ConstantThreshold(limit.level, limit.value, limit.above, f"of all rows: {limit.reason}")
    return outcome.threshold


def _offer_of(name: str, thresholds: Sequence[ConstantThreshold | RuleOfThumb]) -> _Offer:
    return _Offer(name, thresholds, [one.resolve() for one in thresholds])


def _save(view: View, offer: _Offer | None) -> None:
    """Save a monitor, with the first offer where none was chosen, and keep in mind what came of it."""
    chosen = offer or next(iter(_offers(view)), None)
    if chosen is None:
        text = f"No threshold of {_what(view)} can be proposed: choose a value beside the button."
        st.session_state[_SAID] = (False, text)
        return
    try:
        save_monitor(
            session.workspace(),
            session.current_actor(),
            view.model,
            kind=MonitorKind.DRIFT,
            statistic=view.statistic,
            column=view.column,
            segment=view.segment,
            window_days=view.days,
            thresholds=chosen.thresholds,
        )
    except BigboardError as error:
        st.session_state[_SAID] = (False, f"Not saved: {error}.")
        return
    span = "day" if view.days == 1 else "week"
    st.session_state[_SAID] = (True, f"Monitor saved: {_what(view)}, {chosen.words}, measured by the {span}.")


def _what(view: View) -> str:
    return f"{short_name(view.statistic)} of {view.column}{in_segment(view.segment)}"

"""The board: every production model with its newest figures, worst first."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session, and_, case, col, func, select

from mlops_core.domain import (
    Actor,
    JobRun,
    Measurement,
    Metric,
    Model,
    Monitor,
    OutcomeSlice,
    StoredSlice,
    Threshold,
)
from mlops_core.domain.states import Level, MonitorKind, Origin
from mlops_core.monitoring.findings import Finding, outcomes_in, statistic_name
from mlops_core.monitoring.levels import judge, worst
from mlops_core.monitoring.run import last_run
from mlops_core.monitoring.watch import thresholds_of
from mlops_core.registry.models import champions, list_models
from mlops_core.workspace import Workspace

__all__ = ["Board", "BoardRow", "Latency", "describe_metric", "read_board"]

_USAGE_WINDOWS = 26


@dataclass(frozen=True, slots=True)
class Latency:
    """Response times of the newest window, in milliseconds, None when nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None
    objective: float


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One production model.

    Attributes
    ----------
    usage
        Predictions in each of up to 26 windows, oldest first.
    findings
        Every judged measurement of the newest window, worst first.
    trained
        The primary metric on held-out data when the version was registered.
    outcomes_to
        The day of the newest predictions whose outcome is known.
    """

    model: str
    version: int
    owner: str
    problem_type: str
    metric: str | None
    findings: Sequence[Finding]
    usage: Sequence[int]
    latency: Latency
    last_prediction: datetime | None
    trained: float | None
    outcomes_to: datetime | None

    @property
    def level(self) -> Level:
        """Return the worst level among the findings."""
        return worst(finding.level for finding in self.findings)

    @property
    def status(self) -> str:
        """Return the words for the worst finding."""
        return self.findings[0].label if self.findings else "Not measured"

    @property
    def needs_attention(self) -> bool:
        """Return whether a monitor is outside its range."""
        return self.level.is_outside

    def finding(self, kind: MonitorKind) -> Finding | None:
        """Return the worst finding of a kind: for drift, the column that moved furthest."""
        return next((finding for finding in self.findings if finding.kind == kind), None)

    @property
    def predictions(self) -> int:
        """Return the predictions of the newest window."""
        return self.usage[-1] if self.usage else 0

    @property
    def measured(self) -> float | None:
        """Return the primary metric of the newest window whose outcomes are known."""
        finding = self.finding(MonitorKind.PERFORMANCE)
        return finding.value if finding else None

    @property
    def outcomes(self) -> str:
        """Return how many outcomes of that window have arrived, in words; empty when it is not known."""
        finding = self.finding(MonitorKind.PERFORMANCE)
        return outcomes_in(finding.outcomes_share) if finding else ""


@dataclass(frozen=True, slots=True)
class Board:
    """The whole board at one moment.

    Attributes
    ----------
    monitors, reporting
        How many monitors there are, and how many of them have measured something.
    """

    now: datetime
    last_run: JobRun | None
    rows: Sequence[BoardRow]
    monitors: int
    reporting: int
    attention: Sequence[BoardRow] = field(init=False)

    def __post_init__(self) -> None:
        """Pick out the models that need attention."""
        object.__setattr__(self, "attention", [row for row in self.rows if row.needs_attention])

    @property
    def level(self) -> Level:
        """Return the worst level of any model."""
        return worst(row.level for row in self.rows)

    @property
    def is_stale(self) -> bool:
        """Return whether silence proves nothing, because the monitors have not run for a day."""
        finished = self.last_run.finished_at if self.last_run else None
        return finished is None or self.now - finished > timedelta(days=1)

    @property
    def outcomes_to(self) -> datetime | None:
        """Return the day up to which the outcomes of some model are known."""
        return max((row.outcomes_to for row in self.rows if row.outcomes_to), default=None)

    @property
    def headline(self) -> str:
        """Return the sentence that answers whether anything is on fire."""
        total = len(self.rows)
        if not total:
            return "No model is in production yet"
        if self.is_stale:
            return f"Unknown: the monitors of {_models(total)} have not run for a day"
        if not self.attention:
            return f"All clear: {_models(total)} in range"
        critical = [row for row in self.attention if row.level.severity >= Level.CRITICAL.severity]
        if critical:
            return f"{_models(len(critical))} of {total} need{'s' if len(critical) == 1 else ''} a person now"
        names = ", ".join(row.model for row in self.attention[:3])
        more = f" and {len(self.attention) - 3} more" if len(self.attention) > 3 else ""
        return f"No fire: {len(self.attention)} of {_models(total)} to watch ({names}{more})"


def read_board(workspace: Workspace, only: Model | None = None) -> Board:
    """Return every production model, or only one, with its newest figures, worst first."""
    with workspace.store.read() as session:
        loaded = _Loaded(session, only, workspace.clock.now())
        chosen = [only] if only else list_models(session)
        rows = [loaded.row(model) for model in chosen if model.id in loaded.champions]
    rows.sort(key=lambda row: (-row.level.severity, -_worst_drift(row), row.model))
    return Board(
        now=workspace.clock.now(),
        last_run=last_run(workspace),
        rows=rows,
        monitors=len(loaded.monitors),
        reporting=len(loaded.newest),
    )


class _Loaded:
    """What the board reads, with one query for each kind of row however many models there are."""

    def __init__(self, session: Session, only: Model | None, now: datetime) -> None:
        self.now = now
        self.champions = champions(session)
        if only:
            self.champions = {key: version for key, version in self.champions.items() if key == only.id}
        self.owners = {actor.id: actor.full_name for actor in session.exec(select(Actor))}
        ids = [version.id for version in self.champions.values()]
        self.monitors = list(
            session.exec(
                select(Monitor).where(col(Monitor.model_version_id).in_(ids), col(Monitor.ended_at).is_(None))
            )
        )
        self.thresholds = thresholds_of(session, self.monitors)
        self.newest = _newest_window(session, [monitor.id for monitor in self.monitors])
        self.usage = _usage(session, ids)
        self.trained = {
            (metric.model_version_id, metric.name): metric.value
            for metric in session.exec(select(Metric).where(col(Metric.model_version_id).in_(ids)))
        }
        self.last_prediction = dict(
            session.exec(
                select(StoredSlice.model_version_id, func.max(StoredSlice.latest))
                .where(StoredSlice.origin == Origin.PRODUCTION, StoredSlice.segment == "")
                .group_by(col(StoredSlice.model_version_id))
            ).all()
        )
        self.outcomes_to = dict(
            session.exec(
                select(OutcomeSlice.model_version_id, func.max(OutcomeSlice.start))
                .where(OutcomeSlice.origin == Origin.PRODUCTION, OutcomeSlice.segment == "")
                .group_by(col(OutcomeSlice.model_version_id))
            ).all()
        )
        self._monitors_of: dict[int, list[Monitor]] = defaultdict(list)
        for monitor in self.monitors:
            self._monitors_of[monitor.model_version_id].append(monitor)

    def row(self, model: Model) -> BoardRow:
        version = self.champions[model.id]
        monitors = self._monitors_of[version.id]
        latency = {
            row.statistic: row.value
            for monitor in monitors
            if monitor.kind == MonitorKind.LATENCY
            for row in self.newest.get(monitor.id, [])
        }
        return BoardRow(
            model=model.name,
            version=version.number,
            owner=self.owners[model.owner_id],
            problem_type=model.problem_type,
            metric=model.primary_metric,
            findings=self._findings(monitors),
            usage=self.usage.get(version.id, []),
            latency=Latency(
                p50=latency.get("p50"),
                p95=latency.get("p95"),
                p99=latency.get("p99"),
                objective=model.latency_objective_ms,
            ),
            last_prediction=self.last_prediction.get(version.id),
            trained=self.trained.get((version.id, model.primary_metric or "")),
            outcomes_to=self.outcomes_to.get(version.id),
        )

    def _findings(self, monitors: Iterable[Monitor]) -> list[Finding]:
        findings = [
            self._finding(monitor, row)
            for monitor in monitors
            for row in self.newest.get(monitor.id, [])
            if row.level != Level.UNJUDGED
        ]
        return sorted(findings, key=lambda found: (-found.level.severity, -(found.value or 0.0)))

    def _finding(self, monitor: Monitor, row: Measurement) -> Finding:
        value, level, limits = row.value, Level(row.level), self.thresholds[monitor.id]
        last = self.last_prediction.get(monitor.model_version_id)
        if monitor.kind == MonitorKind.FRESHNESS and last is not None:
            # An age grows between two runs: what was measured is stored only when its level changes.
            value = (self.now - last) / timedelta(hours=1)
            level = judge(value, limits)
        return Finding(
            kind=MonitorKind(monitor.kind),
            level=level,
            statistic=row.statistic,
            column=row.column,
            value=value,
            rows=row.rows,
            window_start=row.window_start,
            window_end=row.window_end,
            limit=_nearest_limit(value, level, limits),
            lower=row.lower,
            upper=row.upper,
            outcomes_share=row.outcomes_share,
            segment=monitor.segment,
        )


def _newest_window(session: Session, monitors: Sequence[int]) -> dict[int, list[Measurement]]:
    """Return the measurements of each monitor's newest window, each in its newest state.

    A window in which nothing could be judged, because it holds too little, leaves the word to the one before.
    """
    start = col(Measurement.window_start)
    judged = case((col(Measurement.level) != Level.UNKNOWN, start))
    last = (
        select(Measurement.monitor_id, func.coalesce(func.max(judged), func.max(start)).label("start"))
        .where(col(Measurement.monitor_id).in_(monitors))
        .group_by(col(Measurement.monitor_id))
        .subquery()
    )
    rows = session.exec(
        select(Measurement)
        .join(
            last,
            and_(
                col(Measurement.monitor_id) == last.c.monitor_id,
                col(Measurement.window_start) == last.c.start,
            ),
        )
        .order_by(col(Measurement.id))
    )
    newest: dict[int, dict[tuple[str, str], Measurement]] = defaultdict(dict)
    for row in rows:
        newest[row.monitor_id][row.statistic, row.column] = row
    return {monitor: list(found.values()) for monitor, found in newest.items()}


def _usage(session: Session, versions: Sequence[int]) -> dict[int, list[int]]:
    """Return the predictions in each of the newest windows, oldest first.

    The last one is the newest window in which any model of the same cadence has predicted: a model that
    has not is given a 0 there.
    """
    rows = session.exec(
        select(Monitor.model_version_id, Monitor.window_days, Measurement.window_start, Measurement.rows)
        .join(Monitor, col(Monitor.id) == col(Measurement.monitor_id))
        .where(col(Monitor.model_version_id).in_(versions), Measurement.statistic == "predictions")
        .order_by(col(Measurement.id))
    )
    windows: dict[tuple[int, int], dict[datetime, int]] = defaultdict(dict)
    newest: dict[int, datetime] = {}
    for version, days, start, count in rows:
        windows[version, days][start] = count
        newest[days] = max(start, newest.get(days, start))
    usage = {}
    for (version, days), found in windows.items():
        span = timedelta(days=days)
        number = min((newest[days] - min(found)) // span + 1, _USAGE_WINDOWS)
        usage[version] = [found.get(newest[days] - n * span, 0) for n in reversed(range(number))]
    return usage


def _nearest_limit(value: float | None, level: Level, thresholds: Sequence[Threshold]) -> float | None:
    """Return the threshold that a value has reached, or the first one it could reach."""
    mine = [one for one in thresholds if one.level == level]
    candidates = mine or [one for one in thresholds if one.level == Level.WARNING]
    if not candidates or value is None:
        return None
    return min(candidates, key=lambda one: abs(one.value - value)).value


def _worst_drift(row: BoardRow) -> float:
    drift = row.finding(MonitorKind.DRIFT)
    return drift.value if drift and drift.value is not None else 0.0


def _models(count: int) -> str:
    return "1 model" if count == 1 else f"{count} models"


def describe_metric(row: BoardRow) -> str:
    """Return the measured figure with its name, such as `AUC 0.83`; a dash when there is none."""
    if row.metric is None or row.measured is None:
        return "—"
    digits = 2 if row.measured < 10 else 1
    return f"{statistic_name(row.metric)} {row.measured:.{digits}f}"

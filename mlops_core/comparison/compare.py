"""Compare a challenger with the champion on the same evaluation snapshot, row by row, and keep the report."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from mlops_core.analysis.paired_bootstrap import RESAMPLES, SEED
from mlops_core.analysis.paired_metrics import metrics_of
from mlops_core.comparison.agreement import agreement_of
from mlops_core.comparison.answers import PairedSnapshot, pair_answers
from mlops_core.comparison.calibration import calibration_points
from mlops_core.comparison.differences import compare_metrics
from mlops_core.comparison.fairness import fairness_differences
from mlops_core.comparison.latency import time_both
from mlops_core.comparison.report import CalibrationPoint, ComparisonReport, FairnessDifference, Latency
from mlops_core.comparison.segments import segments_of
from mlops_core.comparison.stored import comparison_of_job, store_comparison
from mlops_core.comparison.verdict import MARGIN, judge
from mlops_core.comparison.wording import verdict_sentence
from mlops_core.domain import Actor, Model, ModelVersion, Snapshot
from mlops_core.domain.errors import InvalidInput, NotFound, ScoringError
from mlops_core.domain.progress import Progress, unheard
from mlops_core.domain.states import ProblemType
from mlops_core.registry.cards import card_of
from mlops_core.registry.evaluation_data import evaluation_of
from mlops_core.registry.models import MAKERS, champion_of, find_model, find_version
from mlops_core.registry.snapshots import name_of
from mlops_core.scoring import can_be_asked, score_snapshot
from mlops_core.workspace import Workspace, require_role

__all__ = ["compare_versions"]

_STEPS: Final = 100
_DRAWING, _TIMING, _STORING = 20, 80, 98
_MOST_FAIR_CLASSES: Final = 20
_MOST_GROUPS: Final = 20
_DEFAULT_METRICS: Final = {
    ProblemType.BINARY: ("roc_auc", "accuracy"),
    ProblemType.MULTICLASS: ("accuracy",),
    ProblemType.REGRESSION: ("rmse",),
}


def compare_versions(
    workspace: Workspace,
    actor: Actor,
    model_name: str,
    challenger: int,
    champion: int | None = None,
    *,
    snapshot: Snapshot | None = None,
    margin: float = MARGIN,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    progress: Progress = unheard,
    job_id: int | None = None,
) -> ComparisonReport:
    """Compare two versions of a model on the same rows, judge the challenger, and store the report.

    Parameters
    ----------
    champion
        The version to compare with; None for the champion of this moment.
    snapshot
        None for the challenger's evaluation snapshot.
    margin
        By how much a segment may be worse; see `mlops_core.comparison.verdict.margin_of`.
    progress
        Called between stages and blocks of resamples; raises `Cancelled` to stop, with nothing stored.
    job_id
        The job that asks. Begun again, it gets the report that it has stored before.

    Returns
    -------
    ComparisonReport
        With verdict `no_evidence` and the reason where the rows are too few, or of one outcome alone.

    Raises
    ------
    NotFound
        There is no such model or version, or no champion yet.
    InvalidInput
        Both are the same version, there is no evaluation snapshot, it lacks columns or outcomes, or a version
        predicts what cannot be measured.
    ScoringError
        A version cannot be asked and has no predictions for the snapshot, or did not answer.
    NotPermitted
    """
    require_role(actor, "compare versions", *MAKERS)
    if not 0 <= margin < 1 or resamples < 100:
        raise InvalidInput(
            f"a margin of {margin} and {resamples} resamples cannot be used: choose a margin from 0 to 1, "
            "and at least 100 resamples"
        )
    pair = _pair(workspace, model_name, challenger, champion, snapshot)
    if job_id is not None:
        known = comparison_of_job(workspace, job_id, pair.challenger, pair.champion)
        if known is not None:
            return known
    paired = _score(workspace, pair, progress)
    notes = [*pair.notes, *paired.notes]
    primary = _primary(pair.model, paired, notes)
    segments, left_out = segments_of(paired.table, pair.model.segment_columns)
    found = compare_metrics(
        paired.rows,
        primary,
        segments,
        margin=margin,
        resamples=resamples,
        seed=seed,
        heard=_part(progress, _DRAWING, _TIMING, "Drawing the rows again, {done:,} of {total:,} times"),
    )
    notes += [*left_out, *found.notes]
    fairness = _fairness(pair, paired, resamples, seed, notes)
    calibration = [_calibration(paired, place) for place in (0, 1)]
    latency = _latency(workspace, pair, paired.table, progress, notes)
    judgement = judge(found.metrics[0], found.segments)
    columns, before = pair.challenger.columns, pair.champion.columns
    progress(_STORING, _STEPS, "Storing the report")
    report = ComparisonReport(
        model=pair.model.name,
        challenger=pair.challenger.number,
        champion=pair.champion.number,
        snapshot=name_of(pair.snapshot),
        rows=len(paired.rows),
        primary=found.metrics[0],
        metrics=found.metrics,
        segments=found.segments,
        margin=found.margin,
        verdict=judgement.verdict,
        sentence=verdict_sentence(
            pair.label(pair.challenger),
            pair.label(pair.champion),
            found.metrics[0],
            judgement,
            segments=len(found.segments),
            margin=found.margin,
            reason=found.reason,
        ),
        agreement=agreement_of(paired.rows, paired.classes),
        challenger_calibration=calibration[0],
        champion_calibration=calibration[1],
        latency=latency,
        challenger_bytes=pair.challenger.artefact_bytes,
        champion_bytes=pair.champion.artefact_bytes,
        features_added=[name for name in columns if name not in before],
        features_dropped=[name for name in before if name not in columns],
        fairness=fairness,
        resamples=resamples,
        seed=seed,
        at=workspace.clock.now(),
        worse_segment=judgement.segment.segment if judgement.segment else "",
        notes=notes,
    )
    return store_comparison(workspace, actor, report, pair.challenger, pair.champion, pair.snapshot, job_id)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Who is compared, and on what."""

    model: Model
    challenger: ModelVersion
    champion: ModelVersion
    snapshot: Snapshot
    protected: tuple[str, ...]
    notes: tuple[str, ...]

    def label(self, version: ModelVersion) -> str:
        return f"{self.model.name}:{version.number}"


def _pair(
    workspace: Workspace, model_name: str, challenger: int, champion: int | None, snapshot: Snapshot | None
) -> _Pair:
    with workspace.store.read() as session:
        model = find_model(session, model_name)
        mine = find_version(session, model, challenger)
        if model.problem_type == ProblemType.CLUSTERING:
            raise InvalidInput(
                f"model '{model.name}' has no outcomes to be measured by: it is a clustering model"
            )
        if champion is not None:
            theirs = find_version(session, model, champion)
        else:
            try:
                theirs = champion_of(session, model)
            except NotFound as error:
                raise NotFound(
                    f"model '{model.name}' has no champion that version {challenger} could be compared with: "
                    "promote a version first, or name the version to compare with"
                ) from error
        if mine.id == theirs.id:
            raise InvalidInput(
                f"{model.name}:{challenger} cannot be compared with itself: name another version"
            )
        chosen = snapshot or evaluation_of(session, mine)
        if chosen is None:
            raise InvalidInput(
                f"{model.name}:{challenger} has no evaluation snapshot: register it with one, or name the "
                "snapshot to compare on"
            )
        card = card_of(session, mine)
        other = evaluation_of(session, theirs)
    notes = []
    if other is not None and other.id != chosen.id:
        notes.append(
            f"{model.name}:{theirs.number} was evaluated on {name_of(other)} when it was registered; here "
            f"both are measured on {name_of(chosen)}"
        )
    return _Pair(model, mine, theirs, chosen, card.protected_attributes if card else (), tuple(notes))


def _score(workspace: Workspace, pair: _Pair, progress: Progress) -> PairedSnapshot:
    scored = []
    for place, version in enumerate((pair.challenger, pair.champion)):
        label = pair.label(version)
        progress(place * _DRAWING // 2, _STEPS, f"Scoring {pair.snapshot.rows:,} rows with {label}")
        scored.append((label, score_snapshot(workspace, version, pair.snapshot)))
    progress(_DRAWING, _STEPS, "Pairing the answers")
    (mine, first), (theirs, second) = scored
    problem = ProblemType(pair.model.problem_type)
    return pair_answers(problem, first.rows, (mine, first.predictions), (theirs, second.predictions))


def _primary(model: Model, paired: PairedSnapshot, notes: list[str]) -> str:
    if model.primary_metric is not None:
        return model.primary_metric
    allowed = metrics_of(paired.rows)
    chosen = next(one for one in _DEFAULT_METRICS[ProblemType(model.problem_type)] if one in allowed)
    notes.append(f"the model has no primary metric: judged by {chosen}")
    return chosen


def _calibration(paired: PairedSnapshot, version: int) -> list[CalibrationPoint]:
    rows = paired.rows
    answers = (rows.challenger, rows.champion)[version]
    if rows.problem != "multiclass":
        return [] if answers.numbers is None else calibration_points(answers.numbers, rows.outcomes)
    confidence = paired.confidence[version]
    if confidence is None or answers.labels is None:
        return []
    return calibration_points(confidence, (answers.labels == rows.outcomes).astype("float64"))


def _fairness(
    pair: _Pair, paired: PairedSnapshot, resamples: int, seed: int, notes: list[str]
) -> list[FairnessDifference]:
    if pair.protected and len(paired.classes) > _MOST_FAIR_CLASSES:
        notes.append(
            f"fairness is not compared for {len(paired.classes)} classes ({_MOST_FAIR_CLASSES} at most)"
        )
        return []
    found: list[FairnessDifference] = []
    for attribute in pair.protected:
        groups, left_out = segments_of(paired.table, [attribute], most=_MOST_GROUPS, what="groups")
        notes += left_out
        if len(groups) == 1:
            notes.append(f"fairness by {attribute} is not compared: {groups[0].name} alone is large enough")
        found += fairness_differences(paired.rows, attribute, groups, resamples=resamples, seed=seed)
    return found


def _latency(
    workspace: Workspace, pair: _Pair, table: pa.Table, progress: Progress, notes: list[str]
) -> Latency | None:
    silent = [pair.label(one) for one in (pair.challenger, pair.champion) if not can_be_asked(one)]
    if silent:
        notes.append(f"response times are not compared: {' and '.join(silent)} cannot be asked")
        return None
    try:
        return time_both(
            workspace,
            pair.challenger,
            pair.champion,
            table,
            heard=lambda: progress(_TIMING, _STEPS, "Timing requests of one row"),
        )
    except ScoringError as error:
        notes.append(f"response times are not compared: {error}")
        return None


def _part(progress: Progress, start: int, end: int, doing: str) -> Callable[[int, int], None]:
    """Return what reports one stage, between two of the hundred steps."""

    def heard(done: int, total: int) -> None:
        progress(start + (end - start) * done // total, _STEPS, doing.format(done=done, total=total))

    return heard

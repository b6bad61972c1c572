"""Plant ten drifts, each alone, in real predictions, and see whether the explanation names them first.

The rows are those of a model of the demo: its own reference, and the last eight weeks of its prediction log.
A drift is planted in the last four weeks, the version's own estimator scores these rows again, everything is
logged into a fresh workspace, and `explain_model` is asked why they differ from the reference. What shows
only in columns together is asked of `tell_windows_apart`. What moved in one segment has to be named with that
segment: as the one that explains most of the move, or, where no input drifted over all rows, as the first of
those that drifted inside a segment. A label shift counts as named first if the prediction is the first of the
outputs: the inputs that it follows from move with it, and are named before it.

The same weeks as they are, and weeks that are rows of the reference left out of it, show what is named where
nothing was planted. Real weeks are not free of drift: the season changes.

Run it alone, on a demo that nobody serves: ``python benchmarks/planted_drifts.py WORKSPACE [MODEL ...]``.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.drifts_to_plant import DRIFTS, WEEK, WEEKS, Case, Plant, Planted
from mlops_core.clock import FixedClock
from mlops_core.domain.states import LogKind, Stage
from mlops_core.explanation.explain import explain_model
from mlops_core.explanation.ranking import OUTPUTS
from mlops_core.explanation.results import Explanation, SegmentDrift
from mlops_core.explanation.together import Together, tell_windows_apart
from mlops_core.features import store_training_data
from mlops_core.monitoring import log_predictions, run_monitoring
from mlops_core.monitoring.logs import VERSION, log_table
from mlops_core.registry import (
    CommitState,
    NewVersion,
    create_model,
    move_version,
    promote_version,
    register_version,
)
from mlops_core.registry.artefacts import load_estimator
from mlops_core.registry.importance import importance_of
from mlops_core.registry.models import champion_of, find_model
from mlops_core.registry.reference_sample import read_reference_sample
from mlops_core.settings import Settings
from mlops_core.workspace import SYSTEM, Workspace, actor_named, open_workspace

MODELS = ("spend-forecast", "coupon-redemption", "private-label-affinity")


@dataclass(frozen=True)
class Verdict:
    """What was named, and where the planted column stands.

    Attributes
    ----------
    place
        Of the planted column among the inputs that drifted, from 1; of an output, among the outputs; of a
        pair that turned against each other, the earlier of the two among those that tell most. None if it is
        not there, or the segment or the other column is not named with it.
    """

    drift: str
    planted: str
    place: int | None
    p_value: float | None
    sentence: str
    named: str

    @property
    def first(self) -> bool:
        """Whether the planted column, or pair, was named before all others."""
        return self.place == 1


def judge(drift: str, planted: Planted, found: Explanation) -> Verdict:
    """Look the planted column up among those that drifted."""
    name = planted.columns[0]
    named = [one.column for one in found.drifted]
    alike = [one for one in named if (one in OUTPUTS) == (name in OUTPUTS)]
    title = f"{name}, {planted.segment}" if planted.segment else name
    if name not in alike:
        return Verdict(drift, title, None, None, found.headline, ", ".join(named[:4]))
    one = next(one for one in found.drifted if one.column == name)
    place: int | None = alike.index(name) + 1
    if planted.segment and (not one.segments or one.segments[0].segment != planted.segment):
        place = None
    sentence = one.move.sentence if one.move else ""
    return Verdict(drift, title, place, one.adjusted_p_value, sentence, ", ".join(named[:4]))


def judge_inside(verdict: Verdict, planted: Planted, found: Sequence[SegmentDrift]) -> Verdict:
    """Look a column that did not drift over all rows up among those that drifted inside a segment."""
    named = [(one.column, one.segment) for one in found]
    looked_for = planted.columns[0], planted.segment
    if looked_for not in named:
        return verdict
    place = named.index(looked_for)
    one = found[place]
    listed = ", ".join(f"{column} inside {segment}" for column, segment in named[:4])
    return replace(
        verdict, place=place + 1, p_value=one.adjusted_p_value, sentence=one.sentence, named=listed
    )


def judge_pair(drift: str, planted: Planted, found: Together) -> Verdict:
    """Look a column that turned against another up among the columns that tell most."""
    named = [one.column for one in found.telling]
    pair = {found.correlation.first, found.correlation.second} if found.correlation else set()
    return Verdict(
        drift,
        " and ".join(planted.columns),
        min(named.index(one) + 1 for one in planted.columns if one in named)
        if pair == set(planted.columns)
        else None,
        found.p_value,
        found.sentence,
        ", ".join(named),
    )


class Bench:
    """A workspace with the version and its calm weeks, copied for every drift."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        self._folder = folder
        self._base = folder / "base"
        workspace = self._open(self._base, create=True)
        someone = actor_named(workspace, SYSTEM)
        model = create_model(
            workspace,
            someone,
            name=case.name,
            description="Real rows with a drift planted in them",
            owner=someone,
            problem_type=case.problem,
            primary_metric=case.metric,
            latency_objective_ms=1_000.0,
            cadence_hours=168.0,
            segment_columns=case.segments,
        )
        reference = pa.Table.from_pandas(case.reference, preserve_index=False)
        version = register_version(
            workspace,
            someone,
            model.name,
            NewVersion(
                estimator=case.estimator,
                columns=case.columns,
                snapshot=store_training_data(workspace, someone, model.name, reference),
                metrics={},
                reference=reference,
                commit=CommitState("0" * 40, dirty=False),
                importance=case.importance,
            ),
        )
        move_version(workspace, someone, model.name, version.number, Stage.CANDIDATE)
        move_version(workspace, someone, model.name, version.number, Stage.APPROVED)
        promote_version(workspace, someone, model.name, version.number)
        calm = case.log[case.log["predicted_at"] < case.window_start]
        self._log(workspace, calm)
        workspace.close()

    def explain(self, rows: pd.DataFrame, name: str) -> tuple[Workspace, Explanation]:
        """Log the last weeks into a copy, and ask why they differ from the reference."""
        folder = self._folder / name.replace(" ", "-")
        shutil.copytree(self._base, folder)
        workspace = self._open(folder)
        self._log(workspace, rows)
        return workspace, explain_model(workspace, self.case.name)

    def run(self, drift: str, plant: Plant, seed: int = 0) -> tuple[Verdict, Explanation]:
        """Plant a drift, have it explained, judge the explanation."""
        planted = plant(self.case.window_rows, self.case, np.random.default_rng(seed))
        workspace, found = self.explain(self.case.scored(planted.rows), drift)
        try:
            if len(planted.columns) > 1:
                together = tell_windows_apart(workspace, self.case.name, window=found.window)
                return judge_pair(drift, planted, together), found
            verdict = judge(drift, planted, found)
            if planted.segment and verdict.place is None:
                verdict = judge_inside(verdict, planted, found.in_segments)
            return verdict, found
        finally:
            workspace.close()

    def _open(self, folder: Path, *, create: bool = False) -> Workspace:
        clock = FixedClock(self.case.log["predicted_at"].max().to_pydatetime() + timedelta(days=1))
        return open_workspace(_settings(folder), create=create, clock=clock)

    def _log(self, workspace: Workspace, rows: pd.DataFrame) -> None:
        someone = actor_named(workspace, SYSTEM)
        table = pa.Table.from_pandas(rows, preserve_index=False)
        log_predictions(workspace, someone, self.case.name, 1, table)
        run_monitoring(workspace, someone)


def read_case(workspace: Workspace, name: str) -> Case:
    """Take a model's champion, its reference and the last eight weeks of its predictions out of a demo."""
    with workspace.store.read() as session:
        model = find_model(session, name)
        version = champion_of(session, model)
    reference = read_reference_sample(workspace, version)
    importance = importance_of(workspace, version)
    if reference is None or importance is None:
        raise SystemExit(f"{name} keeps no reference rows or no importance: build the demo anew")
    log = workspace.warehouse.read(log_table(model, LogKind.PREDICTIONS)).to_pandas()
    log = log[log[VERSION] == version.number].drop(columns=VERSION)
    log = log[log["predicted_at"] >= log["predicted_at"].max() - (2 * WEEKS - 1) * WEEK - timedelta(days=3)]
    columns = list(version.columns)
    by_importance = sorted(columns, key=lambda one: -importance.values.get(one, 0.0))
    rows = reference.to_pandas()
    numbers = [one for one in by_importance if rows[one].nunique() > 100]
    texts = [one for one in by_importance if not pd.api.types.is_numeric_dtype(rows[one])]
    return Case(
        name=name,
        problem=model.problem_type,
        metric=model.primary_metric or "",
        estimator=load_estimator(workspace, version.artefact_digest),
        columns=columns,
        segments=list(model.segment_columns),
        importance=importance.values,
        reference=rows,
        log=log.reset_index(drop=True),
        number=numbers[0],
        other=numbers[1],
        text=texts[0],
        segment=next((one for one in model.segment_columns if one != texts[0]), model.segment_columns[0]),
    )


def without_drift(case: Case, folder: Path, draws: int) -> Iterator[tuple[str, Explanation, Together]]:
    """Explain the weeks as they are, and weeks of rows that were taken out of the reference."""
    for draw in range(draws + 1):
        title, given = "the weeks as they were", case
        if draw:
            title = f"rows of the reference, draw {draw}"
            rows = case.window_rows
            order = np.random.default_rng(draw).permutation(len(case.reference))
            drawn = case.reference.iloc[order[: len(rows)]].reset_index(drop=True)
            rest = case.reference.iloc[np.sort(order[len(rows) :])]
            taken = [*dict.fromkeys([*case.columns, *case.segments, "prediction"])]
            calm = case.log[case.log["predicted_at"] < case.window_start]
            log = pd.concat([calm, rows.assign(**{one: drawn[one] for one in taken})], ignore_index=True)
            given = replace(case, reference=rest, log=log)
        bench = Bench(given, folder / title.replace(" ", "-"))
        workspace, explanation = bench.explain(given.window_rows, "same")
        together = tell_windows_apart(workspace, case.name, window=explanation.window)
        workspace.close()
        yield title, explanation, together


def _settings(folder: Path) -> Settings:
    return Settings(workspace=folder, database_url="", warehouse="", actor=SYSTEM)


def main() -> None:
    """Print a table for each model, and how many drifts were named first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument(
        "--draws", type=int, default=3, help="windows without drift, drawn from the reference"
    )
    arguments = parser.parse_args()
    demo = open_workspace(_settings(arguments.workspace))
    cases = [read_case(demo, name) for name in arguments.models or MODELS]
    demo.close()
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(case, Path(folder) / "drifts")
            print(
                f"\n{case.name}: {len(case.window_rows):,} predictions against {len(case.reference):,} rows"
            )
            first = 0
            for drift, plant in DRIFTS.items():
                verdict, _ = bench.run(drift, plant)
                first += verdict.first
                p_value = "-" if verdict.p_value is None else f"{verdict.p_value:.2g}"
                print(
                    f"  {'first' if verdict.first else 'NOT':5s} {drift:26s} {verdict.planted:40s} "
                    f"place {verdict.place!s:4s} p {p_value:8s} named: {verdict.named}"
                    f"\n        {verdict.sentence}",
                    flush=True,
                )
            print(f"  named first: {first} of {len(DRIFTS)}")
            for title, explanation, together in without_drift(case, Path(folder), arguments.draws):
                print(
                    f"  {title}: {len(explanation.drifted)} of {len(explanation.columns)} columns named, "
                    f"{len(explanation.in_segments)} inside segments; {together.sentence}",
                    flush=True,
                )


if __name__ == "__main__":
    main()

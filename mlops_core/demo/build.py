"""Build the demo workspace: aside, then moved into place as a whole, so that it is there or it is not."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb
from deltalake.exceptions import DeltaError
from sqlalchemy.exc import OperationalError

from mlops_core.clock import FixedClock
from mlops_core.demo.campaigns import add_campaigns
from mlops_core.demo.development import Trial, trials
from mlops_core.demo.first_versions import train_models
from mlops_core.demo.household_features import build_feature_tables
from mlops_core.demo.new_versions import try_version
from mlops_core.demo.purchases import load_purchases, week_end
from mlops_core.demo.recipes import recipes
from mlops_core.demo.replay import replay_week
from mlops_core.demo.scenario import Scenario, load_scenario
from mlops_core.demo.targets import all_targets
from mlops_core.demo.world import Demo, add_people, declare_features
from mlops_core.domain.errors import ArtefactUnwritable, Conflict, NoWorkspace, StoreError, WarehouseError
from mlops_core.domain.states import Role
from mlops_core.registry import list_models
from mlops_core.settings import Settings
from mlops_core.store import inspect_file, reset_store
from mlops_core.workspace import (
    SYSTEM,
    Workspace,
    actor_named,
    open_workspace,
    put_setting,
    set_clock,
    setting,
)

__all__ = ["DEMO_BANNER", "BuildProgress", "build_demo", "demo_is_complete"]

DEMO_BANNER = "demo: real purchases, simulated operations"
_SETTING = "demo"
_MARKER = ".bigboard-demo"
_BUILDING = ".building"
_OLD = ".old"
_BETWEEN_TRIALS = timedelta(minutes=25)


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """How far the build is: `done` of `total` steps, and what it does now."""

    done: int
    total: int
    doing: str


def demo_is_complete(settings: Settings) -> bool:
    """Return whether the workspace holds a demo that was built to the end.

    Raises
    ------
    StoreError
        The store cannot be opened, for example because a server holds it.
    """
    try:
        workspace = open_workspace(settings)
    except NoWorkspace:
        return False
    try:
        stored = setting(workspace, _SETTING)
        return bool(stored and stored.get("complete"))
    finally:
        workspace.close()


def build_demo(
    settings: Settings, *, report: Callable[[BuildProgress], None] | None = None, weeks: int | None = None
) -> None:
    """Build the demo workspace where the settings say; an interrupted build is begun anew.

    Parameters
    ----------
    report
        Called before each step.
    weeks
        Replay only the first weeks of the second half-year; None replays all of them.

    Raises
    ------
    Conflict
        The place holds something else than a demo; nothing was touched.
    StoreError
        It could not be finished, for example because the disk is full; run again to begin anew.
    """
    scenario = load_scenario()
    aside = _aside(settings)
    _refuse_foreign(settings)
    with _explained(settings):
        _clear(aside, settings)
        clock = FixedClock(week_end(scenario.clock.first_week - 1))
        workspace = open_workspace(aside, create=True, clock=clock)
        try:
            _build(workspace, clock, scenario, report or (lambda _: None), weeks)
        finally:
            workspace.close()
        _move_into_place(aside, settings)


def _build(
    workspace: Workspace,
    clock: FixedClock,
    scenario: Scenario,
    report: Callable[[BuildProgress], None],
    weeks: int | None,
) -> None:
    span = scenario.clock
    last_week = min(span.last_week, span.first_week + weeks - 1) if weeks else span.last_week
    replayed = range(span.first_week, last_week + 1)
    models = len(recipes(scenario))
    tried = [trial for trial in trials(scenario) if last_week - trial.weeks_before_end in replayed]
    steps = _Steps(report, total=3 + models + (models + 2) * len(replayed) + len(tried))
    steps("reading a year of purchases")
    purchases = load_purchases()
    steps("computing features and outcomes")
    demo = Demo(workspace, scenario, build_feature_tables(purchases), all_targets(purchases, range(9, 53)))
    system = actor_named(workspace, SYSTEM)
    put_setting(workspace, system, _SETTING, {"complete": False}, "The demo is being built")
    add_people(demo, system)
    steps("writing feature tables")
    declare_features(demo)
    train_models(demo, steps)
    add_campaigns(workspace, demo.person(Role.DIRECTOR), clock.at, week_end(last_week))
    for week in replayed:
        replay_week(demo, system, clock, week, steps)
        _develop(demo, clock, [one for one in tried if last_week - one.weeks_before_end == week], week, steps)
    set_clock(workspace, system, clock.at)
    put_setting(
        workspace,
        system,
        _SETTING,
        {"complete": True, "banner": DEMO_BANNER, "weeks": len(replayed)},
        "The demo is complete",
    )


def _develop(
    demo: Demo, clock: FixedClock, tried: Sequence[Trial], week: int, steps: Callable[[str], None]
) -> None:
    """Have the data scientists train what they try in this week, one after another."""
    for trial in tried:
        clock.at += _BETWEEN_TRIALS
        steps(f"week {week}: trying a version of {trial.recipe.name}")
        try_version(demo, trial, week)


class _Steps:
    """Count the steps and tell them."""

    def __init__(self, report: Callable[[BuildProgress], None], total: int) -> None:
        self._report, self._total, self._done = report, total, 0

    def __call__(self, doing: str) -> None:
        self._report(BuildProgress(self._done, max(self._total, self._done + 1), doing))
        self._done += 1


def _aside(settings: Settings) -> Settings:
    """Return where to build: beside the place of each part, so that a rename moves it there."""
    workspace = settings.workspace
    aside = workspace.with_name(workspace.name + _BUILDING)
    warehouse = ""
    if settings.warehouse:
        place = settings.warehouse_root
        warehouse = str(place.with_name(place.name + _BUILDING))
    database = settings.database_url
    if database and settings.database_file is not None:
        database = f"duckdb:///{aside.absolute() / settings.database_file.name}"
    return Settings(workspace=aside, database_url=database, warehouse=warehouse, actor=settings.actor)


def _refuse_foreign(settings: Settings) -> None:
    file = settings.database_file
    if file is not None and settings.database_url and file.resolve().parent != settings.workspace.resolve():
        raise Conflict(
            "the demo keeps its DuckDB file in its workspace: unset BIGBOARD_DATABASE_URL, or name a file "
            f"directly in {settings.workspace}"
        )
    workspace = settings.workspace
    if _is_foreign(workspace):
        raise Conflict(
            f"{workspace} holds something else than a demo: choose another folder with --workspace"
        )
    if workspace.exists() and not workspace.is_dir():
        raise Conflict(f"{workspace} is a file: choose a folder with --workspace")
    warehouse = settings.warehouse_root
    if settings.warehouse and warehouse.exists() and not (warehouse / _MARKER).exists():
        raise Conflict(f"the warehouse {warehouse} exists already: choose another with BIGBOARD_WAREHOUSE")
    for place in (workspace, *([warehouse] if settings.warehouse else [])):
        for beside in (place.with_name(place.name + suffix) for suffix in (_BUILDING, _OLD)):
            if _is_foreign(beside):
                raise Conflict(f"{beside} is needed for building and holds something else: move it away")
    if file is None:
        _refuse_foreign_database(settings)


def _refuse_foreign_database(settings: Settings) -> None:
    try:
        workspace = open_workspace(settings)
    except NoWorkspace:
        return
    try:
        stored = setting(workspace, _SETTING)
        with workspace.store.read() as session:
            used = bool(list_models(session))
    finally:
        workspace.close()
    if used and stored is None:
        raise Conflict("the database holds a workspace that is no demo: choose another BIGBOARD_DATABASE_URL")


def _clear(aside: Settings, settings: Settings) -> None:
    """Remove what an interrupted build left, unless a living process is still at it."""
    leftover = aside.database_file
    if leftover is not None and leftover.exists():
        try:
            inspect_file(leftover)
        except StoreError as error:
            if getattr(error, "process_id", None):
                raise
    for folder in (aside.workspace, Path(aside.warehouse) if aside.warehouse else None):
        if folder is not None:
            _remove_build(folder)
    aside.workspace.mkdir(parents=True)
    (aside.workspace / _MARKER).touch()
    if aside.warehouse:
        Path(aside.warehouse).mkdir(parents=True)
        (Path(aside.warehouse) / _MARKER).touch()
    if settings.database_file is None:
        reset_store(settings.store_url)


def _move_into_place(aside: Settings, settings: Settings) -> None:
    if aside.warehouse:
        _swap(Path(aside.warehouse), settings.warehouse_root)
    _swap(aside.workspace, settings.workspace)


def _swap(built: Path, place: Path) -> None:
    """Put a built folder in its place; what stood there is a demo that was built before."""
    old = place.with_name(place.name + _OLD)
    _remove_build(old)
    if place.exists():
        place.rename(old)
    os.replace(built, place)
    _remove_build(old)


def _remove_build(folder: Path) -> None:
    """Remove a folder that a build has made, the marker last: until then the next run knows it as ours."""
    if not folder.exists():
        return
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != _MARKER:
            entry.unlink()
    shutil.rmtree(folder)


def _is_foreign(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir()) and not (folder / _MARKER).exists()


@contextmanager
def _explained(settings: Settings) -> Iterator[None]:
    """Turn what a full disk or an unwritable folder causes into one clear error."""
    try:
        yield
    except (
        WarehouseError,
        ArtefactUnwritable,
        OSError,
        duckdb.IOException,
        OperationalError,
        DeltaError,
    ) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise StoreError(
            f"the demo could not be built in {settings.workspace} ({reason}): check free space and "
            "permissions, then run it again; it begins anew"
        ) from error

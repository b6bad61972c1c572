"""The build of the demo, stopped in every way and begun again: one story in one place, on a small disk."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable

from mlops_core.demo import DEMO_BANNER, BuildProgress, build_demo, demo_is_complete
from mlops_core.domain.errors import Conflict, StoreHeld
from mlops_core.domain.states import LogKind
from mlops_core.settings import Settings
from mlops_core.slices import decode_slice, encode_slice
from mlops_core.workspace import open_workspace, setting
from tests.factories import HOLDER, run_as_ordinary_user, running, settings_in, workspace_in

BIGBOARD = Path(sys.executable).with_name("bigboard")
WEEKS = 1
MOMENTS = random.Random()  # noqa: S311 - where a build is killed differs from run to run


@dataclass
class Attempt:
    """A build that was stopped: after which line of progress, and what it said."""

    after: str
    code: int
    errors: str
    complete: bool


@dataclass
class Story:
    """What happened in one place until the demo stood there.

    Attributes
    ----------
    undisturbed
        Where the same demo was built in one go.
    full_disk
        None where this user may not mount a small disk.
    """

    settings: Settings
    undisturbed: Settings
    full_disk: subprocess.CompletedProcess[str] | None = None
    attempts: list[Attempt] = field(default_factory=list)
    steps: list[BuildProgress] = field(default_factory=list)


def command(place: Path) -> list[str]:
    return [str(BIGBOARD), "demo", "--no-serve", "--weeks", str(WEEKS), "--workspace", str(place)]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BIGBOARD_")}
    return kept | {"PYTHONUNBUFFERED": "1"}


def hear_interrupts() -> None:
    """Undo what a shell does to its background jobs: they ignore Ctrl-C, and so would the build."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stop_at(place: Path, tenth: int, ending: signal.Signals) -> Attempt:
    """Build until so many tenths are done and a moment longer, then stop the process."""
    with subprocess.Popen(
        command(place),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=hear_interrupts,
    ) as process:
        line = ""
        for line in process.stdout:
            found = re.match(r"\s*(\d+) %", line)
            if found and int(found[1]) >= 10 * tenth:
                break
        try:
            process.wait(MOMENTS.random())
        except subprocess.TimeoutExpired:
            process.send_signal(ending)
        _, errors = process.communicate(timeout=60)
    return Attempt(line.strip(), process.returncode, errors, place.exists())


ON_A_SMALL_DISK = """
mount -t tmpfs -o size=8m tmpfs "$1" || exit 77
disk=$1 kept=$2
shift 2
"$@"
code=$?
cp -a "$disk/." "$kept"
exit $code
"""
"""A program that runs a command with a disk of 8 MB in place of a folder, and keeps what it left there.

The disk belongs to a mount namespace of its own, and is gone with the program however it ends.
"""


def build_on_a_small_disk(disk: Path, kept: Path) -> subprocess.CompletedProcess[str] | None:
    """Build where there is no room; None where this user may not mount a disk."""
    own_namespace = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ON_A_SMALL_DISK, "sh"]
    try:
        done = subprocess.run(
            [*own_namespace, str(disk), str(kept), *command(disk / "demo")],
            capture_output=True,
            text=True,
            check=False,
            env=environment(),
        )
    except FileNotFoundError:
        return None
    may_not = done.returncode == 77 or done.stderr.startswith("unshare:")
    return None if may_not else done


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    settings = settings_in(tmp_path_factory.mktemp("story") / "demo")
    story = Story(settings, settings_in(tmp_path_factory.mktemp("undisturbed") / "demo"))
    place = settings.workspace
    undisturbed = subprocess.Popen(command(story.undisturbed.workspace), env=environment())
    try:
        story.full_disk = build_on_a_small_disk(tmp_path_factory.mktemp("small-disk"), place.parent)
        for ending, tenths in (
            (signal.SIGKILL, (0, 1)),
            (signal.SIGINT, (1, 2)),
            (signal.SIGKILL, (3, 6)),
        ):
            story.attempts.append(stop_at(place, MOMENTS.randint(*tenths), ending))
        build_demo(story.settings, report=story.steps.append, weeks=WEEKS)
        assert undisturbed.wait(timeout=300) == 0
        yield story
    finally:
        undisturbed.kill()
        undisturbed.wait()


# ── stopped and begun again ──────────────────────────────────────────────────────────────────────


def test_a_full_disk_is_reported_clearly_and_leaves_nothing_in_the_place(story):
    if story.full_disk is None:
        pytest.skip("this user may not mount a small disk")
    assert story.full_disk.returncode == 1, story.full_disk
    assert "the demo could not be built in" in story.full_disk.stderr
    assert "No space left on device" in story.full_disk.stderr
    assert "run it again; it begins anew" in story.full_disk.stderr
    assert "Traceback" not in story.full_disk.stderr


def test_a_build_that_is_stopped_leaves_nothing_in_the_place(story):
    assert [attempt.complete for attempt in story.attempts] == [False] * 3, story.attempts
    killed, interrupted, killed_late = story.attempts
    assert (killed.code, killed_late.code) == (-signal.SIGKILL, -signal.SIGKILL)
    assert interrupted.code == 130, interrupted
    assert "interrupted: nothing was lost; run the same command again to go on" in interrupted.errors


def stored(settings: Settings) -> dict[str, list[dict[str, object]]]:
    """Every row of the store, without what depends on the machine's speed or on its checkout."""
    with duckdb.connect(str(settings.database_file), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
        tables = {
            name: connection.execute(f'FROM "{name}" ORDER BY ALL').to_arrow_table().to_pylist()
            for (name,) in names
        }
    latency = {row["id"] for row in tables["monitor"] if row["kind"] == "latency"}
    for row in tables["measurement"]:
        if row["monitor_id"] in latency:
            row |= {"value": None, "level": None}
    for row in tables["model_version"]:  # somebody may commit while the tests run
        row |= {"git_commit": None, "git_dirty": None}
    # How often a job tells its progress depends on the machine, and each time counts the revision up.
    for row in (*tables["slice"], *tables["outcome_slice"], *tables["store_revision"]):
        row["revision"] = None
    for row in tables["log_progress"]:
        if row["log"] == LogKind.MEASUREMENTS:
            row["version"] = None
    for row in tables["comparison"]:
        row["report"] = {**json.loads(row["report"]), "latency": None}
    for row in tables["test_result"]:  # what a test took, and how fast the artefact was
        row["seconds"] = None
        if row["test"] in ("latency", "artefact"):
            row |= {"figure": None, "status": None, "sentence": None, "evidence": None}
    for row in tables["job"]:
        row |= {"worker": None, "alive_at": None, "message": None}
    for row in tables["audit_event"]:
        if row["action"] == "version.tests_finished":  # it counts the tests that passed
            row |= {"summary": None, "details": None}
    for row in tables["slice"]:
        row["payload"] = without_latency(row["payload"])
    return tables


def without_latency(payload: bytes) -> bytes:
    counted = decode_slice(payload)
    others = {name: counts for name, counts in counted.columns.items() if name != "latency_ms"}
    return encode_slice(replace(counted, columns=others))


def test_the_store_is_the_same_as_that_of_a_build_in_one_go(story):
    found, expected = stored(story.settings), stored(story.undisturbed)
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        assert len(found[name]) == len(rows), name
        different = [pair for pair in zip(found[name], rows, strict=True) if pair[0] != pair[1]]
        assert not different, (name, different[0])


def test_the_warehouse_is_the_same_as_that_of_a_build_in_one_go(story):
    def tables(settings):
        root = settings.warehouse_root
        return {str(log.parent.relative_to(root)) for log in root.rglob("_delta_log")}

    names = tables(story.undisturbed)
    assert tables(story.settings) == names
    for name in sorted(names):
        found, expected = (
            DeltaTable(settings.warehouse_root / name) for settings in (story.settings, story.undisturbed)
        )
        assert found.version() == expected.version()
        found, expected = (table.to_pyarrow_table() for table in (found, expected))
        if "latency_ms" in expected.column_names:
            found, expected = (table.drop_columns(["latency_ms"]) for table in (found, expected))
        order = [(column, "ascending") for column in expected.column_names]
        assert found.sort_by(order).equals(expected.sort_by(order)), name


def test_the_artefacts_are_the_same_as_those_of_a_build_in_one_go(story):
    def artefacts(settings):
        root = settings.artefact_root
        return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    assert artefacts(story.settings) == artefacts(story.undisturbed)


def test_nothing_but_the_demo_is_left_beside_it(story):
    place = story.settings.workspace
    assert [path.name for path in place.parent.iterdir()] == [place.name]


# ── what was built ───────────────────────────────────────────────────────────────────────────────


def test_the_demo_is_complete_and_says_what_it_is(story):
    assert demo_is_complete(story.settings)
    workspace = open_workspace(story.settings)
    assert setting(workspace, "demo") == {"complete": True, "banner": DEMO_BANNER, "weeks": WEEKS}
    workspace.close()


def test_progress_counts_up_to_the_total_that_it_announced(story):
    done = [step.done for step in story.steps]
    assert done == list(range(len(done)))
    (total,) = {step.total for step in story.steps}
    assert total == len(done)


def test_every_metric_of_every_model_is_finite_and_every_reference_is_kept(story):
    with duckdb.connect(str(story.settings.database_file), read_only=True) as connection:
        versions, references, odd = connection.execute(
            """
            SELECT
                (SELECT count(*) FROM model_version),
                (SELECT count(*) FROM reference_profile WHERE rows > 0),
                (SELECT count(*) FROM metric WHERE NOT isfinite(value))
            """
        ).fetchone()
    assert versions == references > 0
    assert odd == 0


def test_a_demo_that_is_there_is_not_built_again(story):
    before = story.settings.database_file.stat().st_mtime_ns
    done = subprocess.run(
        command(story.settings.workspace), capture_output=True, text=True, check=True, env=environment()
    )
    assert "is complete" in done.stdout
    assert story.settings.database_file.stat().st_mtime_ns == before


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


def test_a_folder_that_cannot_be_written_is_reported_clearly(tmp_path):
    tmp_path.chmod(0o555)
    done = run_as_ordinary_user([*command(tmp_path / "demo")])
    assert done.returncode == 1
    assert "the demo could not be built in" in done.stderr
    assert "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_place_that_holds_something_else_is_refused_untouched(tmp_path):
    place = tmp_path / "mine"
    place.mkdir()
    (place / "thesis.txt").write_text("mine")
    with pytest.raises(Conflict, match="something else than a demo"):
        build_demo(settings_in(place), weeks=WEEKS)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (place / "thesis.txt").read_text() == "mine"


def test_a_postgresql_database_that_is_no_demo_is_refused_untouched(tmp_path, postgres_database):
    from tests.factories import new_model

    workspace = workspace_in(tmp_path / "theirs", postgres_database)
    new_model(workspace)
    revision = workspace.store.revision()
    with pytest.raises(Conflict, match="holds a workspace that is no demo"):
        build_demo(settings_in(tmp_path / "demo", postgres_database), weeks=WEEKS)
    assert workspace.store.revision() == revision
    assert not (tmp_path / "demo").exists()
    workspace.close()


def test_a_build_that_another_process_is_at_is_left_alone(tmp_path):
    leftover = tmp_path / "demo.building"
    workspace_in(leftover).close()
    (leftover / ".bigboard-demo").touch()
    with running(HOLDER, leftover) as holder, pytest.raises(StoreHeld, match=str(holder.pid)):
        build_demo(settings_in(tmp_path / "demo"), weeks=WEEKS)
    assert (leftover / "bigboard.duckdb").exists()


@pytest.mark.parametrize("name", ["demo.building", "demo.old"])
def test_a_folder_beside_the_place_that_is_no_build_of_ours_is_left_alone(tmp_path, name):
    class Begun(Exception):
        pass

    def begin(_):
        raise Begun

    beside = tmp_path / name
    beside.mkdir()
    (beside / "blueprints.txt").write_text("mine")
    with pytest.raises(Conflict):
        build_demo(settings_in(tmp_path / "demo"), report=begin, weeks=WEEKS)
    assert (beside / "blueprints.txt").read_text() == "mine"


def test_an_empty_folder_is_no_demo_and_stays_empty(tmp_path):
    assert not demo_is_complete(settings_in(tmp_path))
    assert list(tmp_path.iterdir()) == []

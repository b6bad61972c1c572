import threading
from datetime import datetime, timedelta

from sqlmodel import select

from mlops_core.domain import JobRun, StoredSlice
from mlops_core.domain.states import JobState, Origin
from mlops_core.jobs import Scheduler
from mlops_core.monitoring import last_run, log_predictions
from tests.factories import NOW, champion, population, system

SOON = 0.2 / 60  # a fifth of a second, in minutes


def runs(workspace):
    with workspace.store.read() as session:
        return session.exec(select(JobRun.state).order_by(JobRun.id)).all()


def wait_for(condition):
    deadline = datetime.now().astimezone() + timedelta(seconds=20)
    pause = threading.Event()
    while not condition():
        assert datetime.now().astimezone() < deadline
        pause.wait(0.02)


def test_the_scheduler_closes_what_a_killed_server_left_open(workspace):
    workspace.store.bookkeep(
        system(workspace),
        lambda unit: unit.add(JobRun(job="monitoring", state=JobState.RUNNING, started_at=unit.now)),
    )
    scheduler = Scheduler(workspace)
    scheduler.start()
    scheduler.stop()
    assert runs(workspace) == [JobState.INTERRUPTED]


def test_the_monitors_run_again_and_again_until_the_scheduler_stops(workspace):
    champion(workspace)
    scheduler = Scheduler(workspace, every_minutes=SOON)
    scheduler.start()
    wait_for(lambda: len(runs(workspace)) >= 2)
    scheduler.stop()
    done = runs(workspace)
    assert set(done) == {JobState.SUCCEEDED}
    assert last_run(workspace).finished_at == NOW
    assert [thread.name for thread in threading.enumerate() if "APScheduler" in thread.name] == []
    assert runs(workspace) == done


def test_a_run_that_fails_does_not_end_the_scheduler(workspace, monkeypatch):
    from mlops_core.jobs import scheduler as module

    champion(workspace)
    original, calls = module.run_monitoring, []

    def failing_once(*arguments):
        calls.append(True)
        if len(calls) == 1:
            raise RuntimeError("out of luck")
        return original(*arguments)

    monkeypatch.setattr(module, "run_monitoring", failing_once)
    scheduler = Scheduler(workspace, every_minutes=SOON)
    scheduler.start()
    wait_for(lambda: runs(workspace))
    scheduler.stop()
    assert len(calls) >= 2


def test_a_stopped_scheduler_waits_for_the_run_that_is_under_way(workspace, monkeypatch):
    from mlops_core.jobs import scheduler as module

    begun, may_end = threading.Event(), threading.Event()

    def slow(*_):
        begun.set()
        assert may_end.wait(20)

    monkeypatch.setattr(module, "run_monitoring", slow)
    scheduler = Scheduler(workspace, every_minutes=SOON)
    scheduler.start()
    assert begun.wait(20)
    stopping = threading.Thread(target=scheduler.stop)
    stopping.start()
    stopping.join(0.1)
    assert stopping.is_alive()
    may_end.set()
    stopping.join(20)
    assert not stopping.is_alive()


def test_a_model_whose_logs_have_grown_is_counted_soon_and_alone(workspace):
    trained = champion(workspace)
    scheduler = Scheduler(workspace)
    scheduler.wake("churn-risk")  # not yet running: the first run will count it
    scheduler.start()
    rows = population(30, start=NOW - timedelta(days=1), days=1)
    log_predictions(workspace, system(workspace), "churn-risk", 1, trained.predictions(rows))
    for _ in range(5):
        scheduler.wake("churn-risk")
    wait_for(lambda: counted(workspace) == 30)
    log_predictions(workspace, system(workspace), "churn-risk", 1, trained.predictions(rows, prefix="q"))
    scheduler.wake("churn-risk")
    scheduler.wake("none")
    wait_for(lambda: counted(workspace) == 60)
    scheduler.stop()
    assert runs(workspace) == []


def counted(workspace):
    with workspace.store.read() as session:
        return sum(
            session.exec(
                select(StoredSlice.rows).where(
                    StoredSlice.origin == Origin.PRODUCTION, StoredSlice.segment == ""
                )
            )
        )

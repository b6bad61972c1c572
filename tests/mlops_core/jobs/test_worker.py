import threading

from mlops_core.domain.states import JobState
from mlops_core.jobs import Scheduler, Worker, enqueue, find_job, run_job
from mlops_core.workspace import open_workspace
from tests.factories import person, settings_in
from tests.mlops_core.jobs.slow_work import register, wait_for


def states(workspace, ids):
    return [find_job(workspace, job_id).state for job_id in ids]


def test_a_worker_runs_what_is_queued_the_oldest_first(workspace, engineer, gate):
    ids = [enqueue(workspace, engineer, "steps", "w", {"steps": n}).id for n in (1, 2, 3)]
    worker = Worker(workspace)
    worker.start()
    assert gate.begun.wait(20)
    assert states(workspace, ids) == [JobState.RUNNING, JobState.QUEUED, JobState.QUEUED]
    gate.may_go_on.set()
    wait_for(lambda: set(states(workspace, ids)) == {JobState.SUCCEEDED})
    later = enqueue(workspace, engineer, "steps", "w", {"steps": 4}).id
    worker.wake()
    wait_for(lambda: find_job(workspace, later).state == JobState.SUCCEEDED)
    worker.stop()
    assert gate.calls == [*ids, later]


def test_a_job_that_fails_does_not_end_the_worker(workspace, engineer, gate, caplog):
    def fall(*_):
        raise RuntimeError("out of luck")

    register(fall, "fall")
    gate.may_go_on.set()
    first = enqueue(workspace, engineer, "fall", "w", {}).id
    second = enqueue(workspace, engineer, "steps", "w", {}).id
    worker = Worker(workspace)
    worker.start()
    wait_for(lambda: find_job(workspace, second).state == JobState.SUCCEEDED)
    worker.stop()
    assert find_job(workspace, first).state == JobState.FAILED


def test_a_server_that_stops_puts_its_job_back_and_the_next_goes_on(workspace, engineer, gate):
    job_id = enqueue(workspace, engineer, "steps", "w", {}).id
    first = Scheduler(workspace)
    first.start()
    assert gate.begun.wait(20)
    first.stop()
    job = find_job(workspace, job_id)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    gate.may_go_on.set()
    second = Scheduler(workspace)
    second.start()
    wait_for(lambda: find_job(workspace, job_id).state == JobState.SUCCEEDED)
    second.stop()
    assert gate.calls == [job_id, job_id]
    assert len(gate.ended) == 2


def test_a_job_that_never_reports_is_put_back_without_being_waited_for(workspace, engineer):
    begun, may_end = threading.Event(), threading.Event()

    def deaf(*_):
        begun.set()
        may_end.wait(20)
        return "too late"

    register(deaf, "deaf")
    job_id = enqueue(workspace, engineer, "deaf", "w", {}).id
    worker = Worker(workspace)
    worker.start()
    assert begun.wait(20)
    worker.stop(patience=0.1)
    assert find_job(workspace, job_id).state == JobState.QUEUED
    may_end.set()
    worker._thread.join(20)
    job = find_job(workspace, job_id)
    assert (job.state, job.message != "too late") == (JobState.QUEUED, True)


def test_two_workers_of_two_servers_never_run_a_job_twice(postgres_database, tmp_path):
    from mlops_core.domain.states import Role
    from tests.factories import workspace_in

    first = workspace_in(tmp_path / "workspace", postgres_database)
    second = open_workspace(settings_in(tmp_path / "workspace", postgres_database))
    engineer = person(first, Role.ML_ENGINEER)
    ran, lock = [], threading.Lock()

    def note(workspace, actor, job, progress):
        with lock:
            ran.append((id(workspace), job.id))
        return ""

    register(note)
    ids = [enqueue(first, engineer, "steps", "w", {"steps": n}).id for n in range(100)]
    workers = [Worker(first), Worker(second)]
    for worker in workers:
        worker.start()
    wait_for(lambda: find_job(first, ids[-1]).state == JobState.SUCCEEDED and len(ran) == 100, 60)
    for worker in workers:
        worker.stop()
    assert sorted(job_id for _, job_id in ran) == ids
    assert len({where for where, _ in ran}) == 2
    assert set(states(first, ids)) == {JobState.SUCCEEDED}
    first.close()
    second.close()


def test_a_job_that_runs_elsewhere_is_waited_for(workspace, engineer, gate):
    job_id = enqueue(workspace, engineer, "steps", "w", {}).id
    worker = Worker(workspace)
    worker.start()
    assert gate.begun.wait(20)
    heard = []

    def listen(done, total, doing):
        heard.append(doing)
        gate.may_go_on.set()

    assert run_job(workspace, job_id, progress=listen).state == JobState.SUCCEEDED
    worker.stop()
    assert heard
    assert gate.calls == [job_id]

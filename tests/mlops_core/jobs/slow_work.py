"""Work for tests of the queue: it goes on when it is let, and notes what it did."""

import threading
import time

from sqlmodel import Session

from mlops_core.jobs import KINDS, Kind, Wish
from mlops_core.registry.models import MAKERS


class Steps(Wish):
    """So many steps."""

    steps: int = 3
    mark: str = ""

    def check(self, session: Session) -> None:
        pass


class Gate:
    """Work that goes through its steps only when it is let, and notes what it did."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_go_on = threading.Event()
        self.calls: list[int] = []
        self.ended: list[BaseException | None] = []

    def __call__(self, workspace, actor, job, progress) -> str:
        self.calls.append(job.id)
        try:
            steps = job.arguments["steps"]
            progress(0, steps, "beginning")
            self.begun.set()
            while not self.may_go_on.wait(0.02):
                progress(0, steps, "waiting")
            for step in range(steps):
                progress(step + 1, steps, f"step {step + 1}")
        except BaseException as error:
            self.ended.append(error)
            raise
        self.ended.append(None)
        return f"{steps} steps done"


def register(work, name="steps", roles=MAKERS):
    """Make a function a kind of job in this process."""
    KINDS[name] = Kind(name, "Steps", Steps, roles, work)


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)

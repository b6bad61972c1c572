"""An estimator that does what no estimator should. Nobody trusts it but the tests of the sandbox."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator


class Hostile(BaseEstimator):
    """Does its deed whenever it is asked; otherwise the prediction of each row is 7."""

    def __init__(self, deed="nothing", argument=""):
        self.deed, self.argument = deed, argument

    def fit(self, frame, outcome=None):
        self.fitted_ = True
        return self

    def predict(self, frame):
        found = getattr(self, f"_{self.deed}")(frame)
        return np.full(len(frame), 7.0) if found is None else found

    def _nothing(self, frame):
        pass

    def _never_return(self, frame):
        while True:
            pass

    def _never_return_many_rows(self, frame):
        while len(frame) > 10:
            time.sleep(1)

    def _eat_at_once(self, frame):
        np.ones(1 << 31)

    def _eat_bit_by_bit(self, frame):
        eaten = []
        while True:
            eaten.append(bytes(1_000))

    def _nap(self, frame):
        time.sleep(0.02)

    def _raise(self, frame):
        raise ValueError("a first line\nthe age is 212")

    def _exit(self, frame):
        sys.exit("gone")

    def _end_the_process(self, frame):
        os._exit(3)

    def _crash(self, frame):
        ctypes.string_at(0)

    def _be_killed(self, frame):
        os.kill(os.getpid(), signal.SIGKILL)

    def _use_up_the_processor(self, frame):
        os.kill(os.getpid(), signal.SIGXCPU)

    def _answer_too_few(self, frame):
        return np.zeros(len(frame) - 1)

    def _answer_objects(self, frame):
        return np.array([object() for _ in range(len(frame))])

    def _answer_a_date(self, frame):
        return np.zeros(len(frame), dtype="datetime64[s]")

    def _print(self, frame):
        print("noise" * 1_000, flush=True)
        os.write(1, b"more noise")

    def _tell_the_environment(self, frame):
        return np.array(["\n".join(os.environ)] * len(frame), dtype=object)

    def _tell_the_threads(self, frame):
        return np.full(len(frame), float(len(os.listdir("/proc/self/task"))))

    def _tell_descriptors(self, frame):
        return np.full(len(frame), float(len(os.listdir("/proc/self/fd"))))

    def _tell_who(self, frame):
        return np.full(len(frame), float(os.getpid()))

    def _leave_somebody_behind(self, frame):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.setsid()
            pid = os.fork()
            if pid:
                os.write(writing, str(pid).encode())
                os._exit(0)
            time.sleep(600)
        return np.full(len(frame), float(os.read(reading, 20)))

    def _try(self, what, frame):
        try:
            what()
        except OSError:
            return np.zeros(len(frame))
        return np.ones(len(frame))

    def _write(self, frame):
        return self._try(lambda: Path(self.argument).write_text("written"), frame)

    def _remove(self, frame):
        return self._try(Path(self.argument).unlink, frame)

    def _run_a_program(self, frame):
        return self._try(lambda: subprocess.run(["/bin/true"], check=True), frame)

    def _kill(self, frame):
        return self._try(lambda: os.kill(int(self.argument), signal.SIGTERM), frame)

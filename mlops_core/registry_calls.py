"""The registry from a program: register versions, have them tested and compared, and wait for that."""

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import httpx

from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.progress import Progress, unheard
from mlops_core.http_calls import HttpCalls
from mlops_core.rows import Rows
from mlops_core.sent_files import artefact_file, environment_of, names_a_table, opened, rows_file

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from mlops_core.api.health import Health
    from mlops_core.api.jobs import JobShown
    from mlops_core.api.registry_shapes import ComparisonShown, RegisteredShown, TestRunShown, VersionShown
    from mlops_core.api.versions import ModelShown, VersionsShown

__all__ = ["Data", "RegistryCalls"]

Data: TypeAlias = "Rows | Path | str"
"""Rows, what `open_source` reads, such as the path of a file, or a snapshot that is there (`table@2`)."""

_REGISTERS_WITHIN: Final = 900.0
_FIRST_LOOK: Final = 0.1
_LONGEST_LOOK: Final = 1.0
_MAY_BE_STORED: Final = ("training", "evaluation")


class RegistryCalls(HttpCalls):
    """What a program asks the registry of a console for."""

    def health(self) -> "Health":
        """Return how the console stands, and what time it is by its workspace's clock.

        Raises
        ------
        StoreError
        """
        from mlops_core.api.health import Health

        return Health.model_validate(self._get("/health"))

    def models(
        self,
        *,
        text: str | None = None,
        owner: str | None = None,
        tag: str | None = None,
        problem: str | None = None,
    ) -> "list[ModelShown]":
        """Return models of the registry, by name; what is left out does not narrow them.

        Parameters
        ----------
        text
            Words that the name, the description, the owner or a tag holds.
        owner
            By short or full name.

        Raises
        ------
        InvalidInput, StoreError
        """
        from mlops_core.api.versions import ModelShown

        wish = {"text": text, "owner": owner, "tag": tag, "problem": problem}
        given = {name: value for name, value in wish.items() if value is not None}
        return [ModelShown.model_validate(one) for one in self._get("/registry/models", **given)]

    def versions(self, model: str | None = None, **search: Any) -> "VersionsShown":
        """Return a page of the versions of a model, or of all models.

        Parameters
        ----------
        search
            `text`, `owner`, `tag`, `stage` (a list), `kind`, `tests`, `verdict`, `metric_least`,
            `metric_most`, `feature`, `active_since`, `order`, `limit` and `offset`, as the API describes
            them.

        Raises
        ------
        NotFound, InvalidInput, StoreError
        """
        from mlops_core.api.versions import VersionsShown

        path = "/registry/versions" if model is None else f"/models/{model}/versions"
        given = {
            name: str(one) if isinstance(one, datetime) else one
            for name, one in search.items()
            if one is not None
        }
        return VersionsShown.model_validate(self._get(path, **given))

    def version(self, model: str, number: int) -> "VersionShown":
        """Return one version, with its newest tests and comparison.

        Raises
        ------
        NotFound, StoreError
        """
        from mlops_core.api.registry_shapes import VersionShown

        return VersionShown.model_validate(self._get(f"/models/{model}/versions/{number}"))

    def register(
        self,
        model: str,
        artefact: "Path | str | BaseEstimator | None",
        *,
        training: "Data",
        evaluation: "Data",
        reference: "Rows | Path | str | None" = None,
        predictions: "Rows | Path | str | None" = None,
        columns: Sequence[str] = (),
        outcome: str = "outcome",
        timestamp: str | None = None,
        metrics: Mapping[str, float] | None = None,
        hyper_parameters: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        card: Mapping[str, Any] | None = None,
        commit: tuple[str, bool] | None = None,
    ) -> "RegisteredShown":
        """Register a version of a model; the same artefact and training data give the same version.

        Files are sent as they are read, so that large ones need no memory.

        Parameters
        ----------
        artefact
            A fitted scikit-learn estimator, which is sent in the skops format, or the path of a file; None
            for a model that runs elsewhere.
        training, evaluation
            The rows that it was trained on, and others with their outcome that it is tested and compared on.
        reference
            The rows that production is watched against; the evaluation rows by default. The artefact scores
            them, unless they have a column `prediction`.
        predictions
            For the evaluation rows, of an artefact that the console cannot load.
        columns
            Its input, in order; what the artefact knows by default.
        outcome, timestamp
            What the columns are called that say what came true, and when a row was or would be predicted.
        metrics
            By name, beside those that are measured on the evaluation rows.
        environment
            Packages to their versions; those of this process by default, with the scikit-learn that wrote a
            .skops file.
        card
            `intended_use`, `limits`, `protected_attributes` (a list) and `considerations`.
        commit
            Git commit and whether files differed from it; those of the current folder by default.

        Raises
        ------
        InvalidInput, NotFound, NotPermitted, ScoringError, StoreError
            Nothing was registered.
        """
        from mlops_core.api.registry_shapes import RegisteredShown
        from mlops_core.registry.new_version import check_metrics
        from mlops_core.registry.source_control import commit_state

        check_metrics(f"a version of '{model}'", {name: (one, 0) for name, one in (metrics or {}).items()})
        state = commit_state(Path.cwd())
        git_commit, git_dirty = (state.commit, state.dirty) if commit is None else commit
        given: dict[str, Any] = {
            "columns": list(columns),
            "outcome": outcome,
            "timestamp": timestamp,
            "metrics": {name: float(value) for name, value in (metrics or {}).items()},
            "git_commit": git_commit,
            "git_dirty": git_dirty,
            "environment": environment_of(artefact) if environment is None else dict(environment),
        }
        optional = {"hyper_parameters": hyper_parameters, "card": card}
        given |= {name: dict(value) for name, value in optional.items() if value is not None}
        with tempfile.TemporaryDirectory() as folder:
            paths: dict[str, Path] = {}
            if artefact is not None:
                paths["artefact"] = artefact_file(artefact, Path(folder))
            for name, data in {
                "training": training,
                "evaluation": evaluation,
                "reference": reference,
                "predictions": predictions,
            }.items():
                if isinstance(data, str) and name in _MAY_BE_STORED and names_a_table(data):
                    given[name] = data
                elif data is not None:
                    paths[name] = rows_file(data, name, Path(folder))
            try:
                text = json.dumps(given)
            except (TypeError, ValueError) as error:
                raise InvalidInput(f"the version of {model} cannot be sent as JSON ({error})") from error
            with opened(paths) as parts:
                answer = self._call(
                    "POST",
                    f"/api/v1/models/{model}/versions",
                    safe_to_repeat=True,  # the same artefact and data give the same version
                    prepare=parts,
                    data={"version": text},
                    timeout=httpx.Timeout(self._http.timeout.connect, read=_REGISTERS_WITHIN),
                )
        return RegisteredShown.model_validate(answer)

    def test(self, model: str, number: int, *, compare: bool = False) -> "JobShown":
        """Ask for the tests of a version, and its comparison with the champion if there is one.

        Returns
        -------
        JobShown
            For `wait`; the same wish while it waits or runs is the same job.

        Raises
        ------
        NotFound, NotPermitted, StoreError
        """
        return self._ask(f"/models/{model}/versions/{number}/tests", {"compare": compare})

    def compare(
        self,
        model: str,
        challenger: int,
        champion: int | None = None,
        *,
        snapshot: int | str | None = None,
    ) -> "JobShown":
        """Ask for a comparison of a version with another, the champion by default.

        Parameters
        ----------
        snapshot
            The rows to compare on, by number or `table@version`; the challenger's evaluation rows by default.

        Raises
        ------
        NotFound, InvalidInput, NotPermitted, StoreError
        """
        wish = {"challenger": challenger, "champion": champion, "snapshot": snapshot}
        return self._ask(f"/models/{model}/comparisons", wish)

    def tests(self, model: str, number: int) -> "TestRunShown":
        """Return the newest run of a version's tests, with what is known so far.

        Raises
        ------
        NotFound
            It was never tested.
        """
        from mlops_core.api.registry_shapes import TestRunShown

        return TestRunShown.model_validate(self._get(f"/models/{model}/versions/{number}/tests"))

    def test_run(self, run_id: int) -> "TestRunShown":
        """Return a run of tests (`JobShown.test_run_id`).

        Raises
        ------
        NotFound
        """
        from mlops_core.api.registry_shapes import TestRunShown

        return TestRunShown.model_validate(self._get(f"/test-runs/{run_id}"))

    def comparison(self, comparison_id: int) -> "ComparisonShown":
        """Return a comparison (`JobShown.comparison_id`), whole.

        Raises
        ------
        NotFound
        """
        from mlops_core.api.registry_shapes import ComparisonShown

        return ComparisonShown.model_validate(self._get(f"/comparisons/{comparison_id}"))

    def job(self, job_id: int) -> "JobShown":
        """Return a job as it stands.

        Raises
        ------
        NotFound
        """
        from mlops_core.api.jobs import JobShown

        return JobShown.model_validate(self._get(f"/jobs/{job_id}"))

    def cancel(self, job_id: int) -> "JobShown":
        """Ask a job to stop: at once while it is queued, at its next step while it runs.

        Raises
        ------
        NotFound, NotPermitted
        Conflict
            It is over already.
        """
        from mlops_core.api.jobs import JobShown

        return JobShown.model_validate(
            self._call("POST", f"/api/v1/jobs/{job_id}/cancel", safe_to_repeat=True)
        )

    def wait(
        self, job: "JobShown | int", timeout: float | None = None, progress: Progress | None = None
    ) -> "JobShown":
        """Wait until a job is over, however it ends, and return it; a server that restarts is waited for.

        Parameters
        ----------
        timeout
            Seconds; None waits as long as it takes.
        progress
            Called with the steps done, the steps in all and what is done now, whenever that changes.

        Raises
        ------
        TimeoutError
            It is not over within the timeout; it goes on all the same.
        NotFound, StoreError
        """
        job_id = job if isinstance(job, int) else job.id
        began, pause = time.monotonic(), _FIRST_LOOK
        heard, told = progress or unheard, None
        while True:
            now = self.job(job_id)
            step = now.done, now.total, now.doing or str(now.state)
            if step != told:
                heard(*step)
                told = step
            if now.is_over:
                return now
            if timeout is not None and time.monotonic() - began + pause > timeout:
                raise TimeoutError(f"job {job_id} ({now.subject}) is {now.state} after {timeout:g} s")
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_LOOK)

    def _ask(self, path: str, wish: Mapping[str, Any]) -> "JobShown":
        from mlops_core.api.jobs import JobShown

        return JobShown.model_validate(
            self._call("POST", f"/api/v1{path}", safe_to_repeat=False, json=dict(wish))
        )

    def _get(self, path: str, **parameters: Any) -> Any:
        return self._call("GET", f"/api/v1{path}", safe_to_repeat=True, params=parameters)

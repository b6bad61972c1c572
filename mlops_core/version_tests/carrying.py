"""Carry one test out: whatever it does, an `Outcome` comes of it."""

import traceback
from typing import Final

from mlops_core.domain.errors import Cancelled, ScoringError
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.declared import VersionTest
from mlops_core.version_tests.outcome import NotJudged, Outcome

__all__ = ["carry_out"]

_LINES: Final = 8


def carry_out(test: VersionTest, context: TestContext) -> Outcome:
    """Return what a test found; one that raises is an `error`, and never passed.

    Raises
    ------
    Cancelled
        Somebody asked for the run to stop.
    """
    try:
        found: object = test(context)
        if not isinstance(found, Outcome):
            return Outcome.error(f"The test returned {type(found).__name__}, not an Outcome.")
    except Cancelled:
        raise
    except NotJudged as reason:
        return Outcome.skipped(str(reason))
    except ScoringError as error:
        return Outcome.error(f"The artefact could not be asked: {error}.", _last_lines(error))
    except Exception as error:
        return Outcome.error(f"The test raised {type(error).__name__}: {error}.", _last_lines(error))
    return found


def _last_lines(error: BaseException) -> list[str]:
    return "".join(traceback.format_exception(error)).strip().splitlines()[-_LINES:]

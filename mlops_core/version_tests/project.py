"""Tests that a project adds: a Python module that the setting `BIGBOARD_TESTS` names."""

import importlib
import importlib.util
import sys
import threading
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Final

from mlops_core.domain.errors import InvalidInput
from mlops_core.version_tests.builtin.catalogue import BUILT_IN
from mlops_core.version_tests.declared import VersionTest, collect_tests

__all__ = ["PROJECT_TESTS", "project_tests"]

PROJECT_TESTS: Final = "project_tests"
"""The test under which a run reports that the project's module cannot be used."""

_importing = threading.Lock()


def project_tests(named: str) -> dict[str, VersionTest]:
    """Return the tests of a project's module, by name.

    Parameters
    ----------
    named
        A file that ends in `.py`, read again when it has changed, or a dotted module that can be imported;
        empty for none.

    Raises
    ------
    InvalidInput
        There is no such module, it raises, it holds no test, or one has the name of another.
    """
    if not named:
        return {}
    module = _module(named)
    try:
        found = collect_tests([module])
    except InvalidInput as error:
        raise InvalidInput(f"BIGBOARD_TESTS={named}: {error}") from error
    if not found:
        raise InvalidInput(
            f"BIGBOARD_TESTS={named} holds no test: decorate a function with "
            "@version_test of mlops_core.version_tests"
        )
    for name in (*BUILT_IN, PROJECT_TESTS):
        if name in found:
            raise InvalidInput(
                f"BIGBOARD_TESTS={named} declares test '{name}', which Bigboard has already: choose another "
                "name"
            )
    return found


def _module(named: str) -> ModuleType:
    path = Path(named)
    try:
        if path.suffix != ".py":
            with _importing:
                return importlib.import_module(named)
        state = path.stat()
        with _importing:
            return _loaded(path.resolve(), state.st_mtime_ns, state.st_size)
    except FileNotFoundError as error:
        raise InvalidInput(f"BIGBOARD_TESTS={named}: there is no such file") from error
    except BaseException as error:  # a module may raise what it likes, also SystemExit
        if isinstance(error, KeyboardInterrupt):
            raise
        if isinstance(error, ModuleNotFoundError) and error.name and named.startswith(error.name):
            raise InvalidInput(
                f"BIGBOARD_TESTS={named}: there is no such module on the path; name a file that ends in .py, "
                "or install it"
            ) from error
        raise InvalidInput(
            f"BIGBOARD_TESTS={named} cannot be imported: {type(error).__name__}: {error}{_line(error, path)}"
        ) from error


@lru_cache(maxsize=8)
def _loaded(path: Path, _changed: int, _size: int) -> ModuleType:
    name = f"bigboard_tests_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InvalidInput(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def _line(error: BaseException, path: Path) -> str:
    """Return where in the module it was raised."""
    trace, number = error.__traceback__, None
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).name == path.name:
            number = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {number})" if number else ""

"""A test of a version as it is declared: its name, whom it concerns, and what can be set."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Final, TypeAlias

from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import ProblemType
from mlops_core.version_tests.outcome import Outcome

if TYPE_CHECKING:
    from mlops_core.version_tests.context import TestContext

__all__ = ["EVERY_PROBLEM", "Parameter", "ParameterValue", "VersionTest", "collect_tests", "version_test"]

ParameterValue: TypeAlias = float | int | bool | str | None

TestFunction: TypeAlias = Callable[["TestContext"], Outcome]

EVERY_PROBLEM: Final = tuple(ProblemType)


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something about a test that a model's suite can set.

    Attributes
    ----------
    name, meaning
        Its key, and what it says.
    default
        Its value unless the suite says another; its type is the parameter's, None makes it a number that may
        be left out.
    lowest, highest
        The bounds of a number.
    check
        Raises `InvalidInput` for a value that the test could not use.
    """

    name: str
    default: ParameterValue
    meaning: str
    lowest: float = -math.inf
    highest: float = math.inf
    check: Callable[[str], object] | None = None

    def checked(self, test: str, value: object) -> ParameterValue:
        """Return a value that was given, as the parameter's type.

        Raises
        ------
        InvalidInput
            It is of another type, or out of bounds.
        """
        kind = type(self.default) if self.default is not None else float
        label = f"parameter '{self.name}' of test '{test}'"
        if value is None and self.default is None:
            return None
        if kind is bool or kind is str:
            if not isinstance(value, kind):
                wanted = "true or false" if kind is bool else "text"
                raise InvalidInput(f"{label} is {value!r}: give {wanted} ({self.meaning})")
            if self.check is not None and isinstance(value, str):
                self.check(value)
            return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidInput(f"{label} is {value!r}: give a number ({self.meaning})")
        if kind is int and float(value) != math.floor(value):
            raise InvalidInput(f"{label} is {value!r}: give a whole number ({self.meaning})")
        if not math.isfinite(value) or not self.lowest <= value <= self.highest:
            raise InvalidInput(f"{label} is {value}: give a number {self._bounds()} ({self.meaning})")
        return int(value) if kind is int else float(value)

    def _bounds(self) -> str:
        if math.isinf(self.highest):
            return "that is finite" if math.isinf(self.lowest) else f"from {self.lowest:g} up"
        return f"between {self.lowest:g} and {self.highest:g}"


@dataclass(frozen=True, slots=True)
class VersionTest:
    """A test that versions can be put to.

    Attributes
    ----------
    name
        Its key in suites and results.
    title
        What it asks for, in a few words.
    problem_types
        The models that it concerns.
    parameters
        What a suite can set.
    function
        ``(context) -> Outcome``.
    seconds
        What a project's test may take in all; it is stopped then. Built-in tests are bounded by what they ask
        of an artefact.
    """

    name: str
    title: str
    problem_types: frozenset[ProblemType]
    parameters: tuple[Parameter, ...]
    function: TestFunction
    seconds: float = 300.0

    def __call__(self, context: "TestContext") -> Outcome:
        """Carry the test out."""
        return self.function(context)

    @property
    def summary(self) -> str:
        """Return the docstring's first paragraph on one line."""
        return " ".join((self.function.__doc__ or "").strip().partition("\n\n")[0].split())

    @property
    def defaults(self) -> dict[str, ParameterValue]:
        """Return the parameters' values where no suite has set them."""
        return {parameter.name: parameter.default for parameter in self.parameters}

    def checked(self, given: Mapping[str, object]) -> dict[str, ParameterValue]:
        """Return parameters that were given, each as its type.

        Raises
        ------
        InvalidInput
            One does not exist, or has a value that it cannot have; the message lists what there is.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                there = ", ".join(known) or "none"
                raise InvalidInput(f"test '{self.name}' has no parameter '{name}': there is {there}")
        return {name: known[name].checked(self.name, value) for name, value in given.items()}


def version_test(
    name: str,
    *,
    title: str,
    problem_types: Collection[ProblemType | str] = EVERY_PROBLEM,
    parameters: Sequence[Parameter] = (),
    seconds: float = 300.0,
) -> Callable[[TestFunction], VersionTest]:
    """Declare a function ``(context) -> Outcome`` as a test of versions.

    Parameters
    ----------
    name
        Its key: lower-case words joined by underscores.
    title
        What it asks for, in a few words.
    problem_types
        The models that it concerns; all without it.
    parameters
        What a model's suite can set; the function finds the values in `context.parameters`.
    seconds
        What it may take in all; its process is stopped then, and the result is `error`.

    Raises
    ------
    InvalidInput
        The name is no such name, a problem type is unknown or a parameter is declared twice.

    Examples
    --------
    >>> most = Parameter("most", 20, "columns that it may have", lowest=1)
    >>> @version_test("few_columns", title="Has few columns", parameters=[most])
    ... def few_columns(context):
    ...     columns, most = len(context.version.columns), context.number("most")
    ...     return Outcome.judged(
    ...         columns <= most, f"It has {columns} columns.", figure=columns, limit=most
    ...     )
    >>> few_columns.name
    'few_columns'
    """
    if not name or not all(part.isalnum() and part == part.lower() for part in name.split("_")):
        raise InvalidInput(
            f"test name '{name}' must be lower-case words joined by underscores, like row_order"
        )
    try:
        concerned = frozenset(ProblemType(kind) for kind in problem_types)
    except ValueError as error:
        raise InvalidInput(f"test '{name}': {error}; choose {', '.join(ProblemType)}") from error
    names = [parameter.name for parameter in parameters]
    if len(set(names)) < len(names):
        raise InvalidInput(f"test '{name}' declares a parameter twice: {', '.join(names)}")

    def declare(function: TestFunction) -> VersionTest:
        return VersionTest(name, title, concerned, tuple(parameters), function, seconds)

    return declare


def collect_tests(modules: Iterable[ModuleType]) -> dict[str, VersionTest]:
    """Return the tests that modules hold, by name, in the order in which they are written there.

    Raises
    ------
    InvalidInput
        Two have the same name.
    """
    found: dict[str, VersionTest] = {}
    for module in modules:
        for value in vars(module).values():
            if not isinstance(value, VersionTest) or found.get(value.name) is value:
                continue
            if value.name in found:
                raise InvalidInput(
                    f"{module.__name__} declares test '{value.name}' twice: choose another name"
                )
            found[value.name] = value
    return found

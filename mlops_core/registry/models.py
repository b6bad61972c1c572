"""Models: create one, find one, and which of its versions is the champion."""

from collections.abc import Sequence

from sqlmodel import Session, col, func, select

from mlops_core.domain import Actor, Alias, Model, ModelVersion
from mlops_core.domain.errors import Conflict, InvalidInput, NotFound
from mlops_core.domain.states import ProblemType, Role, Stage
from mlops_core.statistics import PERFORMANCE_STATISTICS
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace, require_role

__all__ = [
    "CHAMPION",
    "MAKERS",
    "champion_of",
    "champions",
    "create_model",
    "find_model",
    "find_version",
    "list_models",
]

CHAMPION = "champion"
MAKERS = (Role.DATA_SCIENTIST, Role.ML_ENGINEER, Role.LEAD)


def create_model(
    workspace: Workspace,
    actor: Actor,
    *,
    name: str,
    description: str,
    owner: Actor,
    problem_type: ProblemType,
    primary_metric: str | None,
    latency_objective_ms: float,
    cadence_hours: float,
    segment_columns: Sequence[str] = (),
) -> Model:
    """Create a model, still without a version.

    Parameters
    ----------
    name
        Lower-case words joined by hyphens; its identity, never changed.
    primary_metric
        The performance statistic that the board shows (`roc_auc`, `rmse`, …); None where outcomes never come.
    latency_objective_ms
        The 95th percentile of response times that the model promises, in milliseconds.
    cadence_hours
        How often it is expected to predict.
    segment_columns
        Logged columns by whose values every figure is also kept apart.

    Raises
    ------
    InvalidInput, Conflict, NotPermitted
    """
    require_role(actor, "create a model", *MAKERS)
    if not name or not all(part.isalnum() and part == part.lower() for part in name.split("-")):
        raise InvalidInput(f"model name '{name}' must be lower-case words joined by hyphens, like churn-risk")
    if latency_objective_ms <= 0 or cadence_hours <= 0:
        raise InvalidInput(f"model '{name}' needs a latency objective and a cadence above zero")

    if primary_metric is not None:
        _check_metric(name, primary_metric, problem_type)

    def work(unit: UnitOfWork) -> Model:
        if unit.session.exec(select(Model).where(Model.name == name)).first() is not None:
            raise Conflict(
                f"there is already a model '{name}': register a version of it, or choose another name"
            )
        model = unit.add(
            Model(
                name=name,
                description=description,
                owner_id=owner.id,
                problem_type=ProblemType(problem_type),
                primary_metric=primary_metric,
                latency_objective_ms=latency_objective_ms,
                cadence_hours=cadence_hours,
                segment_columns=list(segment_columns),
                created_at=unit.now,
            )
        )
        unit.record("model.created", "model", name, f"Model {name} was created for {owner.full_name}")
        return model

    return workspace.store.write(actor, work)


def _check_metric(name: str, metric: str, problem_type: ProblemType) -> None:
    fitting = [key for key, found in PERFORMANCE_STATISTICS.items() if problem_type in found.problem_types]
    if metric not in fitting:
        raise InvalidInput(
            f"model '{name}' is a {problem_type} model and cannot be judged by '{metric}': choose "
            f"{', '.join(fitting) or 'no metric'}"
        )


def list_models(session: Session) -> list[Model]:
    """Return every model by name."""
    return list(session.exec(select(Model).order_by(Model.name)))


def find_model(session: Session, name: str) -> Model:
    """Return a model by name.

    Raises
    ------
    NotFound
    """
    found = session.exec(select(Model).where(Model.name == name)).first()
    if found is None:
        raise NotFound(f"there is no model '{name}': the registry lists those there are")
    return found


def find_version(session: Session, model: Model, number: int) -> ModelVersion:
    """Return a version of a model by number.

    Raises
    ------
    NotFound
    """
    found = session.exec(
        select(ModelVersion).where(ModelVersion.model_id == model.id, ModelVersion.number == number)
    ).first()
    if found is None:
        raise NotFound(f"model '{model.name}' has no version {number}")
    return found


def champion_of(session: Session, model: Model) -> ModelVersion:
    """Return the version that is in production.

    Raises
    ------
    NotFound
    """
    alias = session.exec(
        select(Alias)
        .where(Alias.model_id == model.id, Alias.name == CHAMPION)
        .order_by(col(Alias.id).desc())
        .limit(1)
    ).first()
    version = session.get(ModelVersion, alias.model_version_id) if alias else None
    if version is None or version.stage != Stage.PRODUCTION:
        raise NotFound(f"model '{model.name}' has no champion: promote a version first")
    return version


def champions(session: Session, model_ids: Sequence[int] | None = None) -> dict[int, ModelVersion]:
    """Return the production version of every model that has one, by model id; of some models, or of all."""
    newest = select(func.max(Alias.id)).where(Alias.name == CHAMPION).group_by(col(Alias.model_id))
    if model_ids is not None:
        newest = newest.where(col(Alias.model_id).in_(model_ids))
    versions = session.exec(
        select(ModelVersion)
        .join(Alias, col(Alias.model_version_id) == col(ModelVersion.id))
        .where(col(Alias.id).in_(newest), ModelVersion.stage == Stage.PRODUCTION)
    )
    return {version.model_id: version for version in versions}

"""Entities, feature tables and features: declare them, find them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlmodel import Session, col, select

from mlops_core.domain import Actor, Entity, Feature, FeatureInput, FeatureTable
from mlops_core.domain.errors import Conflict, InvalidInput, NotFound
from mlops_core.domain.states import FeatureKind, FeatureStatus, Role
from mlops_core.registry.models import find_model
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace, require_role

__all__ = [
    "AS_OF",
    "NewFeature",
    "create_entity",
    "create_feature_table",
    "find_feature_table",
    "find_features",
]

AS_OF = "as_of"
"""The column of every feature table that says at what time its values were known."""

_AUTHORS = (Role.DATA_SCIENTIST, Role.ML_ENGINEER, Role.LEAD)


@dataclass(frozen=True, slots=True)
class NewFeature:
    """A feature to declare, with one step of lineage.

    Attributes
    ----------
    dtype
        Arrow type of its column by name, such as `int64`, `float64`, `string` or `bool`.
    sources
        Source columns as `table.column`; for a `prediction` feature none.
    model
        The model whose output a `prediction` feature is.
    """

    name: str
    dtype: str
    kind: FeatureKind
    description: str
    sources: Sequence[str] = ()
    model: str | None = None


def create_entity(
    workspace: Workspace, actor: Actor, *, name: str, key_column: str, description: str
) -> Entity:
    """Create what features describe: a household, a machine, a claim.

    Raises
    ------
    Conflict, NotPermitted
    """
    require_role(actor, "create an entity", *_AUTHORS)

    def work(unit: UnitOfWork) -> Entity:
        if unit.session.exec(select(Entity).where(Entity.name == name)).first() is not None:
            raise Conflict(f"there is already an entity '{name}'")
        entity = unit.add(Entity(name=name, key_column=key_column, description=description))
        unit.record("entity.created", "entity", name, f"Entity {name} was created")
        return entity

    return workspace.store.write(actor, work)


def create_feature_table(
    workspace: Workspace,
    actor: Actor,
    *,
    name: str,
    entity: str,
    description: str,
    owner: Actor,
    features: Sequence[NewFeature],
) -> FeatureTable:
    """Declare a feature table and its features; rows are written with `write_features`.

    Raises
    ------
    InvalidInput
        A name cannot be used or occurs twice, a feature's lineage is missing or does not fit its kind,
        or there is no such type.
    Conflict
        The table or one of the feature names is taken.
    NotFound, NotPermitted
    """
    require_role(actor, "create a feature table", *_AUTHORS)
    _check_names(name, [feature.name for feature in features])
    for feature in features:
        _check_feature(feature)

    def work(unit: UnitOfWork) -> FeatureTable:
        owner_entity = unit.session.exec(select(Entity).where(Entity.name == entity)).first()
        if owner_entity is None:
            raise NotFound(f"there is no entity '{entity}': create it first")
        _check_names_free(unit.session, name, features)
        if owner_entity.key_column in {feature.name for feature in features}:
            raise InvalidInput(f"'{owner_entity.key_column}' is the key of entity '{entity}', and no feature")
        table = unit.add(
            FeatureTable(
                name=name,
                entity_id=owner_entity.id,
                description=description,
                owner_id=owner.id,
                created_at=unit.now,
            )
        )
        for feature in features:
            _add_feature(unit, table, feature)
        unit.record(
            "feature_table.created",
            "feature table",
            name,
            f"Feature table {name} was created with {len(features)} features",
            features=[feature.name for feature in features],
        )
        return table

    return workspace.store.write(actor, work)


def find_feature_table(session: Session, name: str) -> tuple[FeatureTable, Entity, list[Feature]]:
    """Return a feature table with its entity and features.

    Raises
    ------
    NotFound
    """
    table = session.exec(select(FeatureTable).where(FeatureTable.name == name)).first()
    if table is None:
        raise NotFound(f"there is no feature table '{name}'")
    entity = session.get_one(Entity, table.entity_id)
    features = session.exec(
        select(Feature).where(Feature.feature_table_id == table.id).order_by(col(Feature.id))
    )
    return table, entity, list(features)


def find_features(session: Session, names: Sequence[str]) -> list[tuple[Feature, FeatureTable]]:
    """Return features with their tables, in the order of the names.

    Raises
    ------
    NotFound
        Naming the ones that do not exist.
    """
    rows = session.exec(
        select(Feature, FeatureTable)
        .join(FeatureTable, col(FeatureTable.id) == col(Feature.feature_table_id))
        .where(col(Feature.name).in_(list(names)))
    ).all()
    found = {feature.name: (feature, table) for feature, table in rows}
    missing = [name for name in names if name not in found]
    if missing:
        raise NotFound(f"there are no features named {', '.join(missing)}: search the feature catalogue")
    return [found[name] for name in names]


def _check_names(table: str, features: Sequence[str]) -> None:
    for name in (table, *features):
        if not name.isidentifier() or name == AS_OF:
            raise InvalidInput(
                f"'{name}' cannot name a feature table or a feature: use letters, digits and underscores, "
                f"and not {AS_OF}"
            )
    twice = sorted({name for name in features if features.count(name) > 1})
    if twice:
        raise InvalidInput(f"feature table '{table}' declares '{twice[0]}' twice: nothing was created")


def _check_feature(feature: NewFeature) -> None:
    try:
        pa.type_for_alias(feature.dtype)
    except ValueError as error:
        raise InvalidInput(
            f"feature '{feature.name}' has type '{feature.dtype}', which Arrow does not know: "
            "give int64, float64, string or bool"
        ) from error
    if feature.kind == FeatureKind.PREDICTION and not feature.model:
        raise InvalidInput(f"feature '{feature.name}' is a prediction: name the model it comes from")
    if feature.kind != FeatureKind.PREDICTION and not feature.sources:
        raise InvalidInput(f"feature '{feature.name}' needs the source columns that it comes from")


def _check_names_free(session: Session, table: str, features: Sequence[NewFeature]) -> None:
    if session.exec(select(FeatureTable).where(FeatureTable.name == table)).first() is not None:
        raise Conflict(f"there is already a feature table '{table}'")
    names = [feature.name for feature in features]
    taken = session.exec(select(Feature.name).where(col(Feature.name).in_(names))).all()
    if taken:
        raise Conflict(f"there are already features named {', '.join(sorted(taken))}: reuse them")


def _add_feature(unit: UnitOfWork, table: FeatureTable, new: NewFeature) -> None:
    feature = unit.add(
        Feature(
            feature_table_id=table.id,
            name=new.name,
            dtype=new.dtype,
            kind=FeatureKind(new.kind),
            status=FeatureStatus.ACTIVE,
            description=new.description,
            created_at=unit.now,
        )
    )
    if new.model:
        model = find_model(unit.session, new.model)
        unit.session.add(FeatureInput(feature_id=feature.id, model_id=model.id))
    unit.session.add_all(FeatureInput(feature_id=feature.id, source_column=source) for source in new.sources)

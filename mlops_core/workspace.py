"""A workspace: the metadata store, the warehouse, the artefacts and the clock, opened together."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import Session, col, select

from mlops_core.clock import Clock, FixedClock, SystemClock
from mlops_core.domain import Actor, Setting
from mlops_core.domain.errors import InvalidInput, NotFound, NotPermitted
from mlops_core.domain.states import Role
from mlops_core.settings import ENGINES, Settings
from mlops_core.store import Store, UnitOfWork, open_store
from mlops_core.warehouse import Warehouse

__all__ = [
    "SYSTEM",
    "Workspace",
    "actor_named",
    "actors",
    "add_actor",
    "open_workspace",
    "put_setting",
    "require_role",
    "set_clock",
    "setting",
]

SYSTEM = "system"
_CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Workspace:
    """What every core action is given first."""

    settings: Settings
    store: Store
    warehouse: Warehouse
    artefact_root: Path

    @property
    def clock(self) -> Clock:
        """Return the clock that this workspace goes by."""
        return self.store.clock

    def close(self) -> None:
        """Give the database back."""
        self.store.close()


def open_workspace(settings: Settings, *, create: bool = False, clock: Clock | None = None) -> Workspace:
    """Open a workspace, or make an empty one with its `system` actor.

    A workspace on a simulated clock goes by the stored time unless `clock` is given.

    Raises
    ------
    StoreError
        One of its kinds; see `mlops_core.store.open_store`.
    InvalidInput
        No tables can be kept under the path of the warehouse, or there is no such engine.
    """
    if settings.engine not in ENGINES:
        raise InvalidInput(
            f"BIGBOARD_ENGINE is '{settings.engine}', no engine: choose {' or '.join(ENGINES)}"
        )
    warehouse = Warehouse(settings.warehouse_root)
    store = open_store(settings.store_url, clock=clock, create=create)
    workspace = Workspace(settings, store, warehouse, settings.artefact_root)
    with store.read() as session:
        has_system = session.exec(select(Actor).where(Actor.name == SYSTEM)).first() is not None
        stored = session.get(Setting, _CLOCK)
    if clock is None:
        store.clock = FixedClock(datetime.fromisoformat(stored.value["at"])) if stored else SystemClock()
    if not has_system:
        _add_system(workspace)
    return workspace


def _add_system(workspace: Workspace) -> None:
    system = Actor(
        name=SYSTEM, full_name="Bigboard itself", role=Role.ADMIN, created_at=workspace.clock.now()
    )

    def work(unit: UnitOfWork) -> None:
        if unit.session.exec(select(Actor).where(Actor.name == SYSTEM)).first() is None:
            unit.actor = unit.add(Actor(**system.model_dump(exclude={"id"})))
            unit.record("workspace.created", "workspace", "workspace", "The workspace was created")

    workspace.store.bookkeep(system, work)


def actors(workspace: Workspace) -> list[Actor]:
    """Return everybody who may act here, `system` first."""
    with workspace.store.read() as session:
        return list(session.exec(select(Actor).order_by(col(Actor.id))))


def actor_named(workspace: Workspace, name: str) -> Actor:
    """Return an actor by name.

    Raises
    ------
    NotFound
        When there is none; the message lists who is there.
    """
    with workspace.store.read() as session:
        found = session.exec(select(Actor).where(Actor.name == name)).first()
    if found is None:
        known = ", ".join(actor.name for actor in actors(workspace))
        raise NotFound(f"there is no actor '{name}': set BIGBOARD_ACTOR to one of {known}")
    return found


def add_actor(
    workspace: Workspace, actor: Actor, *, name: str, full_name: str, role: Role, email: str = ""
) -> Actor:
    """Add a person or a service; administrators only.

    Raises
    ------
    InvalidInput
        When the name is empty or taken.
    NotPermitted
        When `actor` is no administrator.
    """
    require_role(actor, "add an actor", Role.ADMIN)
    if not name.strip():
        raise InvalidInput("an actor needs a name")

    def work(unit: UnitOfWork) -> Actor:
        if unit.session.exec(select(Actor).where(Actor.name == name)).first() is not None:
            raise InvalidInput(f"there is already an actor '{name}': choose another name")
        added = unit.add(
            Actor(name=name, full_name=full_name, role=Role(role), email=email, created_at=unit.now)
        )
        unit.record("actor.added", "actor", name, f"{full_name} joined as {role.replace('_', ' ')}")
        return added

    return workspace.store.write(actor, work)


def require_role(actor: Actor, action: str, *roles: Role) -> None:
    """Check that an actor may act.

    Raises
    ------
    NotPermitted
        Naming the roles that may.
    """
    if not actor.has_role(*roles):
        wanted = " or ".join(role.replace("_", " ") for role in (*roles, Role.ADMIN) if role)
        raise NotPermitted(
            f"{actor.name} ({actor.role.replace('_', ' ')}) may not {action}: ask somebody with role {wanted}"
        )


def setting(workspace: Workspace, name: str) -> dict[str, object] | None:
    """Return a named setting, None when it was never put."""
    with workspace.store.read() as session:
        row = session.get(Setting, name)
        return dict(row.value) if row else None


def put_setting(workspace: Workspace, actor: Actor, name: str, value: dict[str, object], why: str) -> None:
    """Store a named setting; administrators only."""
    require_role(actor, "change a setting", Role.ADMIN)

    def work(unit: UnitOfWork) -> None:
        _put(unit.session, name, value)
        unit.record("setting.changed", "setting", name, why, value=value)

    workspace.store.write(actor, work)


def set_clock(workspace: Workspace, actor: Actor, at: datetime) -> None:
    """Put the workspace on a simulated clock that stands at `at`, for good; administrators only.

    Raises
    ------
    InvalidInput
        When the time has no zone.
    NotPermitted
    """
    if at.tzinfo is None:
        raise InvalidInput(f"the clock cannot be put to {at}, which has no time zone: give it in UTC")
    at = at.astimezone(UTC)
    put_setting(
        workspace, actor, _CLOCK, {"at": at.isoformat()}, f"The clock was put to {at:%d %b %Y %H:%M} UTC"
    )
    workspace.store.clock = FixedClock(at)


def _put(session: Session, name: str, value: dict[str, object]) -> None:
    row = session.get(Setting, name)
    if row is None:
        session.add(Setting(name=name, value=value))
    else:
        row.value = value

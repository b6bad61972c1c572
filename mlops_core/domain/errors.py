"""Every error that Bigboard raises on purpose, in one tree.

    BigboardError
    ├── InvalidInput          what was given cannot be used
    │   └── SchemaMismatch    a batch does not fit its table
    ├── NotFound              a thing that was named does not exist
    ├── Conflict              the thing exists, but its state forbids the action
    ├── NotPermitted          the actor's role may not do this
    ├── StoreError            the metadata store cannot be used
    │   ├── NoWorkspace       there is nothing to open
    │   ├── StoreHeld         another process owns the DuckDB file
    │   ├── StoreForeign      the file is not a Bigboard store, or is damaged
    │   ├── StoreTooNew       a newer release wrote the store
    │   ├── StoreBusy         writers kept colliding until the retries ran out
    │   └── ArtefactUnwritable  the file of an artefact cannot be written
    ├── WarehouseError        a Delta table cannot be read or written
    ├── EngineError           the engine that was chosen for counting cannot be used
    ├── ScoringError          an artefact cannot be asked, or did not answer as it should
    │   ├── ArtefactRefused   its bytes may not or cannot be loaded here
    │   ├── OutOfTime         it did not answer within its time
    │   └── OutOfMemory       it wanted more memory than it may have
    └── Cancelled             somebody asked for the work to stop

A message names the thing, the problem and the next step.
"""

__all__ = [
    "ArtefactRefused",
    "ArtefactUnwritable",
    "BigboardError",
    "Cancelled",
    "Conflict",
    "EngineError",
    "InvalidInput",
    "NoWorkspace",
    "NotFound",
    "NotPermitted",
    "OutOfMemory",
    "OutOfTime",
    "SchemaMismatch",
    "ScoringError",
    "StoreBusy",
    "StoreError",
    "StoreForeign",
    "StoreHeld",
    "StoreTooNew",
    "WarehouseError",
]


class BigboardError(Exception):
    """The root of the tree: catch it to show the message to a person."""


class InvalidInput(BigboardError):
    """What was given cannot be used; nothing was stored."""


class SchemaMismatch(InvalidInput):
    """A batch does not fit the table it was meant for; the whole batch was refused."""


class NotFound(BigboardError):
    """A thing that was named does not exist in this workspace."""


class Conflict(BigboardError):
    """The thing exists, but the state it is in forbids the action."""


class NotPermitted(BigboardError):
    """The actor's role does not allow the action."""


class StoreError(BigboardError):
    """The metadata store cannot be used."""


class ArtefactUnwritable(StoreError):
    """The file of an artefact cannot be written: the disk is full, or its folder is not ours."""


class NoWorkspace(StoreError):
    """The folder or database that was named holds no workspace."""


class StoreHeld(StoreError):
    """Another process holds the DuckDB file; `process_id` names it when it is known."""

    def __init__(self, message: str, process_id: int | None = None) -> None:
        super().__init__(message)
        self.process_id = process_id


class StoreForeign(StoreError):
    """The database is damaged or belongs to something else; it was left untouched."""


class StoreTooNew(StoreError):
    """A newer release of Bigboard wrote the store; it was left untouched."""


class StoreBusy(StoreError):
    """Concurrent writers collided more often than the bounded retries allow."""


class WarehouseError(BigboardError):
    """A table of the warehouse cannot be read or written."""


class EngineError(BigboardError):
    """The engine that was chosen for counting cannot be used, or failed."""


class ScoringError(BigboardError):
    """An artefact cannot be asked, or did not answer as it should; it runs apart, so nothing else is hurt."""


class ArtefactRefused(ScoringError):
    """The bytes of an artefact may not or cannot be loaded here."""


class OutOfTime(ScoringError):
    """An artefact did not answer within its time, and was stopped."""


class OutOfMemory(ScoringError):
    """An artefact wanted more memory than it may have, and was stopped."""


class Cancelled(BigboardError):
    """Somebody asked for the work to stop; what was done before is kept."""

"""The metadata store: engine, migrations, units of work, revision counter."""

from mlops_core.store.holder import inspect_file
from mlops_core.store.migrate import head_version
from mlops_core.store.store import Store, open_store, ping, reset_store, store_schema_version
from mlops_core.store.unit_of_work import UnitOfWork

__all__ = [
    "Store",
    "UnitOfWork",
    "head_version",
    "inspect_file",
    "open_store",
    "ping",
    "reset_store",
    "store_schema_version",
]

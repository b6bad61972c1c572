"""The large data of a workspace: Delta tables, versions, snapshots."""

from mlops_core.warehouse.schema import canonical, check_fits, describe
from mlops_core.warehouse.sql import quoted, warehouse_sql
from mlops_core.warehouse.warehouse import Appended, TableState, Warehouse

__all__ = [
    "Appended",
    "TableState",
    "Warehouse",
    "canonical",
    "check_fits",
    "describe",
    "quoted",
    "warehouse_sql",
]

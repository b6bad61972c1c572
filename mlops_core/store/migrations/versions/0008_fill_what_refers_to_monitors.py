"""Thresholds and measurements, from the copies of 0005, which are dropped."""

from importlib import import_module

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BEFORE = "mlops_core.store.migrations.versions.0006_drop_what_refers_to_monitors"


def upgrade() -> None:
    """Make both tables and fill them."""
    import_module(_BEFORE).create_what_refers_to_monitors()
    for table in ("threshold", "measurement"):
        op.execute(f"INSERT INTO {table} SELECT * FROM {table}_copy")
    for table in ("monitor", "threshold", "measurement"):
        op.drop_table(f"{table}_copy")


def downgrade() -> None:
    """Copy the monitors with what refers to them, which is dropped."""
    for table in ("monitor", "threshold", "measurement"):
        op.execute(f"CREATE TABLE {table}_copy AS SELECT * FROM {table}")
    op.drop_table("threshold")
    op.drop_index("measurement_monitor_window", table_name="measurement")
    op.drop_table("measurement")

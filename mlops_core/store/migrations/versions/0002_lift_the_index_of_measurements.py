"""Lift the index of the measurements, which get new columns.

DuckDB alters no table that has an index, and ends the process when an index of a filled table is dropped, and
made again, in the transaction that alters it: each step is a revision, and so a transaction, of its own.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the index."""
    op.drop_index("measurement_monitor_window", table_name="measurement")


def downgrade() -> None:
    """Make it again."""
    op.create_index("measurement_monitor_window", "measurement", ["monitor_id", "window_start"], unique=False)

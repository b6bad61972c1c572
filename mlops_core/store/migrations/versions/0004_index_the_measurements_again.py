"""Index the measurements again, now that they have their columns (see 0002)."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("measurement_monitor_window", "measurement", ["monitor_id", "window_start"], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_index("measurement_monitor_window", table_name="measurement")

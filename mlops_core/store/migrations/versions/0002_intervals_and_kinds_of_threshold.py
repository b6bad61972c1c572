"""The interval and the share of outcomes beside a measurement; how a threshold was chosen."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INDEX = "measurement_monitor_window"
ADDED: dict[str, dict[str, type[sa.types.TypeEngine[Any]]]] = {
    "measurement": {"lower": sa.Float, "upper": sa.Float, "outcomes_share": sa.Float},
    "threshold": {"kind": sa.String, "parameters": sa.JSON},
}


def upgrade() -> None:
    """Add columns that are null in older rows; DuckDB alters no table that has an index."""
    op.drop_index(INDEX, table_name="measurement")
    for table, columns in ADDED.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind(), nullable=True))
    op.create_index(INDEX, "measurement", ["monitor_id", "window_start"], unique=False)


def downgrade() -> None:
    """Take the columns away again."""
    op.drop_index(INDEX, table_name="measurement")
    for table, columns in ADDED.items():
        for name in columns:
            op.drop_column(table, name)
    op.create_index(INDEX, "measurement", ["monitor_id", "window_start"], unique=False)

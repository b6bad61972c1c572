"""The interval and the share of outcomes beside a measurement; how a threshold was chosen."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ADDED: dict[str, dict[str, type[sa.types.TypeEngine[Any]]]] = {
    "measurement": {"lower": sa.Float, "upper": sa.Float, "outcomes_share": sa.Float},
    "threshold": {"kind": sa.String, "parameters": sa.JSON},
}


def upgrade() -> None:
    """Add columns that are null in older rows."""
    for table, columns in ADDED.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind(), nullable=True))


def downgrade() -> None:
    """Take the columns away again."""
    for table, columns in ADDED.items():
        for name in columns:
            op.drop_column(table, name)

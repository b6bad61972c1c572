"""A monitor that somebody saved can be ended; what it measured stays."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the time of its end."""
    op.execute("ALTER TABLE monitor ADD COLUMN IF NOT EXISTS ended_at TIMESTAMP WITH TIME ZONE")


def downgrade() -> None:
    """Leave the column: DuckDB drops none of a table that another refers to, and 0007 makes this one anew."""

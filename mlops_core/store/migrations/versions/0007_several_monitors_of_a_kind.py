"""Monitors of one column or one segment, several of a kind for a version; filled from the copy of 0005."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table anew: the monitors so far watch all columns and all rows."""
    op.drop_table("monitor")
    op.create_table(
        "monitor",
        sa.Column("id", sa.Integer(), sa.Sequence("monitor_id_seq"), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("statistic", sa.String(), nullable=False),
        sa.Column("column", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("window_days", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"]),
        sa.PrimaryKeyConstraint("id"),
        # Without a name: the one that DuckDB gives it is too long for PostgreSQL.
        sa.UniqueConstraint("model_version_id", "kind", "statistic", "column", "segment", "window_days"),
    )
    op.execute(
        "INSERT INTO monitor SELECT id, model_version_id, kind, statistic, '', '', window_days, created_at "
        "FROM monitor_copy"
    )


def downgrade() -> None:
    """Make it as it was; of several of a kind the first is kept, with what refers to it."""
    op.drop_table("monitor")
    op.create_table(
        "monitor",
        sa.Column("id", sa.Integer(), sa.Sequence("monitor_id_seq"), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("statistic", sa.String(), nullable=False),
        sa.Column("window_days", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("model_version_id", "kind", name="monitor_model_version_id_kind_key"),
    )
    op.execute(
        "INSERT INTO monitor SELECT id, model_version_id, kind, statistic, window_days, created_at "
        "FROM monitor_copy "
        "WHERE id IN (SELECT min(id) FROM monitor_copy GROUP BY model_version_id, kind)"
    )
    for table in ("threshold", "measurement"):
        op.execute(f"DELETE FROM {table}_copy WHERE monitor_id NOT IN (SELECT id FROM monitor)")

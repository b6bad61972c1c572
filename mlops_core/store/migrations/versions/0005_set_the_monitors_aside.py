"""Importance of columns, calendar events, a sample of the reference; and the monitors are set aside.

A version may have several monitors of a kind from here on. DuckDB lifts no constraint from a table and drops
none that another refers to, so the monitors, with their thresholds and measurements, are made anew: copied
here, dropped by 0006, and made and filled again by 0007 and 0008. Each step is a transaction of its own (see
0002).
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ASIDE = ("monitor", "threshold", "measurement")
NUMBERED = ("calendar_event", "column_importance")


def upgrade() -> None:
    """Add two tables and a column, and copy the monitors."""
    for table in NUMBERED:
        op.execute(sa.schema.CreateSequence(sa.Sequence(f"{table}_id_seq")))
    op.create_table(
        "calendar_event",
        sa.Column("id", sa.Integer(), sa.Sequence("calendar_event_id_seq"), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("model_id", sa.Integer(), nullable=True),
        sa.Column("actor_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["actor.id"]),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "column_importance",
        sa.Column("id", sa.Integer(), sa.Sequence("column_importance_id_seq"), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("column", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "model_version_id", "column", name="column_importance_model_version_id_column_key"
        ),
    )
    op.add_column("reference_profile", sa.Column("sample_digest", sa.String(), nullable=True))
    for table in ASIDE:
        op.execute(f"CREATE TABLE {table}_copy AS SELECT * FROM {table}")


def downgrade() -> None:
    """Take them away again."""
    for table in ASIDE:
        op.drop_table(f"{table}_copy")
    op.drop_column("reference_profile", "sample_digest")
    for table in NUMBERED:
        op.drop_table(table)
        op.execute(sa.schema.DropSequence(sa.Sequence(f"{table}_id_seq")))

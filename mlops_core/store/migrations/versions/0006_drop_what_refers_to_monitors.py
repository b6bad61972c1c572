"""Drop thresholds and measurements, which 0005 has copied."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop both."""
    op.drop_table("threshold")
    op.drop_index("measurement_monitor_window", table_name="measurement")
    op.drop_table("measurement")


def downgrade() -> None:
    """Make them again from their copies."""
    create_what_refers_to_monitors()
    op.execute("INSERT INTO threshold SELECT * FROM threshold_copy")
    op.execute("INSERT INTO measurement SELECT * FROM measurement_copy")


def create_what_refers_to_monitors() -> None:
    """Make the tables of thresholds and measurements, empty, as they have been since 0004."""
    op.create_table(
        "threshold",
        sa.Column("id", sa.Integer(), sa.Sequence("threshold_id_seq"), nullable=False),
        sa.Column("monitor_id", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("above", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=True),
        sa.Column("parameters", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["monitor_id"], ["monitor.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "measurement",
        sa.Column("id", sa.Integer(), sa.Sequence("measurement_id_seq"), nullable=False),
        sa.Column("monitor_id", sa.Integer(), nullable=False),
        sa.Column("statistic", sa.String(), nullable=False),
        sa.Column("column", sa.String(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lower", sa.Float(), nullable=True),
        sa.Column("upper", sa.Float(), nullable=True),
        sa.Column("outcomes_share", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["monitor_id"], ["monitor.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("measurement_monitor_window", "measurement", ["monitor_id", "window_start"], unique=False)

"""What the registry knows of a version (tags, card, snapshots, test runs, comparisons), and the jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_NUMBERED = (
    "job",
    "model_tag",
    "version_snapshot",
    "model_card",
    "test_run",
    "test_result",
    "test_setting",
    "comparison",
)
_ADDED = (
    ("model_version", "environment", "JSON"),
    ("model_version", "predictions_digest", "VARCHAR"),
    ("metric", "snapshot_id", "INTEGER"),
    ("feature", "definition_version", "INTEGER"),
    ("feature_use", "definition_version", "INTEGER"),
)


def upgrade() -> None:
    """Make the tables, and add what older rows do not have."""
    for table in _NUMBERED:
        op.execute(sa.schema.CreateSequence(sa.Sequence(f"{table}_id_seq")))
    for table, column, kind in _ADDED:
        op.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column} {kind}")
    op.create_table(
        "job",
        sa.Column("id", sa.Integer(), sa.Sequence("job_id_seq"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("doing", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("alive_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["actor_id"], ["actor.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "model_tag",
        sa.Column("id", sa.Integer(), sa.Sequence("model_tag_id_seq"), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("model_id", "tag", name="model_tag_model_id_tag_key"),
    )
    op.create_table(
        "version_snapshot",
        sa.Column("id", sa.Integer(), sa.Sequence("version_snapshot_id_seq"), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("snapshot_id", sa.Integer(), nullable=False),
        sa.Column("use", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"]),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshot.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "model_version_id",
            "snapshot_id",
            "use",
            name="version_snapshot_model_version_id_snapshot_id_use_key",
        ),
    )
    op.create_table(
        "model_card",
        sa.Column("id", sa.Integer(), sa.Sequence("model_card_id_seq"), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("intended_use", sa.String(), nullable=False),
        sa.Column("limits", sa.String(), nullable=False),
        sa.Column("protected_attributes", sa.JSON(), nullable=False),
        sa.Column("considerations", sa.String(), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"]),
        sa.ForeignKeyConstraint(["actor_id"], ["actor.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "test_run",
        sa.Column("id", sa.Integer(), sa.Sequence("test_run_id_seq"), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("evaluation_snapshot_id", sa.Integer(), nullable=True),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("actor_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("message", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"]),
        sa.ForeignKeyConstraint(["evaluation_snapshot_id"], ["snapshot.id"]),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"]),
        sa.ForeignKeyConstraint(["actor_id"], ["actor.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "test_result",
        sa.Column("id", sa.Integer(), sa.Sequence("test_result_id_seq"), nullable=False),
        sa.Column("test_run_id", sa.Integer(), nullable=False),
        sa.Column("test", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("figure", sa.Float(), nullable=True),
        sa.Column("limit", sa.Float(), nullable=True),
        sa.Column("sentence", sa.String(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["test_run_id"], ["test_run.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("test_run_id", "test", name="test_result_test_run_id_test_key"),
    )
    op.create_table(
        "test_setting",
        sa.Column("id", sa.Integer(), sa.Sequence("test_setting_id_seq"), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("test", sa.String(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=True),
        sa.Column("actor_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"]),
        sa.ForeignKeyConstraint(["actor_id"], ["actor.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "comparison",
        sa.Column("id", sa.Integer(), sa.Sequence("comparison_id_seq"), nullable=False),
        sa.Column("challenger_id", sa.Integer(), nullable=False),
        sa.Column("champion_id", sa.Integer(), nullable=False),
        sa.Column("snapshot_id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("actor_id", sa.Integer(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("challenger_value", sa.Float(), nullable=True),
        sa.Column("champion_value", sa.Float(), nullable=True),
        sa.Column("difference", sa.Float(), nullable=True),
        sa.Column("lower", sa.Float(), nullable=True),
        sa.Column("upper", sa.Float(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["challenger_id"], ["model_version.id"]),
        sa.ForeignKeyConstraint(["champion_id"], ["model_version.id"]),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshot.id"]),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"]),
        sa.ForeignKeyConstraint(["actor_id"], ["actor.id"]),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Take the tables away; the columns stay, for DuckDB drops none of a table that another refers to."""
    for table in reversed(_NUMBERED):
        op.drop_table(table)
        op.execute(sa.schema.DropSequence(sa.Sequence(f"{table}_id_seq")))

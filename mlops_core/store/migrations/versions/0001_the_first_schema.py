"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBERED = (
    "actor",
    "alias",
    "audit_event",
    "entity",
    "feature",
    "feature_input",
    "feature_table",
    "feature_use",
    "job_run",
    "log_progress",
    "measurement",
    "metric",
    "model",
    "model_version",
    "monitor",
    "outcome_slice",
    "reference_profile",
    "slice",
    "snapshot",
    "stage_change",
    "threshold",
)


def upgrade() -> None:
    """Make every table, the sequences that number their rows, and the revision row."""
    for table in NUMBERED:
        op.execute(sa.schema.CreateSequence(sa.Sequence(f"{table}_id_seq")))
    op.create_table(
        "actor",
        sa.Column("id", sa.Integer(), sa.Sequence("actor_id_seq"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("full_name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "entity",
        sa.Column("id", sa.Integer(), sa.Sequence("entity_id_seq"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key_column", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "job_run",
        sa.Column("id", sa.Integer(), sa.Sequence("job_run_id_seq"), nullable=False),
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("message", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "snapshot",
        sa.Column("id", sa.Integer(), sa.Sequence("snapshot_id_seq"), nullable=False),
        sa.Column("table_name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("table_name", "version", name="snapshot_table_name_version_key"),
    )
    op.create_table(
        "store_revision",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "audit_event",
        sa.Column("id", sa.Integer(), sa.Sequence("audit_event_id_seq"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["actor.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "feature_table",
        sa.Column("id", sa.Integer(), sa.Sequence("feature_table_id_seq"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("entity_id", sa.Integer(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["entity_id"], ["entity.id"]),
        sa.ForeignKeyConstraint(["owner_id"], ["actor.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "model",
        sa.Column("id", sa.Integer(), sa.Sequence("model_id_seq"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("problem_type", sa.String(), nullable=False),
        sa.Column("primary_metric", sa.String(), nullable=True),
        sa.Column("latency_objective_ms", sa.Float(), nullable=False),
        sa.Column("cadence_hours", sa.Float(), nullable=False),
        sa.Column("segment_columns", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["actor.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "feature",
        sa.Column("id", sa.Integer(), sa.Sequence("feature_id_seq"), nullable=False),
        sa.Column("feature_table_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("dtype", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["feature_table_id"], ["feature_table.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "log_progress",
        sa.Column("id", sa.Integer(), sa.Sequence("log_progress_id_seq"), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("log", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("model_id", "log", name="log_progress_model_id_log_key"),
    )
    op.create_table(
        "model_version",
        sa.Column("id", sa.Integer(), sa.Sequence("model_version_id_seq"), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("snapshot_id", sa.Integer(), nullable=False),
        sa.Column("artefact_digest", sa.String(), nullable=False),
        sa.Column("artefact_format", sa.String(), nullable=False),
        sa.Column("artefact_bytes", sa.BigInteger(), nullable=False),
        sa.Column("git_commit", sa.String(), nullable=False),
        sa.Column("git_dirty", sa.Boolean(), nullable=False),
        sa.Column("estimator", sa.String(), nullable=False),
        sa.Column("hyper_parameters", sa.JSON(), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["actor.id"]),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"]),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshot.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("model_id", "number", name="model_version_model_id_number_key"),
    )
    op.create_table(
        "alias",
        sa.Column("id", sa.Integer(), sa.Sequence("alias_id_seq"), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"]),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "feature_input",
        sa.Column("id", sa.Integer(), sa.Sequence("feature_input_id_seq"), nullable=False),
        sa.Column("feature_id", sa.Integer(), nullable=False),
        sa.Column("source_column", sa.String(), nullable=True),
        sa.Column("model_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["feature_id"], ["feature.id"]),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "feature_use",
        sa.Column("id", sa.Integer(), sa.Sequence("feature_use_id_seq"), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("feature_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["feature_id"], ["feature.id"]),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "model_version_id", "feature_id", name="feature_use_model_version_id_feature_id_key"
        ),
    )
    op.create_table(
        "metric",
        sa.Column("id", sa.Integer(), sa.Sequence("metric_id_seq"), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("data", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
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
    op.create_table(
        "outcome_slice",
        sa.Column("id", sa.Integer(), sa.Sequence("outcome_slice_id_seq"), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "model_version_id",
            "origin",
            "start",
            "segment",
            name="outcome_slice_model_version_id_origin_start_segment_key",
        ),
    )
    op.create_table(
        "reference_profile",
        sa.Column("id", sa.Integer(), sa.Sequence("reference_profile_id_seq"), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("grids", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("model_version_id"),
    )
    op.create_table(
        "slice",
        sa.Column("id", sa.Integer(), sa.Sequence("slice_id_seq"), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("latest", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "model_version_id",
            "origin",
            "start",
            "segment",
            name="slice_model_version_id_origin_start_segment_key",
        ),
    )
    op.create_table(
        "stage_change",
        sa.Column("id", sa.Integer(), sa.Sequence("stage_change_id_seq"), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["actor.id"]),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"]),
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
        sa.ForeignKeyConstraint(["monitor_id"], ["monitor.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("measurement_monitor_window", "measurement", ["monitor_id", "window_start"], unique=False)
    op.create_table(
        "threshold",
        sa.Column("id", sa.Integer(), sa.Sequence("threshold_id_seq"), nullable=False),
        sa.Column("monitor_id", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("above", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["monitor_id"], ["monitor.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO store_revision (id, revision) VALUES (1, 0)")


def downgrade() -> None:
    """Take everything away again."""
    op.drop_table("threshold")
    op.drop_index("measurement_monitor_window", table_name="measurement")
    op.drop_table("measurement")
    op.drop_table("stage_change")
    op.drop_table("slice")
    op.drop_table("reference_profile")
    op.drop_table("outcome_slice")
    op.drop_table("monitor")
    op.drop_table("metric")
    op.drop_table("feature_use")
    op.drop_table("feature_input")
    op.drop_table("alias")
    op.drop_table("model_version")
    op.drop_table("log_progress")
    op.drop_table("feature")
    op.drop_table("model")
    op.drop_table("feature_table")
    op.drop_table("audit_event")
    op.drop_table("store_revision")
    op.drop_table("snapshot")
    op.drop_table("setting")
    op.drop_table("job_run")
    op.drop_table("entity")
    op.drop_table("actor")
    for table in NUMBERED:
        op.execute(sa.schema.DropSequence(sa.Sequence(f"{table}_id_seq")))

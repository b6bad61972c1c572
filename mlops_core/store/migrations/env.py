"""Alembic's entry: it runs on the connection that `mlops_core.store.migrate` hands over."""

from alembic import context

from mlops_core.domain import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()

"""How Alembic runs the scripts: over the connection that `Database.migrate` hands in, in its transaction."""

from __future__ import annotations

from alembic import context

from crossguard.review.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    transaction_per_migration=False,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

"""Alembic's entry: runs on the connection that `seawall.store.migrate` hands over."""

from alembic import context

from seawall.store import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables,
    render_as_batch=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()

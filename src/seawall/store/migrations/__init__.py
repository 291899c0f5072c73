"""The schema's history, as Alembic revisions; `seawall.store.migrate` runs them."""

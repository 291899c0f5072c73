"""The database: connections, transactions, migrations."""

from seawall.store.database import Database, insert_missing, require_one_writer, tables

__all__ = ["Database", "insert_missing", "require_one_writer", "tables"]

"""The database: connections, transactions, migrations."""

from seawall.store.database import Database, tables

__all__ = ["Database", "tables"]

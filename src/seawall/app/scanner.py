"""The scanner without a server: a database of advisories, and nothing else.

The state directory is the installation's; where there is none yet, importing a feed makes a
database there, which a later `seawall up` takes over.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from seawall.app import databases, setup
from seawall.config import Settings
from seawall.core.clock import SystemClock
from seawall.core.errors import NotFoundError
from seawall.scan.reports import Reports
from seawall.store import migrate


def ensure_database(settings: Settings) -> None:
    """Make a database where there is no installation, so that advisories can be imported.

    Raises UnavailableError when the state directory cannot be made.
    """
    if settings.options.database.url or settings.database.exists():
        return
    setup.make_directories(settings)
    databases.import_tables()
    database = databases.open_database(settings)
    try:
        migrate.migrate(database)
    finally:
        database.close()


@contextlib.contextmanager
def opened_reports(settings: Settings) -> Iterator[Reports | None]:
    """Open what judges inventories; None where there is no database yet."""
    with contextlib.ExitStack() as stack:
        try:
            database = stack.enter_context(databases.opened_database(settings))
        except NotFoundError:
            yield None
            return
        yield Reports(database, SystemClock())

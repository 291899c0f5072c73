"""Makes an installation ready: directories, schema, authorities, first administrator."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from seawall.app import engine_socket, rooms
from seawall.app.databases import import_tables, open_database, opened_database
from seawall.config import Settings
from seawall.core.errors import UnavailableError
from seawall.core.secret import Secret
from seawall.engine import docker
from seawall.jobs import queue
from seawall.store import migrate


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What the person at the shell should be told."""

    first_password: Secret | None  # of the administrator that was just made
    engine: str | None  # version and socket of the engine that answers
    hints: tuple[str, ...]


def make_directories(settings: Settings) -> None:
    """Create the state directory and its folders, for their owner alone.

    Raises UnavailableError, naming the way out.
    """
    folders = (settings.state, settings.blobs, settings.keys, settings.run, settings.logs)
    try:
        for folder in folders:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.state.chmod(0o700)
    except OSError as error:
        raise UnavailableError(
            f"cannot use {settings.state} as state directory: {error.strerror}",
            remedy="choose another one with --state, or run as its owner",
        ) from error


def prepare(settings: Settings) -> Prepared:
    """Bring everything that outlives a process into being. Safe to run at every start."""
    import_tables()
    database = open_database(settings)
    try:
        migrate.migrate(database)
        house = rooms.House.build(settings, database)
        password = house.users.ensure_first_administrator()
        rooms.server_files(house)
        with database.write() as connection:
            queue.retry_failed(connection, now=house.clock.now())
        return Prepared(
            first_password=None if password is None else Secret(password),
            engine=_engine(settings),
            hints=tuple(_hints(house)),
        )
    finally:
        database.close()


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[rooms.House]:
    """Open the rooms of an existing installation, for one command. Raises like `opened_database`"""
    with opened_database(settings) as database:
        yield rooms.House.build(settings, database)


def _engine(settings: Settings) -> str | None:
    socket = engine_socket.find(settings)
    if socket is None or not docker.Docker(socket).is_answering():
        return None
    version = docker.Docker(socket).version()
    return f"Docker {version.engine} (API {version.api}) at unix://{socket}"


def _hints(house: rooms.House) -> Iterator[str]:
    if not house.trusted_keys.list():
        yield "no key is trusted yet: nothing runs until one is (seawall key generate)"
    if not house.advisories.feeds():
        yield "no advisories yet: nothing runs until there are (seawall feeds update)"

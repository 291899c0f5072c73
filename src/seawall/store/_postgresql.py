"""PostgreSQL: the same guarantees as SQLite's, for several machines at once.

read    REPEATABLE READ READ ONLY: one snapshot from its first statement on.
write   READ COMMITTED behind one advisory lock, which is taken by the very message that begins the
        transaction and falls with it. So there is one such writer at a time, whatever process or
        machine it is in; each of its statements sees everything that earlier ones committed; no
        two can deadlock or fail to serialise; and the chain of the log has one end.
beside  READ COMMITTED without the lock.

A stricter isolation would not do: its snapshot is taken by the statement that waits for the lock,
and so is older than what the writer before has committed.

The server ends what hangs, so that a machine that vanished with the lock in its hand stops the
others for IDLE_TIMEOUT_MS at most.
"""

from __future__ import annotations

import logging
import select
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from seawall.core.errors import InvalidInputError, SeawallError, UnavailableError
from seawall.store._access import Access, access_of
from seawall.store.address import Address

CONNECT_TIMEOUT_S: Final = 10
POOL_TIMEOUT_S: Final = 15.0
LOCK_TIMEOUT_MS: Final = 15_000
STATEMENT_TIMEOUT_MS: Final = 60_000
IDLE_TIMEOUT_MS: Final = 60_000
"""How long a transaction may be open without a statement."""

KEEPALIVE: Final = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
USER_TIMEOUT_MS: Final = 60_000
"""How long what was sent may go unacknowledged until the connection counts as broken."""

WRITERS_LOCK: Final = int.from_bytes(b"seawall\0")
"""The advisory lock of writers. Such locks are of one database, so every Seawall has its own."""

_BEGIN: Final = {
    Access.READ: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    Access.BESIDE: "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
    Access.WRITE: "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; "
    f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})",
}

ABOUT: Final = """
    SELECT current_setting('server_version'),
           CASE WHEN client.client_addr IS NULL THEN 'through a socket of this machine'
                WHEN tls.ssl THEN 'over ' || tls.version
                ELSE 'NOT ENCRYPTED' END
      FROM pg_stat_activity AS client JOIN pg_stat_ssl AS tls USING (pid)
     WHERE pid = pg_backend_pid()
"""

_AGAIN: Final = "try again; if it stays so, look at the log of the PostgreSQL server"

_SAID: Final = {
    "08": ("the connection to the database broke", _AGAIN),
    "25006": ("the database takes no changes", "is it a standby? name the primary server"),
    "25P03": ("the database ended a transaction that stood still", _AGAIN),
    "28": ("the database does not let us in", "look at database.url and the password's file"),
    "3D000": ("the server has no such database", "create it, see docs/howto/postgresql.md"),
    "40": ("the change collided with another one", "try again"),
    "42501": ("the database denies a right", "its user must own the database and its tables"),
    "53100": ("the database's disk is full", "make room on the server"),
    "53300": ("the server has no connection left", "raise max_connections, or set fewer of ours"),
    "53": ("the database server is out of resources", _AGAIN),
    "55P03": ("another writer held the database for too long", "try again"),
    "57014": ("the database took too long", _AGAIN),
    "57P": ("the database server is stopping or starting", "try again"),
    "58": ("the database server's system fails", _AGAIN),
    "XX": ("the database is damaged", "stop Seawall and the server, and restore a backup"),
}
"""By SQLSTATE or, where that is not listed, by its beginning. The server's own words go to our log
alone: they may name hosts and accounts, and an error can reach a remote caller."""

_log = logging.getLogger(__name__)


def engine_of(address: Address) -> sa.Engine:
    """Return the engine of the database at `address`; it connects when first used.

    Raises UnavailableError when the driver is not installed.
    """
    try:
        engine = sa.create_engine(
            "postgresql+psycopg://",
            connect_args=_connect_arguments(address),
            poolclass=sa.QueuePool,
            pool_size=min(8, address.connections),
            max_overflow=max(0, address.connections - 8),
            pool_timeout=POOL_TIMEOUT_S,
            use_native_hstore=False,
        )
    except ImportError as error:
        raise UnavailableError(
            "the driver of PostgreSQL is not installed",
            remedy="pip install 'seawall[postgresql]'",
        ) from error
    sa.event.listen(engine, "begin", _on_begin)
    sa.event.listen(engine, "checkout", _on_checkout)
    return engine


def explain(error: sa.exc.DBAPIError) -> SeawallError | None:
    """Return what a person should be told; None for a broken promise of our own statements."""
    state: str | None = getattr(error.orig, "sqlstate", None)
    if isinstance(error, sa.exc.DataError) and state is None:
        # The driver itself: a text with U+0000. SQLite keeps such texts, but none is ever found.
        return InvalidInputError("a text holds the character U+0000", remedy="leave it out")
    known = _known(state) if state is not None else None
    if known is None:
        if not isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
            return None
        known = ("the database cannot be reached", _AGAIN)
    _log.warning("PostgreSQL %s: %s", state or "connection", error.orig)
    return UnavailableError(known[0], remedy=known[1])


def _known(state: str) -> tuple[str, str] | None:
    for length in (5, 3, 2):
        if (said := _SAID.get(state[:length])) is not None:
            return said
    return None


def _connect_arguments(address: Address) -> dict[str, object]:
    timeouts = {
        "lock_timeout": LOCK_TIMEOUT_MS,
        "statement_timeout": STATEMENT_TIMEOUT_MS,
        "idle_in_transaction_session_timeout": IDLE_TIMEOUT_MS,
    }
    password = {} if address.password is None else {"password": address.password.reveal()}
    return {
        "host": address.host,
        "port": address.port,
        "dbname": address.database,
        "user": address.user,
        "sslmode": address.transport,
        "application_name": "seawall",
        "connect_timeout": CONNECT_TIMEOUT_S,
        "client_encoding": "UTF8",
        "target_session_attrs": "read-write",
        "options": " ".join(f"-c {name}={value}" for name, value in timeouts.items()),
        "tcp_user_timeout": USER_TIMEOUT_MS,
        # Transactions are begun by `_on_begin`, with everything they need in one message.
        "autocommit": True,
        **KEEPALIVE,
        **address.paths,
        **password,
    }


def _on_begin(connection: sa.Connection) -> None:
    statement = _BEGIN[access_of(connection)]
    # Without parameters it is one simple message, which may hold two statements.
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _on_checkout(
    connection: DBAPIConnection, _record: ConnectionPoolEntry, _proxy: PoolProxiedConnection
) -> None:
    """Refuse a connection that the server has closed: costs no question to the server.

    A server never speaks first on an idle connection, except to say that it ends it.
    """
    waiting = select.poll()
    try:
        waiting.register(connection.fileno(), select.POLLIN)
    except sa.exc.DBAPIError:
        raise
    except Exception as error:  # the driver's own: its connection is closed
        raise sa.exc.DisconnectionError from error
    if waiting.poll(0):
        raise sa.exc.DisconnectionError

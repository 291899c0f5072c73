"""A PostgreSQL of the tests' own: real, private, on a unix socket only, gone without a trace.

One cluster serves a whole test session. Nothing is flushed to the disk (`fsync=off`), so what
concerns power cuts cannot be tested here. `initdb` refuses to run as root: for root the server runs
as the account `postgres`, which Debian's package makes. Ask `why_no_server` first.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from seawall.core.limits import GIB
from seawall.store.address import Address, parse

ACCOUNT: Final = "postgres"
USER: Final = "seawall"
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.02
MEMORY_BYTES: Final = 2 * GIB
SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "max_wal_size": "2GB",
}


DURABLE: Final = dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit"), "on")


@dataclass(slots=True, kw_only=True)
class Server:
    """A running server. `folder` holds its socket, data and log."""

    folder: Path
    programs: Path
    process: subprocess.Popen[bytes]
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _admin: sa.Engine | None = None

    def url(self, database: str) -> str:
        """Return the URL of one of its databases."""
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def address(self, database: str) -> Address:
        """Return the address of one of its databases."""
        return parse(self.url(database))

    def create(self, template: str = "template0", *, options: str = "") -> str:
        """Make a database as a copy of `template`, and return its name."""
        name = f"seawall_{next(self._numbers)}"
        self.say(f"CREATE DATABASE {name} TEMPLATE {template} {options}")
        return name

    @property
    def version(self) -> int:
        """The server's major version."""
        return int((self.folder / "data" / "PG_VERSION").read_text())

    def drop(self, database: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self.say(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def say(self, statement: str) -> None:
        """Run one statement as the server's owner, outside of any transaction."""
        with self._engine().connect() as connection:
            connection.exec_driver_sql(statement)

    def restart(self) -> None:
        """Stop at once, cutting all connections, and start again on the same data."""
        self._stop(signal.SIGINT)
        self.process = _started(self.programs, self.folder)

    def end(self) -> None:
        """Stop at once, for ever."""
        if self._admin is not None:
            self._admin.dispose()
        self._stop(signal.SIGQUIT)

    def _stop(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _engine(self) -> sa.Engine:
        if self._admin is None:
            self._admin = sa.create_engine(
                "postgresql+psycopg://",
                connect_args={"host": str(self.folder), "user": USER, "dbname": "postgres"},
                isolation_level="AUTOCOMMIT",
                pool_pre_ping=True,
            )
        return self._admin


def why_no_server() -> str:
    """Return why no private server can be started here, or an empty text if one can."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        return f"needs the driver psycopg, and it cannot be imported: {error}"
    if _programs() is None:
        return "needs PostgreSQL's initdb and postgres, and they are not installed"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam(ACCOUNT)
        except KeyError:
            return f"needs the account {ACCOUNT}, since the server does not run as root"
    return ""


@contextlib.contextmanager
def server(*, is_durable: bool = False) -> Iterator[Server]:
    """Run a server until the block ends; a durable one flushes to a disk, as in earnest."""
    programs = _programs()
    assert programs is not None, why_no_server()
    with tempfile.TemporaryDirectory(
        prefix="swp-", dir=_place(is_durable=is_durable), ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        if os.geteuid() == 0:
            entry = pwd.getpwnam(ACCOUNT)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        folder.chmod(0o755)
        _run(
            [str(programs / "initdb"), "--pgdata", str(folder / "data"), "--username", USER,
             "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"],
            folder,
        )  # fmt: skip
        running = Server(
            folder=folder, programs=programs, process=_started(programs, folder, is_durable)
        )
        try:
            yield running
        finally:
            running.end()


def _place(*, is_durable: bool) -> str:
    """Memory where there is enough, and short: paths of sockets are limited to 107 bytes."""
    memory = "/dev/shm"  # noqa: S108
    if (
        not is_durable
        and os.access(memory, os.W_OK)
        and shutil.disk_usage(memory).free > MEMORY_BYTES
    ):
        return memory
    return "/tmp"  # noqa: S108


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    return versions[-1].parent if versions else None


def _version(program: Path) -> int:
    name = program.parent.parent.name
    return int(name) if name.isdigit() else 0


def _run(command: list[str], folder: Path) -> None:
    account = ACCOUNT if os.geteuid() == 0 else None
    done = subprocess.run(
        command, cwd=folder, user=account, group=account, extra_groups=[] if account else None,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False, timeout=START_SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(done.stdout.decode(errors="replace")[-4000:])


def _started(programs: Path, folder: Path, is_durable: bool = False) -> subprocess.Popen[bytes]:
    account = ACCOUNT if os.geteuid() == 0 else None
    command = [str(programs / "postgres"), "-D", str(folder / "data"), "-k", str(folder)]
    for name, value in {**SETTINGS, **(DURABLE if is_durable else {})}.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, user=account, group=account, extra_groups=[] if account else None,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    while not _is_ready(folder):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise RuntimeError((folder / "log").read_text(errors="replace")[-4000:])
        time.sleep(POLL_SECONDS)
    return process


def _is_ready(folder: Path) -> bool:
    """The file's last line says `ready` once the server takes connections."""
    try:
        return (folder / "data" / "postmaster.pid").read_text().rstrip().endswith("ready")
    except (FileNotFoundError, PermissionError):
        return False

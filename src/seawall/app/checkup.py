"""What `seawall doctor` looks at. Every check says what was seen and what to do about it."""

from __future__ import annotations

import datetime as dt
import shutil
import ssl
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall import audit, policy
from seawall.app import engine_socket, lock, rooms, setup
from seawall.config import Settings
from seawall.core.errors import SeawallError
from seawall.engine.docker import Docker
from seawall.jobs import queue

LITTLE_SPACE_BYTES: Final = 2 * 1024**3
ANSWER_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the doctor's report. `is_well` None: a fact to know, neither good nor bad."""

    about: str
    is_well: bool | None
    seen: str
    remedy: str = ""


def checks(settings: Settings) -> Iterator[Check]:
    """Look at everything, from the ground up. Raises SeawallError when nothing is installed."""
    with setup.opened(settings) as house:
        yield Check(about="state", is_well=True, seen=str(settings.state))
        yield _database(settings, house)
        yield _space(settings)
        yield _running(settings)
        yield _web(settings, house)
        yield _gate(settings)
        yield from _engine(settings)
        yield _keys(house)
        yield from _feeds(settings, house)
        yield _policy(settings)
        yield _jobs(settings, house)
        yield _log(house)


def _database(settings: Settings, house: rooms.House) -> Check:
    if not house.database.is_shared:
        return Check(about="database", is_well=True, seen=f"SQLite, {settings.database.name}")
    return Check(about="database", is_well=True, seen=house.database.server())


def _space(settings: Settings) -> Check:
    free = shutil.disk_usage(settings.state).free
    is_enough = free >= LITTLE_SPACE_BYTES
    return Check(
        about="disk",
        is_well=is_enough,
        seen=f"{free / 1024**3:.1f} GiB free",
        remedy="" if is_enough else "make room: pushes are refused when the disk is full",
    )


def _running(settings: Settings) -> Check:
    pid = lock.holder(settings.run)
    if pid is None:
        return Check(
            about="seawall up", is_well=False, seen="does not run", remedy="start it: seawall up"
        )
    return Check(about="seawall up", is_well=True, seen=f"runs as process {pid}")


def _web(settings: Settings, house: rooms.House) -> Check:
    authority = rooms.server_files(house).authority
    context = ssl.create_default_context(cafile=str(authority))
    try:
        with urllib.request.urlopen(  # noqa: S310  our own address, always https
            f"{settings.url}/login", timeout=ANSWER_SECONDS, context=context
        ) as answer:
            is_well = answer.status == 200
    except (OSError, ValueError) as error:
        return Check(
            about="pages",
            is_well=False,
            seen=f"{settings.url} does not answer: {error}",
            remedy=f"read {settings.logs}/web.log",
        )
    return Check(about="pages", is_well=is_well, seen=settings.url)


def _gate(settings: Settings) -> Check:
    if not _is_answering(settings.gate_socket):
        return Check(
            about="gate",
            is_well=False,
            seen=f"unix://{settings.gate_socket} does not answer",
            remedy=f"is there an engine? else read {settings.logs}/gate.log",
        )
    gate = settings.options.gate
    seen = f"unix://{settings.gate_socket} and tcp://{gate.names[0]}:{gate.port}"
    return Check(about="gate", is_well=True, seen=seen)


def _engine(settings: Settings) -> Iterator[Check]:
    socket = engine_socket.find(settings)
    if socket is None or not _is_answering(socket):
        yield Check(
            about="engine",
            is_well=False,
            seen="none answers" + (f" at unix://{socket}" if socket else ""),
            remedy="install and start one: apt-get install docker.io; systemctl start docker",
        )
        return
    engine = Docker(socket)
    version, info = engine.version(), engine.info()
    seen = f"Docker {version.engine}, API {version.api}, at unix://{socket}"
    yield Check(about="engine", is_well=True, seen=seen)
    options = info.get("SecurityOptions")
    has_seccomp = isinstance(options, list) and any("seccomp" in str(o) for o in options)
    yield Check(
        about="seccomp",
        is_well=has_seccomp,
        seen="supported by the engine" if has_seccomp else "not supported by the engine",
        remedy="" if has_seccomp else "use a kernel and an engine with seccomp",
    )
    has_userns = isinstance(options, list) and any("userns" in str(o) for o in options)
    yield Check(
        about="user ids",
        is_well=None,
        seen="the engine maps them (userns-remap)"
        if has_userns
        else "root in a container has root's user id on the host, confined by the gate",
    )


def _keys(house: rooms.House) -> Check:
    keys = house.trusted_keys.list()
    if not keys:
        return Check(
            about="trusted keys",
            is_well=False,
            seen="none: nothing runs",
            remedy="seawall key generate, then seawall key trust",
        )
    return Check(about="trusted keys", is_well=True, seen=", ".join(key.name for key in keys))


def _feeds(settings: Settings, house: rooms.House) -> Iterator[Check]:
    feeds = house.advisories.feeds()
    if not feeds:
        yield Check(
            about="advisories",
            is_well=False,
            seen="none: nothing runs",
            remedy="seawall feeds update, or seawall feeds import FILE",
        )
    limit = dt.timedelta(days=settings.options.feeds.stale_after_days)
    for feed in feeds:
        is_stale = feed.is_stale(house.clock.now(), after=limit)
        error = f"; the last attempt failed: {feed.error}" if feed.error else ""
        age = f"imported {feed.imported_at[:10]}" if feed.imported_at else "never imported"
        yield Check(
            about="advisories",
            is_well=not is_stale,
            seen=f"{feed.name}: {feed.records}, {age}{error}",
            remedy="seawall feeds update" if is_stale else "",
        )


def _policy(settings: Settings) -> Check:
    try:
        found = policy.load_file(settings.policy).policies
    except SeawallError as error:
        return Check(
            about="policy", is_well=False, seen=error.message, remedy="seawall policy check"
        )
    seen = f"{len(found)} in {settings.policy}" if found else "the built-in one"
    return Check(about="policy", is_well=True, seen=seen)


def _jobs(settings: Settings, house: rooms.House) -> Check:
    with house.database.read() as connection:
        counts = queue.counts(connection, now=house.clock.now())
    return Check(
        about="jobs",
        is_well=counts.failed == 0,
        seen=f"{counts.queued} wait, {counts.running} run, {counts.failed} were given up",
        remedy=f"read {settings.logs}/worker-*.log; the next `seawall up` tries again"
        if counts.failed
        else "",
    )


def _log(house: rooms.House) -> Check:
    with house.database.read() as connection:
        result = audit.verify(connection)
    if isinstance(result, audit.ChainBreak):
        return Check(
            about="audit log",
            is_well=False,
            seen=f"NOT WHOLE at entry {result.seq}: {result.reason}",
            remedy="somebody changed it: keep a copy and investigate",
        )
    return Check(about="audit log", is_well=True, seen=f"whole, {result.seq} entries")


def _is_answering(socket: Path) -> bool:
    return Docker(socket).is_answering()

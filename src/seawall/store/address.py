"""Where a PostgreSQL server is and how it is spoken to: parsed strictly, before anything connects.

Refused: a password inside of the URL (it would stand in listings, logs and backups of settings);
parameters that are not in the list below; and, on any way that leaves this machine, everything
less than an encrypted connection to a server whose name was checked, unless that is spelled unsafe.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from seawall.core import files
from seawall.core.errors import InvalidInputError
from seawall.core.secret import Secret

URL_MAX_CHARACTERS: Final = 2_000
PASSWORD_MAX_BYTES: Final = 1_024
DEFAULT_PORT: Final = 5432
SOCKET_FOLDER: Final = "/var/run/postgresql"
VERIFIED: Final = "verify-full"
MODES: Final = frozenset({"disable", "allow", "prefer", "require", "verify-ca", VERIFIED})
PATHS: Final = frozenset({"passfile", "sslcert", "sslkey", "sslrootcert"})
"""Parameters that name a file of this machine."""

_REMEDY: Final = "write postgresql://USER@HOST/DATABASE, see docs/howto/postgresql.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One database of one server. `host` may be the folder of a unix socket."""

    host: str
    port: int
    database: str
    user: str
    transport: str
    """One of libpq's `sslmode`."""
    paths: dict[str, str] = field(default_factory=dict)
    password: Secret | None = None
    connections: int = 16
    """At most, of one process."""

    def __str__(self) -> str:
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}"


def parse(
    url: str,
    *,
    password: Secret | None = None,
    connections: int = 16,
    unsafe_transport: bool = False,
) -> Address:
    """Read a `postgresql://` URL. Raises InvalidInputError, never showing what may be a secret."""
    parts, port = _split(url)
    if parts.password is not None:
        raise InvalidInputError(
            "the database's URL holds a password",
            remedy="take it out, change it, and name a file in database.password_file",
        )
    asked = _parameters(parts.query)
    host = _host(unquote(parts.hostname or ""), asked.pop("host", ""))
    database, user = unquote(parts.path.removeprefix("/")), unquote(parts.username or "")
    if not database or "/" in database or not user:
        raise InvalidInputError("the database's URL lacks its user or database", remedy=_REMEDY)
    return Address(
        host=host,
        port=port,
        database=database,
        user=user,
        transport=_transport(host, asked.pop("sslmode", ""), is_free=unsafe_transport),
        paths=asked,
        password=password,
        connections=connections,
    )


def read_password(path: Path) -> Secret:
    """Return the password in the first line of a file that its owner alone may read.

    Raises UnavailableError when it is missing or open to others, InvalidInputError.
    """
    content = files.read_private(path)
    line, _, rest = content.partition(b"\n")
    if not 0 < len(line) <= PASSWORD_MAX_BYTES or rest.strip() or b"\0" in line:
        raise InvalidInputError(
            f"{path.name} does not hold one line with a password",
            remedy="write the database's password into it, and nothing else",
        )
    try:
        return Secret(line.removesuffix(b"\r").decode())
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path.name} is not text") from error


def _split(url: str) -> tuple[SplitResult, int]:
    if len(url) > URL_MAX_CHARACTERS or re.search(r"[\x00-\x20\x7f]", unquote(url)):
        raise InvalidInputError("the database's URL is too long or holds spaces", remedy=_REMEDY)
    try:
        parts = urlsplit(url)
        port = DEFAULT_PORT if parts.port is None else parts.port
    except ValueError as error:
        raise InvalidInputError("the database's URL does not parse", remedy=_REMEDY) from error
    if parts.scheme not in {"postgresql", "postgres"} or parts.fragment or not port:
        raise InvalidInputError("the database's URL is not a postgresql:// URL", remedy=_REMEDY)
    return parts, port


def _parameters(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as error:
        raise InvalidInputError("the database's URL does not parse", remedy=_REMEDY) from error
    asked = dict(pairs)
    unknown = sorted(asked.keys() - PATHS - {"host", "sslmode"})
    if unknown or len(asked) != len(pairs):
        raise InvalidInputError(
            f"the database's URL has parameters that cannot stand there: {', '.join(unknown)}",
            remedy=f"there may be, once each: host, sslmode, {', '.join(sorted(PATHS))}",
        )
    for name in asked.keys() & (PATHS | {"host"}):
        if not asked[name].startswith("/"):
            raise InvalidInputError(f"{name} of the database's URL is not an absolute path")
    return asked


def _host(named: str, folder: str) -> str:
    if named and folder:
        raise InvalidInputError("the database's URL has two hosts", remedy=_REMEDY)
    if "," in named:
        raise InvalidInputError("the database's URL names several hosts", remedy=_REMEDY)
    return named or folder or SOCKET_FOLDER


def _transport(host: str, asked: str, *, is_free: bool) -> str:
    if asked and asked not in MODES:
        raise InvalidInputError(
            f"sslmode {asked[:40]!r} is unknown", remedy=f"one of: {', '.join(sorted(MODES))}"
        )
    if _is_here(host) or is_free:
        return asked or "prefer"
    if asked not in {"", VERIFIED}:
        raise InvalidInputError(
            f"sslmode {asked} does not prove which server answers at {host}",
            remedy=f"use {VERIFIED} with sslrootcert, or say database.unsafe_transport = true",
        )
    return VERIFIED


def _is_here(host: str) -> bool:
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

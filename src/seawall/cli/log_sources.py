"""Where `seawall log` reads from: this installation's own log, or one at an address.

A log at an address is believed only under a key that was given (`--trusted-root`) or is remembered;
taking the one that the server itself names must be spelled so.
"""

from __future__ import annotations

import argparse
import contextlib
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from seawall.core.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from seawall.cli.log_client import LogClient
    from seawall.cli.log_memory import LogMemory, Remembered
    from seawall.config import Settings
    from seawall.trust.log.following import SeenEntry
    from seawall.trust.log.notes import Note
    from seawall.trust.log.transparency import TransparencyLog
    from seawall.trust.log.trusted_roots import TrustedLog


class Reading(Protocol):
    """A log that can be read."""

    def checkpoint(self) -> Note: ...
    def entries(self, start: int, end: int) -> Sequence[SeenEntry]: ...
    def consistency(self, first: int, second: int) -> Sequence[bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A log, the key under which it is believed, and what was seen of it before."""

    address: str
    log: TrustedLog
    reading: Reading
    memory: LogMemory
    remembered: Remembered | None
    client: LogClient | None
    """None for the log of this installation."""


@dataclass(frozen=True, slots=True)
class OwnLog:
    """This installation's log, read from its database: what is there, not what it remembers."""

    log: TransparencyLog

    def checkpoint(self) -> Note:
        return self.log.checkpoint()

    def entries(self, start: int, end: int) -> Sequence[SeenEntry]:
        from seawall.trust.log.following import SeenEntry

        return [
            SeenEntry(
                number=one.number,
                leaf_hash=one.leaf_hash,
                body=one.body,
                statement=one.statement,
                repository=one.repository,
            )
            for one in self.log.entries(start, end)
        ]

    def consistency(self, first: int, second: int) -> Sequence[bytes]:
        return self.log.prove_consistency(first, second)


def add_arguments(parser: argparse.ArgumentParser, *, is_url_needed: bool = False) -> None:
    parser.add_argument(
        "--url", required=is_url_needed, metavar="URL",
        help="the log of the Seawall at this address (default: this installation's)",
    )  # fmt: skip
    parser.add_argument(
        "--trusted-root", type=Path, metavar="FILE", help="trusted_root.json with the log's key"
    )
    parser.add_argument(
        "--unsafe-trust-on-first-use", action="store_true",
        help="believe the key that the server names when the log was never seen",
    )  # fmt: skip
    parser.add_argument("--user", help="name for the registry (default: what docker login stored)")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="its password")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="CA certificates to trust, PEM")
    parser.add_argument(
        "--unsafe-plain-http", action="store_true", help="no TLS; for this machine only"
    )


@contextlib.contextmanager
def opened(options: argparse.Namespace, settings: Settings, *, purpose: str) -> Iterator[Source]:
    """Open the log that the options name. Raises LogAlarmError when its key changed."""
    from seawall.cli.log_memory import LogMemory, agree

    folder = settings.home.keys.parent / "logs"
    if options.url is None:
        from seawall.app import setup

        with setup.opened(settings) as house:
            address = f"state:{settings.state}"
            memory = LogMemory(folder, purpose, address)
            remembered = memory.load()
            agree(remembered, house.log.trusted)
            yield Source(
                address=address, log=house.log.trusted, reading=OwnLog(house.log),
                memory=memory, remembered=remembered, client=None,
            )  # fmt: skip
        return
    memory = LogMemory(folder, purpose, options.url.rstrip("/"))
    with _client(options, settings) as client:
        remembered = memory.load()
        log = _trusted(options, client, remembered)
        agree(remembered, log)
        yield Source(
            address=memory.address, log=log, reading=client,
            memory=memory, remembered=remembered, client=client,
        )  # fmt: skip


def read_root(path: Path) -> TrustedLog:
    """Return the one log that a trusted_root.json names. Raises NotFoundError …"""
    from seawall.trust.log import trusted_roots

    try:
        with path.open("rb") as file:
            content = file.read(trusted_roots.MAX_BYTES + 1)
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from error
    logs = trusted_roots.parse(content)
    if len(logs) != 1:
        raise InvalidInputError(f"{path} names {len(logs)} logs, not one")
    return logs[0]


@contextlib.contextmanager
def _client(options: argparse.Namespace, settings: Settings) -> Iterator[LogClient]:
    from seawall.cli import passphrases, registry_logins
    from seawall.cli.log_client import LogClient
    from seawall.cli.registry_client import RegistryClient

    host = _host(options)
    if (options.user is None) != (options.password_file is None):
        raise InvalidInputError("--user and --password-file go together")
    if options.user is None:
        credentials = registry_logins.read_docker_credentials(settings.home.docker, host)
    else:
        password = passphrases.read_file(options.password_file)
        credentials = registry_logins.Credentials(user=options.user, password=password)
    with RegistryClient(
        host, credentials=credentials, ca_file=options.ca, is_plain_http=options.unsafe_plain_http
    ) as client:
        if credentials is not None:
            client.sign_in()
        yield LogClient(client)


def _host(options: argparse.Namespace) -> str:
    parts = urllib.parse.urlsplit(options.url)
    wanted = "http" if options.unsafe_plain_http else "https"
    if parts.scheme != wanted or not parts.netloc or parts.path.strip("/") or parts.query:
        raise InvalidInputError(
            f"--url {options.url[:200]!r} is not an address", remedy=f"write {wanted}://HOST[:PORT]"
        )
    return str(parts.netloc)


def _trusted(
    options: argparse.Namespace, client: LogClient, remembered: Remembered | None
) -> TrustedLog:
    if options.trusted_root is not None:
        return read_root(options.trusted_root)
    if remembered is not None:
        return remembered.log
    if options.unsafe_trust_on_first_use:
        return client.trusted_log()
    raise InvalidInputError(
        "this log was never seen, and nothing says which key is its own",
        remedy="give --trusted-root FILE, from its operator: seawall log trusted-root",
    )

"""Names and passwords at a door: how many are checked at once, and how fast an address may guess.

Checking one password costs a tenth of a second and 64 MiB. Without this queue a few hundred
requests a second would occupy every thread of the process. What waits too long is refused.

An address that keeps failing has to wait, but never long: behind it may stand a whole office, with
one robot that has an old password. The machine itself, where the engine is, never waits.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import datetime as dt
import ipaddress
from typing import Final

from seawall.core import blocking
from seawall.core.clock import Clock
from seawall.core.errors import InvalidInputError, UnavailableError
from seawall.identity.attempts import Attempts
from seawall.identity.errors import InvalidCredentialsError
from seawall.identity.model import User
from seawall.identity.users import Users

AT_ONCE: Final = 4
MAX_WAITING: Final = 256
WAIT_SECONDS: Final = 15.0
FREE_FAILURES_PER_ADDRESS: Final = 50
LONGEST_WAIT_PER_ADDRESS: Final = dt.timedelta(seconds=10)
HEADER_MAX_CHARACTERS: Final = 2_048
NAME_MAX_CHARACTERS: Final = 64


class Credentials:
    """Checks names and passwords for all doors of one process."""

    def __init__(self, users: Users, clock: Clock) -> None:
        self._users = users
        self._addresses = Attempts(
            clock,
            free_failures=FREE_FAILURES_PER_ADDRESS,
            longest_wait=LONGEST_WAIT_PER_ADDRESS,
        )
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def authenticate(self, name: str, password: str, *, address: str) -> User:
        """Return the user whom name and password prove; `address` is the peer's.

        Raises InvalidCredentialsError, TooManyAttemptsError, and UnavailableError when too many
        passwords are waiting to be checked.
        """
        if self._waiting >= MAX_WAITING:
            raise _too_busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._slots.acquire()
        except TimeoutError as error:
            raise _too_busy() from error
        finally:
            self._waiting -= 1
        try:
            return await blocking.run(self.prove, name, password, address=address)
        finally:
            self._slots.release()

    def prove(self, name: str, password: str, *, address: str) -> User:
        """What `authenticate` runs on a thread, without its queue; raises the same. Blocks."""
        key = address_key(address)
        is_local = _is_loopback(key)
        if not is_local:
            self._addresses.check(key)
        if len(name) > NAME_MAX_CHARACTERS or "\0" in name:
            raise InvalidCredentialsError("the name or the password is wrong")
        try:
            return self._users.authenticate(name, password)
        except InvalidCredentialsError:
            if not is_local:
                self._addresses.failed(key)
            raise


def parse_basic(authorization: str) -> tuple[str, str]:
    """Return name and password of a `Basic` header (RFC 7617, UTF-8). Raises InvalidInputError."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or len(authorization) > HEADER_MAX_CHARACTERS:
        raise InvalidInputError("a Basic authorization is expected")
    try:
        text = base64.b64decode(encoded.strip(" "), validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError("the Basic authorization does not parse") from error
    name, colon, password = text.partition(":")
    if not colon or any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise InvalidInputError("the Basic authorization does not parse")
    return name, password


def address_key(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or an IPv6 network of 64 bits, which is
    what one household or machine has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _is_loopback(key: str) -> bool:
    # `::1` counts as its network of 64 bits, in which nothing else lies.
    return key.startswith("127.") or key == "::/64"


def _too_busy() -> UnavailableError:
    return UnavailableError(
        "too many passwords are being checked", remedy="try again in a few seconds"
    )

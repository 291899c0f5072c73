"""Who is at the other end: a certificate on TCP, the kernel's word on the unix socket."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import struct
from typing import Final

from seawall.core import actor, blocking
from seawall.core.actor import Actor
from seawall.core.errors import DeniedError, UnavailableError
from seawall.gate.ports import Identify

_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid


class CertificateHolder:
    """The holder of a verified certificate; asked again when the answer has grown old."""

    def __init__(
        self, der: bytes, identify: Identify, *, max_age_s: float, deadline_s: float
    ) -> None:
        self._der = der
        self._identify = identify
        self._max_age_s = max_age_s
        self._deadline_s = deadline_s
        self._known: tuple[float, Actor] | None = None

    async def who(self) -> Actor:
        """Return the actor. Raises SeawallError when the certificate does not count (any more)."""
        now = asyncio.get_running_loop().time()
        if self._known is not None and now - self._known[0] < self._max_age_s:
            return self._known[1]
        self._known = None
        try:
            async with asyncio.timeout(self._deadline_s):
                found = await blocking.run(self._identify, self._der)
        except TimeoutError as error:
            raise UnavailableError("who you are could not be found out in time") from error
        self._known = now, found
        return found


class LocalUser:
    """A process of this machine on the unix socket: root, or the user who runs the gate."""

    def __init__(self, connection: socket.socket) -> None:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, self._uid, _ = _CREDENTIALS.unpack(raw)

    async def who(self) -> Actor:
        """Return the operator. Raises DeniedError for another user."""
        if self._uid not in {0, os.geteuid()}:
            raise DeniedError(
                f"the user with id {self._uid} may not use this socket",
                remedy="use the gate's TCP port with a certificate of your own",
            )
        return actor.operator(_name(self._uid))


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"

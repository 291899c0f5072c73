"""TLS on `ssl.MemoryBIO`, so that close_notify is a half-close and not the end of everything.

Refuses clients without a certificate of the given authority, TLS below 1.2, and anything but
HTTP/1.1 in ALPN. The end of the TCP connection without close_notify is an abort (OSError): bytes
may be missing, and passing it on as an orderly end of input would let an attacker cut a stream.

At most one piece of ciphertext is decrypted ahead of the reader: unread plaintext has a bound.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall.core.errors import UnavailableError
from seawall.gate import streams
from seawall.gate.streams import PlainStream

HANDSHAKE_DEADLINE_S: Final = 10.0
UNSENT_MAX_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files: the gate's own certificate and key, and the authority of its clients."""

    certificate: Path
    key: Path
    client_ca: Path


class TlsStream:
    """A `streams.Stream` over TLS. Call `handshake` first."""

    def __init__(
        self, raw: PlainStream, context: ssl.SSLContext, *, server_hostname: str | None = None
    ) -> None:
        """Be the server, or with `server_hostname` the client of that name."""
        self._raw = raw
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_hostname is None,
            server_hostname=server_hostname,
        )
        self._ahead = bytearray()
        self._is_ended = False

    async def handshake(self, deadline_s: float = HANDSHAKE_DEADLINE_S) -> None:
        """Complete the handshake. Raises OSError (ssl.SSLError, TimeoutError) when it fails."""
        async with asyncio.timeout(deadline_s):
            while True:
                try:
                    self._tls.do_handshake()
                except ssl.SSLWantReadError:
                    await self._flush()
                    await self._feed()
                except ssl.SSLError:
                    await self._flush()  # the alert that tells the client why
                    raise
                else:
                    await self._flush()
                    return

    @property
    def peer_certificate(self) -> bytes:
        """The peer's certificate as DER; empty when it has shown none."""
        return self._tls.getpeercert(binary_form=True) or b""

    async def receive(self, size: int = streams.CHUNK) -> bytes:
        while True:
            try:
                return self._read(size)
            except ssl.SSLWantReadError:
                # What TLS itself has to say (key updates) leaves with the next send (RFC 8446,
                # 4.6.3), so that nobody sends but the sender; a flood of it is an attack.
                if self._outgoing.pending > UNSENT_MAX_BYTES:
                    raise ConnectionAbortedError("TLS: too many key updates") from None
                await self._feed()
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                raise ConnectionAbortedError(f"TLS: {error.reason}") from error

    async def send(self, data: bytes) -> None:
        if self._is_ended:
            raise ConnectionAbortedError("our direction has ended")
        rest = memoryview(data)
        try:
            while rest:  # OpenSSL takes one record of 16 KiB at a time
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError as error:
            self._raw.poison()
            raise ConnectionAbortedError(f"TLS: {error.reason}") from error
        await self._flush()

    async def send_eof(self) -> None:
        if self._is_ended:
            return
        self._is_ended = True
        # Python asks OpenSSL twice to shut down, and the second time OpenSSL throws away input that
        # waits to be read. So it is read before.
        self._read_ahead()
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            pass  # the peer has not closed yet: the expected answer
        except ssl.SSLError as error:
            raise ConnectionAbortedError(f"TLS: {error.reason}") from error
        await self._flush()

    def close(self) -> None:
        self._raw.close()

    def _read(self, size: int) -> bytes:
        """Decrypt what is there: a record holds 16 KiB at most, and pieces should be larger."""
        if self._ahead:
            piece = bytes(self._ahead[:size])
            del self._ahead[:size]
            return piece
        data = self._tls.read(size)
        while len(data) < size and self._incoming.pending:
            try:
                data += self._tls.read(size - len(data))
            except ssl.SSLError:
                break  # half a record, or an end that the next call reports
        return data

    def _read_ahead(self) -> None:
        while self._incoming.pending:
            try:
                self._ahead += self._tls.read(streams.CHUNK)
            except ssl.SSLError:
                return  # half a record, or an end that `receive` reports

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await self._raw.send(data)

    async def _feed(self) -> None:
        if data := await self._raw.receive(streams.BULK):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return a context that demands a certificate of `files.client_ca` from every client.

    Raises UnavailableError when the files cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    # A resumed session would skip the check of the certificate's dates: every handshake is whole.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    # Some distributions' Python takes a connection that was cut for one that was closed.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    try:
        context.load_cert_chain(files.certificate, files.key)
        context.load_verify_locations(files.client_ca)
    except OSError as error:
        raise UnavailableError(
            f"the gate's certificates cannot be read: {error}",
            remedy="see `seawall doctor`; `seawall up` makes them when they are missing",
        ) from error
    return context

"""Client certificates: how a user's docker client proves itself to the gate.

A certificate counts only when all of this holds, checked anew for every connection:

1. it parses, and our client authority signed it;
2. now lies within its time;
3. it is a leaf made for client authentication;
4. it is, byte for byte, one that we recorded when it was issued;
5. it was not revoked;
6. its user exists and is not disabled.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from seawall import audit
from seawall.core import actor as actors
from seawall.core import files
from seawall.core.actor import Actor
from seawall.core.clock import Clock, from_text, to_text
from seawall.core.errors import InvalidInputError, NotFoundError
from seawall.identity import _sql, authorities, events
from seawall.identity.authorities import Authority, KeyPair
from seawall.identity.errors import InvalidCredentialsError
from seawall.store import Database

CLIENT_LIFETIME: Final = dt.timedelta(days=30)
LONGEST_LIFETIME: Final = dt.timedelta(days=366)
CERTIFICATE_MAX_BYTES: Final = 16 * 1024

_INVALID: Final = "the client certificate is not valid"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCertificate:
    """A line of the list of client certificates."""

    serial: str  # lower-case hex
    user: str
    issued: dt.datetime
    expires: dt.datetime
    revoked: dt.datetime | None


class Certificates:
    """Our authorities, and the client certificates that were issued.

    Everything lies in one private folder. Every method blocks.
    """

    def __init__(self, database: Database, clock: Clock, folder: Path) -> None:
        self._database = database
        self._clock = clock
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._clients = Authority.open(
            folder / "client-ca.key.pem", name="Seawall client authority", clock=clock
        )
        self._servers = Authority.open(
            folder / "server-ca.key.pem", name="Seawall server authority", clock=clock
        )
        self.client_authority = folder / "client-ca.pem"
        """What servers must trust to ask for client certificates."""
        files.write_public(self.client_authority, self._clients.certificate_pem())

    def server_certificate(self, names: list[str]) -> authorities.ServerFiles:
        """Return the files of a certificate for these host names and addresses; see
        `authorities.server_certificate`."""
        return authorities.server_certificate(self._servers, self._folder, names, self._clock)

    def client_certificate(
        self, user: str, lifetime: dt.timedelta = CLIENT_LIFETIME, *, actor: Actor
    ) -> KeyPair:
        """Issue a certificate for `user` and record it. The key is kept nowhere.

        Raises NotFoundError for a user who is unknown or disabled.
        """
        if not dt.timedelta(0) < lifetime <= LONGEST_LIFETIME:
            raise InvalidInputError(f"a client certificate cannot live for {lifetime}")
        pair = self._clients.issue_for_client(user, lifetime)
        certificate, now = pair.certificate, self._clock.now()
        expires = to_text(certificate.not_valid_after_utc)
        with self._database.write() as connection:
            if not _is_enabled(connection, user):
                raise NotFoundError(f"there is no user called {user[:80]!r} who may sign in")
            connection.execute(
                sa.insert(_sql.certificates).values(
                    serial=_serial(certificate),
                    fingerprint=_fingerprint(certificate),
                    user=user,
                    issued=to_text(now),
                    expires=expires,
                )
            )
            event = events.ClientCertificateIssued(
                name=user, serial=_serial(certificate), expires=expires
            )
            audit.record(connection, event, actor=actor, at=now)
        return pair

    def write_bundle(self, pair: KeyPair, folder: Path) -> None:
        """Write `ca.pem`, `cert.pem` and `key.pem`, as the docker client's `--tlscacert`,
        `--tlscert` and `--tlskey` (or DOCKER_CERT_PATH) want them. All private."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write_private(folder / "key.pem", pair.key_pem())
        files.write_private(folder / "cert.pem", pair.certificate_pem())
        files.write_private(folder / "ca.pem", self._servers.certificate_pem())

    def revoke(self, serial: str, *, actor: Actor) -> None:
        """Make a certificate worthless for ever. Raises NotFoundError."""
        c = _sql.certificates.c
        with self._database.write() as connection:
            row = connection.execute(sa.select(c.user, c.revoked).where(c.serial == serial)).first()
            if row is None:
                raise NotFoundError(f"no client certificate has the serial {serial[:80]!r}")
            if row.revoked is not None:
                return
            now = self._clock.now()
            connection.execute(
                sa.update(_sql.certificates).where(c.serial == serial).values(revoked=to_text(now))
            )
            event = events.ClientCertificateRevoked(name=row.user, serial=serial)
            audit.record(connection, event, actor=actor, at=now)

    def list(self) -> list[IssuedCertificate]:
        """Return all certificates that were issued, the newest first."""
        c = _sql.certificates.c
        with self._database.read() as connection:
            rows = connection.execute(sa.select(_sql.certificates).order_by(c.issued.desc()))
            return [_issued(row) for row in rows]

    def user_of(self, certificate_der: bytes) -> Actor:
        """Return whom a client certificate proves. Raises InvalidCredentialsError.

        The bytes are those that the TLS layer got from the peer; what TLS checked is checked again.
        """
        certificate = _parse(certificate_der)
        now = self._clock.now()
        if not self._clients.is_issuer_of(certificate):  # 1
            raise InvalidCredentialsError(_INVALID)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:  # 2
            raise InvalidCredentialsError("the client certificate has expired")
        if not _is_for_clients(certificate):  # 3
            raise InvalidCredentialsError(_INVALID)
        c, fingerprint = _sql.certificates.c, hashlib.sha256(certificate_der).digest()
        with self._database.read() as connection:
            row = connection.execute(
                sa.select(c.user, c.revoked).where(
                    c.serial == _serial(certificate), c.fingerprint == fingerprint
                )
            ).first()
            if row is None:  # 4
                raise InvalidCredentialsError(_INVALID)
            if row.revoked is not None:  # 5
                raise InvalidCredentialsError("the client certificate was revoked")
            if not _is_enabled(connection, row.user):  # 6
                raise InvalidCredentialsError("the client certificate's user cannot sign in")
        return actors.user(row.user)


def _parse(certificate_der: bytes) -> x509.Certificate:
    if len(certificate_der) > CERTIFICATE_MAX_BYTES:
        raise InvalidCredentialsError(_INVALID)
    try:
        return x509.load_der_x509_certificate(certificate_der)
    except (ValueError, x509.InvalidVersion) as error:
        raise InvalidCredentialsError(_INVALID) from error


def _is_for_clients(certificate: x509.Certificate) -> bool:
    try:
        extensions = certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False
    return not constraints.ca and list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def _is_enabled(connection: sa.Connection, user: str) -> bool:
    c = _sql.users.c
    row = connection.execute(sa.select(c.is_disabled).where(c.name == user)).first()
    return row is not None and not row.is_disabled


def _serial(certificate: x509.Certificate) -> str:
    return f"{certificate.serial_number:x}"


def _fingerprint(certificate: x509.Certificate) -> bytes:
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()


def _issued(row: sa.Row[tuple[object, ...]]) -> IssuedCertificate:
    return IssuedCertificate(
        serial=row.serial,
        user=row.user,
        issued=from_text(row.issued),
        expires=from_text(row.expires),
        revoked=None if row.revoked is None else from_text(row.revoked),
    )

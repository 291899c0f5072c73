"""`trusted_root.json` of Sigstore, whole: who may certify people, and the logs that must show it.

Logs and certificate logs with another kind of key than P-256 are left out, which can only refuse:
what they alone vouch for is vouched for by nobody. An authority that does not parse refuses the
file. Time-stamping authorities are not used.
"""

from __future__ import annotations

import datetime as dt
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from seawall.core import strictjson
from seawall.core.errors import InvalidInputError, LimitError
from seawall.core.strictjson import Json
from seawall.trust import bundle, certificates, keys
from seawall.trust.certificates import Certificate
from seawall.trust.keys import PublicKey
from seawall.trust.log import trusted_roots
from seawall.trust.log.trusted_roots import TrustedLog

MAX_ENTRIES: Final = 32
"""Of each list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """When something was in use; no end: it still is."""

    start: dt.datetime
    end: dt.datetime | None

    def holds(self, moment: dt.datetime) -> bool:
        """Tell whether `moment` lies within."""
        return self.start <= moment and (self.end is None or moment <= self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAuthority:
    """Certifies people; `chain` begins with the certificate that issues and ends at the root."""

    chain: tuple[Certificate, ...]
    period: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateLog:
    """A log of certificates (RFC 6962), known by its key."""

    key: PublicKey
    period: Period

    @property
    def log_id(self) -> bytes:
        return bytes.fromhex(self.key.key_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureLog:
    """A log of signatures."""

    log: TrustedLog
    period: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedRoot:
    """What a trusted root says. `demands_certificate_logs`: it lists some, ours or not."""

    authorities: tuple[CertificateAuthority, ...]
    certificate_logs: tuple[CertificateLog, ...]
    demands_certificate_logs: bool
    logs: tuple[SignatureLog, ...]


def parse(content: bytes) -> TrustedRoot:
    """Parse a trusted root that certifies people. Raises InvalidInputError or LimitError."""
    document = strictjson.decode_object(content, max_bytes=trusted_roots.MAX_BYTES)
    if document.get("mediaType") != trusted_roots.MEDIA_TYPE:
        raise InvalidInputError("not a trusted_root.json of Sigstore")
    authorities = [_authority(one) for one in _list(document, "certificateAuthorities")]
    listed = _list(document, "ctlogs")
    logs = [_log(one) for one in _list(document, "tlogs")]
    if not authorities or not any(logs):
        raise InvalidInputError(
            "the trusted root names no authority, or no log whose key is P-256",
            remedy="without a log, nothing says when a short-lived certificate was used",
        )
    return TrustedRoot(
        authorities=tuple(authorities),
        certificate_logs=tuple(one for one in map(_certificate_log, listed) if one),
        demands_certificate_logs=bool(listed),
        logs=tuple(one for one in logs if one),
    )


def _list(document: dict[str, Json], name: str) -> list[dict[str, Json]]:
    value = document.get(name, [])
    if not isinstance(value, list):
        raise InvalidInputError(f"the trusted root's {name} must be a list")
    if len(value) > MAX_ENTRIES:
        raise LimitError(f"more than {MAX_ENTRIES} {name} in the trusted root")
    return [_object(one) for one in value]


def _authority(value: dict[str, Json]) -> CertificateAuthority:
    items = _object(value.get("certChain")).get("certificates")
    if not isinstance(items, list):
        raise InvalidInputError("an authority of the trusted root has no certificates")
    ders = [bundle.decode_base64(_object(one).get("rawBytes"), "rawBytes") for one in items]
    chain = certificates.parse_chain(ders)
    certificates.check_issued(chain)
    return CertificateAuthority(chain=chain, period=_period(value.get("validFor")))


def _certificate_log(value: dict[str, Json]) -> CertificateLog | None:
    key = _key(value)
    if key is None:
        return None
    return CertificateLog(key=key, period=_period(_object(value["publicKey"]).get("validFor")))


def _log(value: dict[str, Json]) -> SignatureLog | None:
    key = _key(value)
    if key is None:
        return None
    address = value.get("baseUrl")
    host = urllib.parse.urlsplit(address if isinstance(address, str) else "").hostname
    if not host:
        raise InvalidInputError("a log of the trusted root has no address")
    period = _period(_object(value["publicKey"]).get("validFor"))
    # Whether a log is sharded is not said; what it allows, its promise holds to the entry.
    return SignatureLog(log=TrustedLog(key=key, name=host, is_sharded=True), period=period)


def _key(value: dict[str, Json]) -> PublicKey | None:
    """Return the key of a log when it is of our kind and the log's id is that of the key."""
    public = _object(value.get("publicKey"))
    if public.get("keyDetails") != trusted_roots.KEY_DETAILS:
        return None
    key = keys.public_of_der(bundle.decode_base64(public.get("rawBytes"), "rawBytes"))
    log_id = bundle.decode_base64(_object(value.get("logId")).get("keyId"), "keyId")
    if log_id.hex() != key.key_id:
        raise InvalidInputError("a log of the trusted root has another id than its key")
    return key


def _period(value: Json) -> Period:
    fields = _object(value)
    end = fields.get("end")
    return Period(start=_moment(fields.get("start")), end=None if end is None else _moment(end))


def _moment(value: Json) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(value if isinstance(value, str) else "")
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInputError("a time in the trusted root does not parse") from error


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise InvalidInputError("the trusted root: an object is expected")
    return value


def issuing(root: TrustedRoot, moment: dt.datetime) -> Sequence[CertificateAuthority]:
    """Return the authorities in use at `moment`."""
    return [one for one in root.authorities if one.period.holds(moment)]

"""`trusted_root.json` of Sigstore, as far as it names logs: written for stock cosign, read for us.

Refused when reading: logs with other keys than P-256 on SHA-256 (they are left out by nobody, the
file is refused: half a trusted root is none), and a log whose id is not that of its key.
"""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from typing import Final

from seawall.core import limits, strictjson
from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.trust import _pem, bundle, keys
from seawall.trust.keys import PublicKey

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
MAX_BYTES: Final = limits.MIB
KEY_DETAILS: Final = "PKIX_ECDSA_P256_SHA_256"
VALID_SINCE: Final = "2020-01-01T00:00:00Z"
"""The key is the log's from its first entry on; nothing older exists that could be judged by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedLog:
    """A log that is believed: its key, and the name under which it signs.

    cosign takes the name from the log's address, without its port; so do we. `is_sharded` tells a
    log such as Rekor's, whose entries have one number in the whole and another one in their tree.
    """

    key: PublicKey
    name: str
    is_sharded: bool = False

    @property
    def log_id(self) -> bytes:
        """SHA-256 of the key."""
        return bytes.fromhex(self.key.key_id)

    @property
    def origin(self) -> str:
        """The first line of its checkpoints: the name, and a number that another key has not.

        Stock cosign reads a checkpoint without such a number as one of Rekor's second version,
        whose entries are hashed in another way.
        """
        return f"{self.name} - {int.from_bytes(self.log_id[:8], 'big') >> 1}"

    def is_origin(self, text: str) -> bool:
        """Tell whether a checkpoint that begins with `text` is of this log."""
        if not self.is_sharded:
            return text == self.origin
        name, _, number = text.partition(" - ")
        return name == self.name and number.isascii() and number.isdigit()


def build(log: TrustedLog) -> bytes:
    """Return the file that lets stock cosign check entries of `log` offline."""
    return strictjson.encode(
        {
            "mediaType": MEDIA_TYPE,
            "tlogs": [
                {
                    "baseUrl": f"https://{log.name}",
                    "hashAlgorithm": "SHA2_256",
                    "publicKey": {
                        "rawBytes": bundle.encode_base64(log.key.der),
                        "keyDetails": KEY_DETAILS,
                        "validFor": {"start": VALID_SINCE},
                    },
                    "logId": {"keyId": bundle.encode_base64(log.log_id)},
                }
            ],
            # sigstore-python wants the lists that are empty here.
            "certificateAuthorities": [],
            "ctlogs": [],
            "timestampAuthorities": [],
        }
    )


def parse(content: bytes, *, is_sharded: bool = False) -> tuple[TrustedLog, ...]:
    """Return the logs that the file trusts; `is_sharded` for those of Rekor.

    Raises InvalidInputError or LimitError."""
    document = strictjson.decode_object(content, max_bytes=MAX_BYTES)
    logs = document.get("tlogs")
    if document.get("mediaType") != MEDIA_TYPE or not isinstance(logs, list):
        raise InvalidInputError(
            "not a trusted_root.json", remedy="get one with: seawall log trusted-root"
        )
    return tuple(_log(one, is_sharded) for one in logs)


def _log(value: Json, is_sharded: bool) -> TrustedLog:
    if not isinstance(value, dict):
        raise InvalidInputError("a log of the trusted root must be an object")
    public, log_id = _object(value.get("publicKey")), _object(value.get("logId"))
    if public.get("keyDetails") != KEY_DETAILS or value.get("hashAlgorithm") != "SHA2_256":
        raise InvalidInputError("a log of the trusted root has another kind of key than P-256")
    der = bundle.decode_base64(public.get("rawBytes"), "rawBytes")
    key = keys.parse_public(_pem.encode(keys.LABEL_PUBLIC, der))
    if bundle.decode_base64(log_id.get("keyId"), "keyId").hex() != key.key_id:
        raise InvalidInputError("a log of the trusted root has another id than its key")
    return TrustedLog(key=key, name=_name(value.get("baseUrl")), is_sharded=is_sharded)


def _name(value: Json) -> str:
    parts = urllib.parse.urlsplit(value if isinstance(value, str) else "")
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise InvalidInputError("a log of the trusted root has no address")
    return parts.hostname


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise InvalidInputError("the trusted root: an object is expected")
    return value

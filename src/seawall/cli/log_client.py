"""The transparency log of a Seawall elsewhere, over HTTP: what we enter, what we read.

Nothing that comes back is believed: a checkpoint is used only after its signature was verified with
the key that the caller trusts, and an entry that we made only after the proof for it holds.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from seawall.cli.registry_client import RegistryClient
from seawall.core import limits, strictjson
from seawall.core.errors import (
    DeniedError,
    IntegrityError,
    InvalidInputError,
    NotFoundError,
)
from seawall.core.strictjson import Json
from seawall.oci.names import Reference
from seawall.trust import bundle
from seawall.trust.keys import PublicKey
from seawall.trust.log import entries, merkle, notes, trusted_roots, verify
from seawall.trust.log.following import LogAlarmError, SeenEntry
from seawall.trust.log.trusted_roots import TrustedLog

ENTRY_MAX_BYTES: Final = 256 * limits.KIB
PAGE: Final = 256
PAGE_MAX_BYTES: Final = 8 * limits.MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLog:
    """A registry's log that signatures can be entered into."""

    client: RegistryClient
    trusted: TrustedLog

    @property
    def name(self) -> str:
        return self.trusted.name

    def entering(self, image: Reference) -> bundle.Log:
        """Return what enters the envelopes of signatures of `image`."""

        def enter(envelope: dict[str, Json], signer: PublicKey) -> Sequence[Json]:
            asked: dict[str, Json] = {
                "repository": str(image.repository),
                "envelope": envelope,
                "publicKey": signer.pem.decode(),
            }
            if image.tag is not None:
                asked["tag"] = str(image.tag)
            item: Json = strictjson.decode(
                self.client.call_api(
                    "POST",
                    "/api/log/entries",
                    scope=f"repository:{image.repository}:pull,push",
                    body=strictjson.encode(asked),
                    max_bytes=ENTRY_MAX_BYTES,
                ),
                max_bytes=ENTRY_MAX_BYTES,
            )
            self._check(item, envelope, signer)
            return [item]

        return enter

    def _check(self, item: Json, envelope: dict[str, Json], signer: PublicKey) -> None:
        proof = verify.verify(
            item,
            envelope=entries.parse_envelope(envelope),
            signer=signer,
            logs=[self.trusted],
            now=dt.datetime.now(dt.UTC),
        )
        if (failure := proof.failure) is not None:
            raise IntegrityError(
                f"the log {self.name} gives a proof that does not hold: {failure.detail}",
                remedy="look at the log: seawall log verify; sign without it: --no-log",
            )


@dataclass(frozen=True, slots=True)
class LogClient:
    """Speaks to the log behind a registry's address."""

    client: RegistryClient

    def find(self) -> FoundLog | None:
        """Return the registry's log; None when it has none."""
        try:
            trusted = self.trusted_log()
        except (NotFoundError, InvalidInputError, DeniedError):
            return None
        return FoundLog(client=self.client, trusted=trusted)

    def trusted_log(self) -> TrustedLog:
        """Return the log that the server itself names. It is trusted for no more than that."""
        content = self.trusted_root()
        logs = trusted_roots.parse(content)
        if len(logs) != 1:
            raise InvalidInputError(f"the server names {len(logs)} logs, not one")
        return logs[0]

    def trusted_root(self) -> bytes:
        return self.client.call_api(
            "GET", "/api/trusted_root.json", max_bytes=trusted_roots.MAX_BYTES
        )

    def checkpoint(self) -> notes.Note:
        """Return the newest checkpoint, unverified."""
        content = self.client.call_api("GET", "/api/log/checkpoint", max_bytes=notes.NOTE_MAX_BYTES)
        return notes.parse(content)

    def entries(self, start: int, end: int) -> Sequence[SeenEntry]:
        """Return entries from `start` on, before `end`: at least one, as many as come at once."""
        last = min(end, start + PAGE)
        content = self.client.call_api(
            "GET", f"/api/log/entries?start={start}&end={last}", max_bytes=PAGE_MAX_BYTES
        )
        document = strictjson.decode_object(content, max_bytes=PAGE_MAX_BYTES)
        shown = document.get("entries")
        if not isinstance(shown, list) or not 0 < len(shown) <= last - start:
            raise InvalidInputError(f"the log does not show its entry {start}")
        return [_seen(one, number) for number, one in enumerate(shown, start)]

    def consistency(self, first: int, second: int) -> tuple[bytes, ...]:
        """Return what the log gives as proof that it grew from `first` to `second` entries."""
        content = self.client.call_api(
            "GET",
            f"/api/log/proof/consistency?first={first}&second={second}",
            max_bytes=ENTRY_MAX_BYTES,
        )
        hashes = strictjson.decode_object(content, max_bytes=ENTRY_MAX_BYTES).get("hashes")
        if not isinstance(hashes, list) or len(hashes) > 2 * verify.MAX_PATH:
            raise InvalidInputError("the log's proof of consistency does not parse")
        return tuple(bundle.decode_base64(one, "hashes") for one in hashes)

    def send_cosignature(self, line: notes.Signature, size: int) -> None:
        """Hand in our line for the checkpoint of `size` entries."""
        body = strictjson.encode({"size": size, "signature": line.line})
        self.client.call_api(
            "POST", "/api/log/checkpoint/cosignatures", body=body, max_bytes=ENTRY_MAX_BYTES
        )


def _seen(value: Json, number: int) -> SeenEntry:
    """Read one entry; a body that is not the one of the hash is refused."""
    if not isinstance(value, dict) or value.get("number") != number:
        raise InvalidInputError(f"the log shows something else than its entry {number}")
    leaf = bundle.decode_base64(value.get("leafHash"), "leafHash")
    body = _optional(value.get("body"))
    if len(leaf) != merkle.HASH_BYTES or (body is not None and merkle.leaf_hash(body) != leaf):
        raise LogAlarmError(f"the log's entry {number} is not what its hash says")
    repository = value.get("repository")
    return SeenEntry(
        number=number,
        leaf_hash=leaf,
        body=body,
        statement=_optional(value.get("statement")),
        repository=repository if isinstance(repository, str) else None,
    )


def _optional(value: Json) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidInputError("the log's entry does not parse")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError("the log's entry is not base64") from error

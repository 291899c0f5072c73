"""What this person has seen of a log, kept in their own configuration from one time to the next.

One file for each purpose and log: its address, the key that is trusted, the edge of the tree and
the newest checkpoint. Whoever can change it can hide a rewound log, so it is private to its owner.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from seawall.core import files, strictjson
from seawall.core.errors import InvalidInputError
from seawall.trust import bundle, keys
from seawall.trust.log import merkle
from seawall.trust.log.following import LogAlarmError, Memory
from seawall.trust.log.trusted_roots import TrustedLog

MAX_BYTES: Final = 256 * 1024


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    address: str
    name: str
    key: str
    size: int
    edge: list[str]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A log that was seen before."""

    log: TrustedLog
    memory: Memory


@dataclass(frozen=True, slots=True)
class LogMemory:
    """The memory of one person about one log, for one purpose ("log", "witness")."""

    folder: Path
    purpose: str
    address: str

    @property
    def path(self) -> Path:
        name = hashlib.sha256(self.address.encode()).hexdigest()[:32]
        return self.folder / f"{self.purpose}-{name}.json"

    def load(self) -> Remembered | None:
        """Return what is remembered; None at the first time.

        Raises InvalidInputError for a file that does not parse: what cannot be compared is no yes.
        """
        if not self.path.exists():
            return None
        content = files.read_private(self.path)
        try:
            document = strictjson.decode_object(content, max_bytes=MAX_BYTES)
            kept = msgspec.convert(document, _File)
            edge = tuple(bundle.decode_base64(one, "edge") for one in kept.edge)
            merkle.Frontier(kept.size, edge)
        except (msgspec.ValidationError, ValueError) as error:
            raise InvalidInputError(
                f"what is remembered of the log does not parse: {error}",
                remedy=f"look at {self.path}; without it the log is seen as for the first time",
            ) from error
        log = TrustedLog(key=keys.parse_public(kept.key.encode()), name=kept.name)
        memory = Memory(edge=edge, size=kept.size, note=kept.note.encode())
        return Remembered(log=log, memory=memory)

    def save(self, log: TrustedLog, memory: Memory) -> None:
        """Remember, durably."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = _File(
            address=self.address,
            name=log.name,
            key=log.key.pem.decode(),
            size=memory.size,
            edge=[bundle.encode_base64(one) for one in memory.edge],
            note=memory.note.decode(),
        )
        files.write_private(self.path, strictjson.encode(msgspec.to_builtins(kept)))


def agree(remembered: Remembered | None, given: TrustedLog) -> None:
    """Refuse a log whose key is another than the one remembered. Raises LogAlarmError."""
    if remembered is not None and remembered.log.key.key_id != given.key.key_id:
        raise LogAlarmError(
            f"the log has another key than before: {given.key.key_id[:12]}, and it was"
            f" {remembered.log.key.key_id[:12]}"
        )

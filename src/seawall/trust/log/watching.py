"""What the owner of a name wants to be told about a log: signatures by keys that they do not know.

An entry is of concern when it is about a repository that is watched:
 - by what is inside the tree: the repository that a fact names, the image that a signed statement
   names, a digest that a watched tag was seen to name;
 - for a statement that names no repository, or is not shown, by what the log says beside it; when
   it says nothing, the entry is of concern.

When in doubt, alarm: a statement that is not the one that was signed, and an entry that does not
parse, are alarms themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from seawall.core.errors import SeawallError
from seawall.oci import patterns
from seawall.trust import bundle
from seawall.trust.log import entries
from seawall.trust.log.entries import KeyUse, SignatureEntry, TagMove
from seawall.trust.log.following import SeenEntry

MAX_DIGESTS: Final = 1_000_000

Known: TypeAlias = Callable[[str], frozenset[str]]
"""The ids of the keys that may sign for a repository; "" stands for one that is not named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that the owner did not do, or that nobody can have done honestly."""

    number: int
    reason: str
    repository: str
    key_id: str


@dataclass(slots=True, kw_only=True)
class Watcher:
    """Looks at entries one after the other, in order."""

    watched: Sequence[str]
    known: Known
    _digests: set[str] = field(default_factory=set)

    def look(self, entry: SeenEntry) -> Alarm | None:
        """Return the alarm about `entry`, if there is one. What is not shown is none."""
        if entry.body is None:
            return None
        try:
            parsed = entries.parse(entry.body)
        except SeawallError as error:
            return _alarm(entry, f"the entry does not parse: {error.message}")
        match parsed:
            case TagMove():
                self._remember(parsed)
            case KeyUse():
                return self._judge(entry, parsed.key_id, parsed.repository)
            case SignatureEntry():
                return self._look_at_signature(entry, parsed)
        return None

    def _remember(self, move: TagMove) -> None:
        if self._is_watched(move.repository) and move.digest is not None:
            self._digests.add(move.digest)
            if len(self._digests) > MAX_DIGESTS:
                self._digests.pop()

    def _look_at_signature(self, entry: SeenEntry, signature: SignatureEntry) -> Alarm | None:
        key_id, label = signature.verifier.key_id, entry.repository
        if entry.statement is None:
            return self._judge(entry, key_id, label)
        if not _is_signed(signature, entry.statement):
            return _alarm(entry, "the log shows another statement than was signed", key_id=key_id)
        try:
            about = entries.named(entry.statement)
        except SeawallError:
            return self._judge(entry, key_id, label)
        if about.image is not None:
            return self._judge(entry, key_id, about.image.repository)
        if any(str(digest) in self._digests for digest in about.digests):
            return self._alarm_unless_known(entry, key_id, label or "")
        return self._judge(entry, key_id, label)

    def _judge(self, entry: SeenEntry, key_id: str, repository: str | None) -> Alarm | None:
        if repository is not None and not self._is_watched(repository):
            return None
        return self._alarm_unless_known(entry, key_id, repository or "")

    def _alarm_unless_known(self, entry: SeenEntry, key_id: str, repository: str) -> Alarm | None:
        if key_id in self.known(repository):
            return None
        return Alarm(
            number=entry.number,
            reason="a signature by a key that its owner does not know",
            repository=repository,
            key_id=key_id,
        )

    def _is_watched(self, repository: str) -> bool:
        return any(patterns.is_match(pattern, repository) for pattern in self.watched)


def _is_signed(signature: SignatureEntry, statement: bytes) -> bool:
    message = bundle.pre_authentication_encoding(bundle.PAYLOAD_TYPE, statement)
    is_this = hashlib.sha256(statement).hexdigest() == signature.payload_sha256
    return is_this and signature.verifier.has_signed(signature.signature, message)


def _alarm(entry: SeenEntry, reason: str, *, key_id: str = "") -> Alarm:
    return Alarm(
        number=entry.number, reason=reason, repository=entry.repository or "", key_id=key_id
    )

"""What enters the transparency log: signatures when they are shown to us, and what happened.

What happened is read from the audit log, in its order, behind a cursor that moves in the
transaction of the entries: each event enters exactly once, whenever a process dies. A signature
that a signer hands in is checked first; one that does not hold never enters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

import msgspec

from seawall import audit
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import InvalidInputError
from seawall.jobs import dispatch
from seawall.jobs.queue import Job, NewJob
from seawall.jobs.worker import Task
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.registry.events import ManifestPushed, TagDeleted, TagMoved
from seawall.store import Database
from seawall.trust import bundle, keys
from seawall.trust.events import (
    ImageSigned,
    SignatureLogged,
    TreeDeleted,
    TreePublished,
    TreeTagsChanged,
)
from seawall.trust.keys import KeyId, PublicKey
from seawall.trust.log import entries
from seawall.trust.log.entries import Fact, Kind, SignedEnvelope
from seawall.trust.log.transparency import LoggedEntry, NewEntry, TransparencyLog

LOG: Final = "log"
CURSOR: Final = "transparency-log"
BATCH: Final = 200

Blind = Callable[[int], str]


def on_event(entry: audit.Entry) -> Sequence[NewJob]:
    """Have the log read on. All that waits is one job: it reads up to the end."""
    del entry
    return [NewJob(kind=LOG, key=LOG)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A signature that somebody wants to enter, for an image of `repository`."""

    repository: RepositoryName
    tag: Tag | None
    envelope: SignedEnvelope
    signer: PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """The way into the log."""

    database: Database
    log: TransparencyLog
    clock: Clock

    def tasks(self) -> dict[str, Task]:
        """Return the tasks by the kind of job."""
        return {LOG: self.log_job}

    def log_job(self, _job: Job) -> None:
        """Enter every event that the log has not seen yet."""
        while self._enter_portion():
            pass

    def submit(self, submission: Submission, *, actor: Actor) -> tuple[LoggedEntry, bool]:
        """Enter a signature and prove it; tell whether it is news.

        Raises InvalidInputError when it does not hold, or is not for an image of the repository.
        """
        digest = _check(submission)
        entry = NewEntry(
            body=entries.signature_body(submission.envelope, submission.signer),
            kind=Kind.DSSE,
            repository=submission.repository,
            tag=submission.tag,
            digest=digest,
            key_id=submission.signer.key_id,
            statement=submission.envelope.payload,
        )
        with self.database.write() as connection:
            size = self.log.size_in(connection)
            logged = self.log.append(entry, connection=connection)
            is_new = logged.entry.number == size
            if is_new:
                event = SignatureLogged(
                    repository=str(submission.repository),
                    digest=str(digest),
                    key_id=submission.signer.key_id,
                    number=size,
                )
                audit.record(connection, event, actor=actor, at=self.clock.now())
        return logged, is_new

    def _enter_portion(self) -> bool:
        with self.database.write() as connection:
            after = dispatch.cursor(connection, CURSOR)
            found = audit.read(connection, after=after, limit=BATCH)
            if not found:
                return False
            for event in found:
                if (fact := fact_of(event, self.log.blind)) is not None:
                    self.log.add(_entry_of(fact), connection=connection)
            dispatch.move_cursor(connection, CURSOR, found[-1].seq)
        return True


def fact_of(entry: audit.Entry, blind: Blind) -> Fact | None:
    """Return what the log says of an event; None when it is none of the log's business."""
    make = _MAKERS.get(entry.kind)
    if make is None:
        return None
    common = _Common(
        repository=_text(entry.repository), event=entry.seq, time=entry.at, blind=blind(entry.seq)
    )
    return make(entry, common)


class _Common(TypedDict):
    """What every fact has."""

    repository: str
    event: int
    time: str
    blind: str


def _moved(entry: audit.Entry, common: _Common) -> Fact:
    moved = msgspec.json.decode(entry.body, type=TagMoved)
    return entries.TagMove(
        **common, tag=moved.tag, digest=_text(entry.digest), previous=moved.previous
    )


def _deleted(entry: audit.Entry, common: _Common) -> Fact:
    deleted = msgspec.json.decode(entry.body, type=TagDeleted)
    return entries.TagMove(**common, tag=deleted.tag, digest=None, previous=_text(entry.digest))


def _signed(entry: audit.Entry, common: _Common) -> Fact:
    signed = msgspec.json.decode(entry.body, type=ImageSigned)
    return entries.KeyUse(
        **common, digest=_text(entry.digest), tag=signed.tag, key_id=signed.key_id
    )


def _pushed(entry: audit.Entry, common: _Common) -> Fact | None:
    pushed = msgspec.json.decode(entry.body, type=ManifestPushed)
    if pushed.subject is None:
        return None
    return entries.Referral(
        **common,
        digest=_text(entry.digest),
        subject=pushed.subject,
        artifact_type=pushed.artifact_type,
    )


def _tree_published(entry: audit.Entry, common: _Common) -> Fact:
    tree = msgspec.json.decode(entry.body, type=TreePublished)
    keys = [entries.TreeKey(role=one.role, id=one.key_id, added=one.is_added) for one in tree.keys]
    return entries.TreeVersion(**common, gun=tree.gun, roles=tree.roles, keys=keys)


def _tree_deleted(entry: audit.Entry, common: _Common) -> Fact:
    tree = msgspec.json.decode(entry.body, type=TreeDeleted)
    return entries.TreeVersion(**common, gun=tree.gun, roles={}, keys=[])


def _tree_tags(entry: audit.Entry, common: _Common) -> Fact:
    said = msgspec.json.decode(entry.body, type=TreeTagsChanged)
    changes = [entries.TreeTag(tag=one.tag, was=one.was, now=one.now) for one in said.changes]
    return entries.TreeTags(
        **common, gun=said.gun, role=said.role, version=said.version, changes=changes
    )


_MAKERS: Final[dict[str, Callable[[audit.Entry, _Common], Fact | None]]] = {
    TagMoved.kind(): _moved,
    TagDeleted.kind(): _deleted,
    ImageSigned.kind(): _signed,
    ManifestPushed.kind(): _pushed,
    TreePublished.kind(): _tree_published,
    TreeDeleted.kind(): _tree_deleted,
    TreeTagsChanged.kind(): _tree_tags,
}

RULES: Final = dict.fromkeys(_MAKERS, on_event)


def _entry_of(fact: Fact) -> NewEntry:
    body = entries.fact_body(fact)
    tag, digest, key_id = None, None, None
    match fact:
        case entries.TagMove():
            tag, digest = fact.tag, fact.digest or fact.previous
        case entries.KeyUse():
            tag, digest, key_id = fact.tag, fact.digest, KeyId(fact.key_id)
        case entries.Referral():
            digest = fact.subject
    return NewEntry(
        body=body,
        kind=entries.kind_of(body),
        repository=fact.repository,
        tag=None if tag is None else Tag(tag),
        digest=None if digest is None else Digest(digest),
        key_id=key_id,
    )


def _check(submission: Submission) -> Digest:
    """Refuse what is no good signature for the repository; return what it is about."""
    envelope = submission.envelope
    if envelope.payload_type != bundle.PAYLOAD_TYPE:
        raise InvalidInputError("the envelope's payload is not an in-toto statement")
    keys.check_signature_form(envelope.signature)
    if not submission.signer.has_signed(envelope.signature, envelope.signed_bytes):
        raise InvalidInputError(
            "the signature of the envelope is not by this key",
            remedy="send the public half of the key that signed it",
        )
    about = entries.named(envelope.payload)
    image = about.image
    if image is not None and image.repository != submission.repository:
        raise InvalidInputError(
            f"the statement is about {image.repository}, not about {submission.repository}"
        )
    return about.digests[0]


def _text(value: str | None) -> str:
    assert value is not None  # every event that enters has it
    return value

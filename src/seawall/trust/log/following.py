"""Following a log: every step must be a growth of what was seen before. Pure but for `Read`.

 1. signature  the checkpoint is signed by the log, and is of that log
 2. growth     it is not smaller than the last one that was seen (a rewound log)
 3. one view   of one size there is one root (a split view)
 4. entries    every entry is what its hash says
 5. root       from what was seen before, the new entries lead to exactly the signed root (a fork)

What a follower remembers is the edge of the tree (`merkle.Frontier`), so a step costs what is new.
A replay begins at the first entry, and passes through what is remembered.

Each failure is an alarm: it is evidence, two texts signed by one key that cannot both be true.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from seawall.core.errors import IntegrityError, InvalidInputError
from seawall.trust.log import merkle, notes
from seawall.trust.log.merkle import Frontier
from seawall.trust.log.notes import Checkpoint, Note
from seawall.trust.log.trusted_roots import TrustedLog

MAX_NEW_ENTRIES: Final = 50_000_000
"""A log that claims to have grown by more is not followed."""


class LogAlarmError(IntegrityError):
    """The log shows something that an honest log cannot show."""

    code = "log-alarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEntry:
    """An entry as a log shows it: its hash always, what it says only where we may see it."""

    number: int
    leaf_hash: bytes
    body: bytes | None
    statement: bytes | None
    repository: str | None
    """What the log says beside the entry; it is not part of the tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """How far a log was seen: the edge of its tree, and the checkpoint that was signed for it."""

    edge: tuple[bytes, ...]
    size: int
    note: bytes

    @property
    def root(self) -> bytes:
        return Frontier(self.size, self.edge).root


class Seen(Protocol):
    """A tree of the log that was seen before: remembered, or in a signed checkpoint."""

    @property
    def size(self) -> int: ...
    @property
    def root(self) -> bytes: ...


Read: TypeAlias = Callable[[int, int], Sequence[SeenEntry]]
"""Gives entries from the first number on, before the second: at least one, in order."""

Each: TypeAlias = Callable[[SeenEntry], None]


def check(note: Note, log: TrustedLog) -> Checkpoint:
    """Return the checkpoint of `log`. Raises LogAlarmError when it is not the log's."""
    if not notes.is_signed_by_log(note, log.key):
        raise LogAlarmError(
            f"the checkpoint is not signed by the log {log.name}",
            remedy="was the log set up anew, or is this another server?",
        )
    try:
        checkpoint = notes.parse_checkpoint(note.text)
    except InvalidInputError as error:
        raise LogAlarmError(f"the log signed what is no checkpoint: {error.message}") from error
    if not log.is_origin(checkpoint.origin):
        raise LogAlarmError(f"the checkpoint is of another log, {checkpoint.origin[:80]!r}")
    return checkpoint


def check_growth(memory: Seen, checkpoint: Checkpoint) -> None:
    """Refuse a rewound log and a second view of one size. Raises LogAlarmError."""
    if checkpoint.size < memory.size:
        raise LogAlarmError(
            f"the log was rewound: it had {memory.size} entries and now has {checkpoint.size}"
        )
    is_same = hmac.compare_digest(checkpoint.root, memory.root)
    if checkpoint.size == memory.size and not is_same:
        raise LogAlarmError(f"the log shows two trees of {memory.size} entries: a split view")


def follow(memory: Memory | None, note: Note, log: TrustedLog, read: Read, *, each: Each) -> Memory:
    """Go on from `memory` to `note`, through every new entry. Raises LogAlarmError."""
    start = Frontier() if memory is None else Frontier(memory.size, memory.edge)
    return _walk(start, memory, note, log, read=read, each=each)


def replay(memory: Memory | None, note: Note, log: TrustedLog, read: Read, *, each: Each) -> Memory:
    """Go through the whole log up to `note`, and through `memory` on the way.

    Raises LogAlarmError.
    """
    return _walk(Frontier(), memory, note, log, read=read, each=each)


def check_consistency(
    memory: Seen, note: Note, log: TrustedLog, path: Sequence[bytes]
) -> Checkpoint:
    """Check the log's own proof that it grew from `memory` to `note`. Raises LogAlarmError."""
    checkpoint = check(note, log)
    check_growth(memory, checkpoint)
    is_consistent = merkle.is_consistent(
        first=memory.size,
        first_root=memory.root,
        second=checkpoint.size,
        second_root=checkpoint.root,
        path=path,
    )
    if not is_consistent:
        raise LogAlarmError(
            f"the log does not prove that its {checkpoint.size} entries begin with the"
            f" {memory.size} that were seen: a fork"
        )
    return checkpoint


def _walk(
    frontier: Frontier,
    memory: Memory | None,
    note: Note,
    log: TrustedLog,
    *,
    read: Read,
    each: Each,
) -> Memory:
    checkpoint = check(note, log)
    if memory is not None:
        check_growth(memory, checkpoint)
    if checkpoint.size - frontier.size > MAX_NEW_ENTRIES:
        raise LogAlarmError(f"the log claims {checkpoint.size} entries")
    _pass_through(frontier, memory)
    while frontier.size < checkpoint.size:
        for entry in _page(frontier.size, checkpoint.size, read):
            frontier.append(entry.leaf_hash)
            each(entry)
            _pass_through(frontier, memory)
    if not hmac.compare_digest(frontier.root, checkpoint.root):
        raise LogAlarmError(
            f"the entries of the log do not lead to the root that it signed for {checkpoint.size}"
        )
    return Memory(edge=frontier.hashes, size=frontier.size, note=str(note).encode())


def _page(start: int, end: int, read: Read) -> Sequence[SeenEntry]:
    page = read(start, end)
    if not 0 < len(page) <= end - start:
        raise LogAlarmError(f"the log does not show its entry {start}, which it has signed")
    for number, entry in enumerate(page, start):
        if entry.number != number or len(entry.leaf_hash) != merkle.HASH_BYTES:
            raise LogAlarmError(f"the log shows something else than its entry {number}")
        if entry.body is not None and merkle.leaf_hash(entry.body) != entry.leaf_hash:
            raise LogAlarmError(f"entry {number} is not what its hash says")
    return page


def _pass_through(frontier: Frontier, memory: Memory | None) -> None:
    if memory is None or frontier.size != memory.size:
        return
    if not hmac.compare_digest(frontier.root, memory.root):
        raise LogAlarmError(f"the first {memory.size} entries are not those seen before: a fork")

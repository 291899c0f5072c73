"""Files of a tree that wait for more signatures, so that several people can meet a threshold
without handing a file around.

Somebody begins with files that lack signatures; others add theirs; the one that completes all that
waits for the repository publishes it together, in the same transaction. What waits proves nothing:
nobody is shown it as the tree.

Refused: files of roles that the tree does not have, or that the server signs; files without at
least one signature by a key of the role, of a root by a key of the root before it (so nobody can
fill the place with what no signer wants); an older version than the tree has; another change of a
role while one waits. Signatures that do not hold are dropped: none can take a good one's place.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from seawall import audit
from seawall.core import clock as clocks
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import ConflictError, DeniedError, InvalidInputError, NotFoundError
from seawall.store import Database
from seawall.trust import _sql
from seawall.trust.errors import UpdateRefusedError
from seawall.trust.events import TreeChangeWithdrawn, TreeSignatureAdded
from seawall.trust.trees import Trees
from seawall.trust.tuf import build, drafts, metadata, thresholds
from seawall.trust.tuf.drafts import Current, Draft, Keys
from seawall.trust.tuf.model import File, Signature
from seawall.trust.tuf.names import ROOT, SNAPSHOT, TIMESTAMP, Gun, Role

MAX_FILES: Final = 16
"""In one offer, and waiting for one repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A file and what it lacks."""

    draft: Draft
    started_by: str
    started_at: dt.datetime

    @property
    def role(self) -> Role:
        return self.draft.file.role

    @property
    def missing(self) -> int:
        """How many more signatures it takes at least."""
        return max((one.missing for one in self.draft.requirements), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an offer."""

    published: tuple[Role, ...]
    waiting: tuple[Waiting, ...]
    refused: str = ""
    """Why what is complete was not published, where that is so."""


class PendingFiles:
    """What waits, for all trees of this registry. Every method blocks."""

    def __init__(self, database: Database, clock: Clock, trees: Trees) -> None:
        self._database = database
        self._clock = clock
        self._trees = trees

    def list(self, gun: Gun) -> tuple[Waiting, ...]:
        """Return what waits, by role. What the tree has overtaken is not shown."""
        with self._database.read() as connection:
            return self._waiting(connection, gun)

    def offer(self, gun: Gun, files: Mapping[str, bytes], *, actor: Actor) -> Outcome:
        """Add files, or more signatures to those that wait; publish when nothing lacks any more.

        The caller has made sure that `actor` may push. Raises InvalidInputError, DeniedError for a
        file that no key of its role has signed, ConflictError, NotFoundError without a tree.
        """
        self._trees.require_ours(gun)
        offered = _parsed(files)
        with self._database.write() as connection:
            known = {one.role: one for one in self._waiting(connection, gun)}
            tree = self._tree(connection, gun, {one.role: one for one in offered} | _files(known))
            for file in offered:
                before = known.get(file.role)
                draft = tree.merged(file, before)
                known[file.role] = self._put(connection, gun, draft, before, actor)
            if len(known) > MAX_FILES:
                raise ConflictError(f"{MAX_FILES} changes of {gun} wait already")
            return self._publish(connection, gun, known, actor)

    def withdraw(self, gun: Gun, role: Role, *, actor: Actor) -> None:
        """Let a file wait no longer. Raises NotFoundError."""
        with self._database.write() as connection:
            found = next((one for one in _rows(connection, gun) if one.role == role), None)
            if found is None:
                raise NotFoundError(f"no change of {role} waits for {gun}")
            _drop(connection, gun, [role])
            event = TreeChangeWithdrawn(
                repository=gun.repository, gun=gun, role=role, version=found.file.version
            )
            audit.record(connection, event, actor=actor, at=self._clock.now())

    def _waiting(self, connection: sa.Connection, gun: Gun) -> tuple[Waiting, ...]:
        stored = self._trees.files_in(connection, gun)
        rows = [
            row
            for row in _rows(connection, gun)
            if row.role not in stored or row.file.version > stored[row.role].version
        ]
        if not rows or not stored:
            return ()
        tree = self._tree(connection, gun, {row.role: row.file for row in rows})
        return tuple(
            Waiting(
                draft=drafts.judge(row.file, *tree.keys_of(row.role)),
                started_by=row.started_by,
                started_at=row.started_at,
            )
            for row in rows
            if tree.has(row.role)
        )

    def _tree(self, connection: sa.Connection, gun: Gun, begun: Mapping[Role, File]) -> _Tree:
        stored = self._trees.files_in(connection, gun)
        if not stored:
            raise NotFoundError(f"{gun} has no tree", remedy="make one: seawall trust init REPO")
        before = Current(
            gun=gun,
            root=stored[ROOT],
            files={role: file for role, file in stored.items() if role.is_targets},
            snapshot=stored[SNAPSHOT],
        )
        after = replace(
            before,
            root=begun.get(ROOT, before.root),
            files={**before.files, **{r: f for r, f in begun.items() if r.is_targets}},
        )
        return _Tree(before=before, after=after)

    def _put(
        self,
        connection: sa.Connection,
        gun: Gun,
        draft: Draft,
        before: Waiting | None,
        actor: Actor,
    ) -> Waiting:
        now = self._clock.now()
        waiting = Waiting(
            draft=draft,
            started_by=before.started_by if before else str(actor),
            started_at=before.started_at if before else now,
        )
        _write(connection, gun, waiting)
        added = sorted(_signed_by(draft) - (_signed_by(before.draft) if before else frozenset()))
        if added:
            event = TreeSignatureAdded(
                repository=gun.repository,
                gun=gun,
                role=draft.file.role,
                version=draft.file.version,
                key_ids=tuple(added),
                waits_for=waiting.missing,
            )
            audit.record(connection, event, actor=actor, at=now)
        return waiting

    def _publish(
        self, connection: sa.Connection, gun: Gun, known: Mapping[Role, Waiting], actor: Actor
    ) -> Outcome:
        """Publish when nothing lacks any more: what was offered together belongs together."""
        complete = {role: one.draft.file for role, one in known.items()}
        refused = ""
        if all(one.draft.is_complete for one in known.values()):
            files = {str(role): file.content for role, file in complete.items()}
            try:
                self._trees.publish_in(connection, gun, files, actor=actor)
                _drop(connection, gun, list(complete))
            except UpdateRefusedError as error:
                # It may need another file that nobody has offered; nothing of it was written.
                complete, refused = {}, error.message
        else:
            complete = {}
        return Outcome(
            published=tuple(sorted(complete)),
            waiting=self._waiting(connection, gun),
            refused=refused,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    """The tree as it is, and as it will be when everything that waits holds."""

    before: Current
    after: Current

    def keys_of(self, role: Role) -> list[Keys]:
        """Return who must sign; of a root, the keys of the one before it first."""
        wanted = [self.after.keys_of(role)]
        return [self.before.keys_of(ROOT), *wanted] if role == ROOT else wanted

    def has(self, role: Role) -> bool:
        try:
            return bool(self.keys_of(role))
        except ConflictError:
            return False

    def merged(self, file: File, begun: Waiting | None) -> Draft:
        """Return the file with the signatures that hold, beside those that it had."""
        stored = self.before.root if file.role == ROOT else self.before.files.get(file.role)
        if stored is not None and file.version <= stored.version:
            raise ConflictError(
                f"{file.role} version {file.version} is not newer than version {stored.version}",
                remedy="make the change again, on the tree as it is now",
            )
        if begun is not None and begun.draft.file.signed_bytes != file.signed_bytes:
            raise ConflictError(
                f"another change of {file.role} waits for signatures",
                remedy="sign that one, or withdraw it: seawall trust status REPO",
            )
        wanted = self.keys_of(file.role)
        former = begun.draft.file.signatures if begun else ()
        good = [one for one in file.signatures if _holds(file, one, wanted)]
        if not any(_holds(file, one, wanted[:1]) for one in (*former, *good)):
            raise DeniedError(
                f"no key that may sign {file.role} has signed it",
                remedy="see whose keys may: seawall trust show REPO",
            )
        return drafts.judge(build.with_signatures_alone(file, [*former, *good]), *wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    role: Role
    file: File
    started_by: str
    started_at: dt.datetime


def _parsed(files: Mapping[str, bytes]) -> list[File]:
    if not 1 <= len(files) <= MAX_FILES:
        raise InvalidInputError(f"an offer holds 1 to {MAX_FILES} files")
    parsed = [metadata.parse(Role.parse(name), content) for name, content in files.items()]
    for file in parsed:
        if file.role in (SNAPSHOT, TIMESTAMP):
            raise InvalidInputError(f"{file.role} does not wait: the server signs it")
    return parsed


def _files(known: Mapping[Role, Waiting]) -> dict[Role, File]:
    return {role: one.draft.file for role, one in known.items()}


def _holds(file: File, signature: Signature, wanted: Sequence[Keys]) -> bool:
    """Tell whether this one signature is by a key that may sign."""
    alone = replace(file, signatures=(signature,))
    return any(thresholds.signers_of(alone, entry, known) for entry, known in wanted)


def _signed_by(draft: Draft) -> frozenset[str]:
    return frozenset[str]().union(*(one.have_signed for one in draft.requirements))


def _of(gun: Gun) -> sa.ColumnElement[bool]:
    return _sql.tuf_pending.c.gun == str(gun)


def _rows(connection: sa.Connection, gun: Gun) -> list[_Row]:
    query = sa.select(_sql.tuf_pending).where(_of(gun)).order_by(_sql.tuf_pending.c.role)
    return [
        _Row(
            role=Role.parse(row.role),
            file=metadata.parse(Role.parse(row.role), bytes(row.content)),
            started_by=row.started_by,
            started_at=clocks.from_text(row.started_at),
        )
        for row in connection.execute(query)
    ]


def _write(connection: sa.Connection, gun: Gun, waiting: Waiting) -> None:
    _drop(connection, gun, [waiting.role])
    connection.execute(
        sa.insert(_sql.tuf_pending).values(
            gun=str(gun),
            role=str(waiting.role),
            content=waiting.draft.file.content,
            started_by=waiting.started_by,
            started_at=clocks.to_text(waiting.started_at),
        )
    )


def _drop(connection: sa.Connection, gun: Gun, roles: Sequence[Role]) -> None:
    names = [str(role) for role in roles]
    connection.execute(
        sa.delete(_sql.tuf_pending).where(_of(gun), _sql.tuf_pending.c.role.in_(names))
    )

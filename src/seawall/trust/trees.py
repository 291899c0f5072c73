"""The trees of signed metadata that this server keeps, one for each name of a repository.

Everything that is stored verifies: an upload is accepted by `tuf.rules` as a whole or not at all,
in one transaction with the server's own snapshot and timestamp, the change feed and the events.
Writers come one after the other; a crash leaves the tree as it was before, or as it is after.

Refused: names whose host is not this registry's, and whatever `tuf.rules` refuses. The server never
holds a key for root, targets or a delegation.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import sqlalchemy as sa

from seawall import audit
from seawall.core import actor as actors
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import InvalidInputError, NotFoundError, UnavailableError
from seawall.store import Database
from seawall.store.watching import Numbering, Watch, WhileUnchanged
from seawall.trust import _tree_rows as rows
from seawall.trust import _tree_writing as writing
from seawall.trust import server_keys
from seawall.trust._tree_cache import Place, TreeCache, Walk
from seawall.trust._tree_rows import Change, StoredFile
from seawall.trust.errors import ForeignNameError
from seawall.trust.events import TreeDeleted, TreeKeyIssued
from seawall.trust.server_keys import HELD_ROLES, ServerKeys
from seawall.trust.tuf import chain, rules
from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.metadata import parse
from seawall.trust.tuf.model import File, Root
from seawall.trust.tuf.names import ROOT, SNAPSHOT, TIMESTAMP, Gun, Role

__all__ = ["Change", "StoredFile", "Trees"]

MAX_CHANGES: Final = 1_000
"""In one answer of the change feed."""

Find: TypeAlias = Callable[[sa.Connection], StoredFile | None]

WHOLE_MAX_BYTES: Final = 32 * 1024 * 1024
"""Of whole trees that are kept in memory."""

_log = logging.getLogger(__name__)


class Trees:
    """All trees. Thread-safe; every method blocks on the database."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keys: ServerKeys,
        *,
        hosts: frozenset[str],
        watch: Numbering | None = None,
    ) -> None:
        """`watch` tells when whole trees must be read again; without it, after every commit."""
        self._database = database
        self._clock = clock
        self._keys = keys
        self._hosts = hosts
        self._cache = TreeCache()
        self._watch = Watch(database)
        self._whole: WhileUnchanged[tuple[Gun, int], chain.Tree] = WhileUnchanged(
            watch or self._watch, max_weight=WHOLE_MAX_BYTES
        )

    def publish(self, gun: Gun, files: Mapping[str, bytes], *, actor: Actor) -> None:
        """Store an upload, all of it or nothing; `files` maps roles to metadata.

        Raises UpdateRefusedError, or ForeignNameError.
        """
        self.require_ours(gun)
        uploads = rules.parse(files)
        with self._database.read() as connection:
            state = writing.state_of(connection, gun, self._keys)
        # Signatures are checked before anybody has to wait for this writer; and again only when
        # another one was faster.
        accepted = state.judge(uploads, self._clock.now())
        with self._database.write() as connection:
            if rows.newest_change(connection, gun) != state.change:
                state = writing.state_of(connection, gun, self._keys)
                accepted = state.judge(uploads, self._clock.now())
            self._store(connection, state, accepted, actor)

    def publish_in(
        self, connection: sa.Connection, gun: Gun, files: Mapping[str, bytes], *, actor: Actor
    ) -> None:
        """Like `publish`, inside the caller's transaction; what is refused has written nothing."""
        self.require_ours(gun)
        uploads = rules.parse(files)
        state = writing.state_of(connection, gun, self._keys)
        self._store(connection, state, state.judge(uploads, self._clock.now()), actor)

    def files_in(self, connection: sa.Connection, gun: Gun) -> Mapping[Role, File]:
        """Return every file of the tree as this transaction sees it; none: there is no tree."""
        return rows.tree(connection, gun)

    def current(self, gun: Gun, role: Role) -> File:
        """Return a role's file as the tree has it now. Raises NotFoundError."""
        return self.stored(gun, role).parsed()

    def by_hash(self, gun: Gun, role: Role, sha256: str) -> File:
        """Return a version of a role by the hash (hex) of its file. Raises NotFoundError."""
        return self.stored_by_hash(gun, role, sha256).parsed()

    def by_version(self, gun: Gun, role: Role, version: int) -> File:
        """Return a version of a role. Raises NotFoundError."""
        return self.stored_by_version(gun, role, version).parsed()

    def files(self, gun: Gun) -> Mapping[Role, File]:
        """Return every file of the current tree, by role. Raises NotFoundError."""
        self.stored(gun, TIMESTAMP)  # renews what is old
        with self._database.read() as connection:
            found = rows.tree(connection, gun)
        if not found:
            raise _unknown(gun, ROOT)
        return found

    def tree(self, gun: Gun, since_root: int = 1) -> chain.Tree:
        """Return what a proof needs: the roots from `since_root` on, and all current files.

        Raises NotFoundError.
        """
        if self.remembered(gun, TIMESTAMP) is None:
            self.stored(gun, TIMESTAMP)  # renews what is old
        return self._whole.get(
            (gun, since_root), lambda: self._tree(gun, since_root), weigh=_bytes_of
        )

    def roots(self, gun: Gun, since: int = 1) -> tuple[bytes, ...]:
        """Return all roots from version `since` on, ascending; empty when there is none."""
        with self._database.read() as connection:
            return rows.roots(connection, gun, since)

    def names(self) -> tuple[Gun, ...]:
        """Return the names that have a tree, sorted."""
        with self._database.read() as connection:
            return rows.names(connection)

    def stored(self, gun: Gun, role: Role) -> StoredFile:
        """Like `current`, unparsed, and mostly from memory."""
        return self._look(gun, role, None, None)

    def stored_by_hash(self, gun: Gun, role: Role, sha256: str) -> StoredFile:
        """Like `by_hash`, unparsed, and mostly from memory."""
        return self._look(gun, role, sha256, lambda c: rows.by_hash(c, gun, role, sha256))

    def stored_by_version(self, gun: Gun, role: Role, version: int) -> StoredFile:
        """Like `by_version`, unparsed, and mostly from memory."""
        return self._look(gun, role, str(version), lambda c: rows.by_version(c, gun, role, version))

    def remembered(self, gun: Gun, role: Role, name: str | None = None) -> StoredFile | None:
        """Return what is in memory and certainly still so; None means: ask the database.

        `name` is a hash or a version, None for the current file. Does not block.
        """
        seen = self._watch.number()
        walk = None if seen is None else self._cache.fresh_walk(gun, seen)
        if walk is None or walk.is_due(self._clock.now()):
            return None
        return self._cache.file((gun, walk.change, role, name or walk.hashes.get(role, "")))

    def public_key(self, gun: Gun, role: Role, *, actor: Actor) -> TufKey:
        """Return the server's key for a snapshot or timestamp; make one if there is none.

        That is the one that the root names, if the server holds it, else the newest. Raises
        InvalidInputError for another role, ForeignNameError.
        """
        self._require_held_role(gun, role)
        with self._database.read() as connection:
            key = self._serving_key(connection, gun, role)
        if key is not None:
            return key
        with self._database.write() as connection:
            key = self._serving_key(connection, gun, role)
            return key or self._issue(connection, gun, role, actor)

    def rotate_key(self, gun: Gun, role: Role, *, actor: Actor) -> TufKey:
        """Return a key that no root has named yet; the old one signs until a root names this one.

        Asked again before that, the answer is the same key. Raises like `public_key`.
        """
        self._require_held_role(gun, role)
        with self._database.write() as connection:
            named = {
                key_id
                for content in rows.roots(connection, gun, 1)
                for key_id in parse(ROOT, content).said(Root).roles[role].key_ids
            }
            issued = [one.key for one in self._keys.held(connection, gun)[role]]
            pending = [key for key in issued if key.key_id not in named]
            return pending[-1] if pending else self._issue(connection, gun, role, actor)

    def delete(self, gun: Gun, *, actor: Actor) -> None:
        """Drop a tree with all its versions and keys. An unknown one is no error."""
        with self._database.write() as connection:
            now = self._clock.now()
            server_keys.forget(connection, gun)
            if not rows.forget(connection, gun):
                return
            rows.add_change(connection, gun, None, now)
            event = TreeDeleted(repository=gun.repository, gun=gun)
            audit.record(connection, event, actor=actor, at=now)

    def changes(self, gun: Gun | None, *, after: int | None, count: int) -> list[Change]:
        """Return changes of one tree or all, old to new: up to `count` with numbers above `after`,
        or (negative) so many below it. None for `after`: the newest."""
        bounded = max(-MAX_CHANGES, min(count, MAX_CHANGES))
        with self._database.read() as connection:
            return rows.changes(connection, gun, after, bounded)

    def require_ours(self, gun: Gun) -> None:
        """Raises ForeignNameError unless the host of `gun` is one of this registry's."""
        if gun.host not in self._hosts:
            raise ForeignNameError(
                f"{gun.host} is not a name of this registry",
                remedy="use " + " or ".join(sorted(self._hosts)),
            )

    def _store(
        self,
        connection: sa.Connection,
        state: writing.State,
        accepted: rules.Accepted,
        actor: Actor,
    ) -> None:
        now = self._clock.now()
        made = writing.completed(accepted.tree, state.floors, state.held, now)
        writing.store(connection, state.gun, (*accepted.files, *made), now)
        for event in writing.events_of(state.gun, accepted.files, state.stored, made[-1]):
            audit.record(connection, event, actor=actor, at=now)

    def _look(self, gun: Gun, role: Role, name: str | None, find: Find | None) -> StoredFile:
        for is_last in (False, True):
            seen = self._watch.number()
            with self._database.read() as connection:
                walk = self._walk(connection, gun, seen)
                if is_last or find is not None or not walk.is_due(self._clock.now()):
                    place = (gun, walk.change, role, name or walk.hashes.get(role, ""))
                    return self._kept(connection, place, find)
            self._renew(gun)
        raise AssertionError

    def _tree(self, gun: Gun, since_root: int) -> chain.Tree:
        with self._database.read() as connection:
            files = rows.tree(connection, gun)
            roots = rows.roots(connection, gun, since_root)
        if not files:
            raise _unknown(gun, ROOT)
        return chain.Tree(
            roots=roots,
            timestamp=files[TIMESTAMP].content,
            snapshot=files[SNAPSHOT].content,
            targets={role: file.content for role, file in files.items() if role.is_targets},
        )

    def _walk(self, connection: sa.Connection, gun: Gun, seen: int | None) -> Walk:
        change = rows.newest_change(connection, gun)
        walk = self._cache.walk(gun, change)
        if walk is None:
            tree = rows.tree(connection, gun)
            if not tree:
                raise _unknown(gun, ROOT)
            held = writing.ids_of(self._keys.held(connection, gun))
            walk = Walk(
                change=change,
                hashes={role: file.sha256 for role, file in tree.items()},
                renew_at=writing.renewal(tree, held),
            )
        self._cache.keep_walk(gun, walk, seen)
        return walk

    def _kept(self, connection: sa.Connection, place: Place, find: Find | None) -> StoredFile:
        gun, _, role, name = place
        stored = self._cache.file(place)
        if stored is None:
            stored = find(connection) if find else rows.by_hash(connection, gun, role, name)
            if stored is None:
                raise _unknown(gun, role)
            self._cache.keep_file(place, stored)
        return stored

    def _renew(self, gun: Gun) -> None:
        """Sign the server's own statements anew, unless another process has just done it."""
        try:
            with self._database.write() as connection:
                now = self._clock.now()
                stored = rows.tree(connection, gun)
                held = self._keys.held(connection, gun)
                due = writing.renewal(stored, writing.ids_of(held)) if stored else None
                if due is not None and due <= now:
                    floors = rows.floors(connection, gun)
                    made = writing.renewed(stored, floors, held, now)
                    writing.store(connection, gun, made, now)
                    event = writing.refreshed(gun, made)
                    audit.record(connection, event, actor=actors.SYSTEM, at=now)
        except UnavailableError as error:
            # What is stored is still valid for hours, or its readers will say that it is not.
            _log.warning("cannot renew the timestamp of %s: %s", gun, error.message)

    def _serving_key(self, connection: sa.Connection, gun: Gun, role: Role) -> TufKey | None:
        issued = [one.key for one in self._keys.held(connection, gun)[role]]
        root = rows.newest(connection, gun, ROOT)
        if root is not None:
            named = root.parsed().said(Root).roles[role].key_ids
            issued = [key for key in issued if key.key_id in named] or issued
        return issued[-1] if issued else None

    def _issue(self, connection: sa.Connection, gun: Gun, role: Role, actor: Actor) -> TufKey:
        now = self._clock.now()
        key = self._keys.issue(connection, gun, role, now).key
        event = TreeKeyIssued(repository=gun.repository, gun=gun, role=str(role), key_id=key.key_id)
        audit.record(connection, event, actor=actor, at=now)
        return key

    def _require_held_role(self, gun: Gun, role: Role) -> None:
        self.require_ours(gun)
        if role not in HELD_ROLES:
            raise InvalidInputError(f"this server holds no keys for {role}")


def _bytes_of(tree: chain.Tree) -> int:
    files = (*tree.roots, tree.timestamp, tree.snapshot, *tree.targets.values())
    return sum(map(len, files))


def _unknown(gun: Gun, role: Role) -> NotFoundError:
    return NotFoundError(f"there is no such {role} for {gun}")

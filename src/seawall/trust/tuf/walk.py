"""Reads the files of one tree below a proven root, each held against the one that names it."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from seawall.core.errors import IntegrityError, LimitError, SeawallError
from seawall.trust.keys import KeyId
from seawall.trust.tuf import thresholds
from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.metadata import parse
from seawall.trust.tuf.model import (
    Delegation,
    File,
    FileMeta,
    RoleKeys,
    Root,
    Snapshot,
    Target,
    Targets,
    Timestamp,
)
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Gun, Role

if TYPE_CHECKING:
    from seawall.trust.tuf.chain import Tree

MAX_ROLES: Final = 1024


class Walk:
    """A tree on the way of being proven. `files` holds what was, role by role."""

    def __init__(self, *, tree: Tree, gun: Gun, root: File, seen: Mapping[Role, int]) -> None:
        self.gun = gun
        self.root = root
        self.files: dict[Role, File] = {}
        """Targets and delegations that hold."""
        self.declared: dict[Role, Delegation] = {}
        """Delegations that a proven file declares, whether or not they hold."""
        self._tree = tree
        self._seen = seen
        self._base: dict[Role, File] = {ROOT: root}
        self._signed: dict[Role, dict[str, TufKey]] = {}
        self._note_root()

    def read_timestamp(self) -> File:
        """Parse the timestamp and check who signed it; its times are checked apart."""
        file = parse(TIMESTAMP, self._tree.timestamp)
        self._check_signed(file)
        self._base[TIMESTAMP] = file
        return file

    def read_snapshot(self, now: dt.datetime) -> File:
        meta = self._base[TIMESTAMP].said(Timestamp).snapshot
        file = self._read(SNAPSHOT, self._tree.snapshot, meta)
        self._check_signed(file)
        self.check_fresh(file, now)
        self._base[SNAPSHOT] = file
        return file

    def check_root_in_snapshot(self) -> None:
        if not self._meta()[ROOT].fits(self.root.content):
            raise IntegrityError(
                f"the snapshot names another root than version {self.root.version}"
            )

    def read_targets(self, now: dt.datetime) -> File:
        content = self._tree.targets.get(TARGETS)
        if content is None:
            raise IntegrityError("the targets file is missing")
        file = self._read(TARGETS, content, self._meta()[TARGETS])
        self._check_signed(file)
        self.check_fresh(file, now)
        self.files[TARGETS] = file
        return file

    def read_delegations(self, now: dt.datetime) -> list[str]:
        """Read all that the targets file declares, parents first; return a line for each.

        Bytes that the snapshot does not name, and old versions, are never excused. One that lacks
        signatures or has expired is passed over, unless it is `targets/releases`.
        """
        lines = []
        waiting = [self.files[TARGETS]]
        while waiting:
            parent = waiting.pop(0)
            for one in parent.said(Targets).delegations:
                self.declared[one.role] = one
                if len(self.declared) > MAX_ROLES:
                    raise LimitError(f"more than {MAX_ROLES} delegations")
                file, line = self._delegation(one, parent, now)
                lines.append(line)
                if file is not None:
                    self.files[one.role] = file
                    waiting.append(file)
        return lines

    def check_fresh(self, file: File, now: dt.datetime) -> None:
        """Check expiry and version. Raises IntegrityError."""
        self.check_expiry(file, now)
        self.check_seen(file)

    def check_expiry(self, file: File, now: dt.datetime) -> None:
        if file.body.expires <= now:
            raise IntegrityError(
                f"{file.role} expired on {file.body.expires:%FT%TZ}",
                remedy="its signer, or for timestamp and snapshot the server, must renew it",
            )

    def check_seen(self, file: File) -> None:
        known = self._seen.get(file.role, 0)
        if file.version < known:
            raise IntegrityError(
                f"{file.role} is version {file.version}, but version {known} was seen before",
                remedy="an old state is being shown again: do not use it",
            )

    def seen_after(self) -> dict[Role, int]:
        """Return the versions to remember: of all that is there, or declared and seen before."""
        kept = {
            role: version
            for role, version in self._seen.items()
            if not role.is_delegation or role in self.declared
        }
        present = {**self._base, **self.files}
        return {
            role: max(kept.get(role, 0), present[role].version if role in present else 0)
            for role in (*present, *(role for role in kept if role not in present))
        }

    def target(self, role: Role, name: str) -> Target | None:
        """Return what `role` names so, if it may."""
        file = self.files.get(role)
        if file is None or not self._may_name(role, name):
            return None
        return file.said(Targets).targets.get(name)

    def names(self) -> list[str]:
        """Return all names in the roles that are looked at, sorted."""
        return sorted(
            {
                name
                for role in (RELEASES, TARGETS)
                if role in self.files
                for name in self.files[role].said(Targets).targets
            }
        )

    def signers(self, relied: tuple[Role, ...]) -> Iterator[tuple[Role, str, KeyId]]:
        """Yield role, canonical id and key id of all whose signatures the proof rests on."""
        for role in (ROOT, TIMESTAMP, SNAPSHOT, *dict.fromkeys((TARGETS, *relied))):
            for canonical_id, key in sorted(self._signed[role].items()):
                yield role, canonical_id, KeyId(hashlib.sha256(key.spki).hexdigest())

    def expires(self, relied: tuple[Role, ...]) -> dt.datetime:
        """Return when the first of the files expires on which the proof rests."""
        files = [*self._base.values(), *(self.files[role] for role in (TARGETS, *relied))]
        return min(file.body.expires for file in files)

    def _note_root(self) -> None:
        body = self.root.said(Root)
        self._note(ROOT, self.root, body.roles[ROOT], body.keys)

    def _meta(self) -> Mapping[Role, FileMeta]:
        return self._base[SNAPSHOT].said(Snapshot).meta

    def _delegation(
        self, one: Delegation, parent: File, now: dt.datetime
    ) -> tuple[File | None, str]:
        meta, content = self._meta().get(one.role), self._tree.targets.get(one.role)
        if meta is None:
            if one.role in self._seen:
                raise IntegrityError(f"{one.role} was seen before and is withheld now")
            return None, f"{one.role} has signed nothing yet"
        if content is None:
            raise IntegrityError(f"{one.role} is missing, though the snapshot names it")
        file = self._read(one.role, content, meta)
        self.check_seen(file)
        try:
            self._check_threshold(file, one.keys, parent.said(Targets).keys)
            self.check_expiry(file, now)
        except SeawallError as error:
            if one.role == RELEASES:
                raise
            return None, f"passed over: {error.message}"
        return file, f"{one.role} version {file.version}"

    def _read(self, role: Role, content: bytes, meta: FileMeta) -> File:
        if not meta.fits(content):
            raise IntegrityError(f"the {role} file is not the one that its parent names")
        return parse(role, content)

    def _check_signed(self, file: File) -> None:
        root = self.root.said(Root)
        self._check_threshold(file, root.roles[file.role], root.keys)

    def _check_threshold(self, file: File, allowed: RoleKeys, known: Mapping[str, TufKey]) -> None:
        found = self._note(file.role, file, allowed, known)
        if len(found) < allowed.threshold:
            raise IntegrityError(
                f"{file.role} has {len(found)} of {allowed.threshold} signatures by its keys",
                remedy="see who still has to sign: seawall trust status REPO",
            )

    def _note(
        self, role: Role, file: File, allowed: RoleKeys, known: Mapping[str, TufKey]
    ) -> dict[str, TufKey]:
        ids = thresholds.signers_of(file, allowed, known)
        keys = {known[one].canonical_id: known[one] for one in allowed.key_ids}
        self._signed[role] = {one: keys[one] for one in ids}
        return self._signed[role]

    def _may_name(self, role: Role, name: str) -> bool:
        """Tell whether all delegations down to `role` allow the name."""
        while role != TARGETS:
            if not self.declared[role].may_name(name):
                return False
            parent = role.parent
            assert parent is not None
            role = parent
        return True

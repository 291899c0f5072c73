"""A tree on its owner's side: files to be signed, and who still has to sign them. Pure.

A file is signed with those of the given keys that its role names. Below its threshold it is a
draft: it may be handed on, but a server refuses it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from seawall.core.errors import ConflictError, DeniedError
from seawall.trust.signing import Signer
from seawall.trust.tuf import build, keys, thresholds
from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.metadata import parse
from seawall.trust.tuf.model import (
    Body,
    Delegation,
    File,
    FileMeta,
    RoleKeys,
    Root,
    Snapshot,
    Target,
    Targets,
)
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TARGETS, Gun, Role

if TYPE_CHECKING:
    from seawall.trust.tuf.chain import Tree

ROOT_LIFETIME: Final = dt.timedelta(days=3650)
TARGETS_LIFETIME: Final = dt.timedelta(days=3 * 365)
"""Of targets, delegations and snapshots. Both as stock clients make them."""

Keys: TypeAlias = tuple[RoleKeys, Mapping[str, TufKey]]
"""Who may sign, and the keys behind the ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The files that are published now. Prove them (`chain`) before you sign anything over them."""

    gun: Gun
    root: File
    files: Mapping[Role, File]
    """`targets` and the delegations."""
    snapshot: File

    @classmethod
    def of(cls, gun: Gun, tree: Tree) -> Current:
        """Raises InvalidInputError, LimitError."""
        return cls(
            gun=gun,
            root=parse(ROOT, tree.roots[-1]),
            files={role: parse(role, content) for role, content in tree.targets.items()},
            snapshot=parse(SNAPSHOT, tree.snapshot),
        )

    @property
    def root_body(self) -> Root:
        return self.root.said(Root)

    @property
    def targets(self) -> Targets:
        return self.files[TARGETS].said(Targets)

    def body(self, role: Role) -> Targets | None:
        file = self.files.get(role)
        return file.said(Targets) if file is not None else None

    def keys_of(self, role: Role) -> Keys:
        """Return who may sign `role`. Raises ConflictError for a role that nobody declares."""
        if not role.is_delegation:
            return self.root_body.roles[role], self.root_body.keys
        parent = role.parent
        assert parent is not None
        said = self.body(parent)
        found = said.delegation(role) if said is not None else None
        if said is None or found is None:
            raise ConflictError(f"{self.gun} has no role {role}")
        return found.keys, said.keys

    def signers(self) -> dict[Role, frozenset[str]]:
        """Return the roles of people (`targets/NAME`) with the canonical ids of their keys."""
        said = self.targets
        return {
            one.role: frozenset(said.keys[key_id].canonical_id for key_id in one.keys.key_ids)
            for one in said.delegations
            if one.role != RELEASES
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """So many of these keys must sign, and these have (canonical ids)."""

    threshold: int
    may_sign: frozenset[str]
    have_signed: frozenset[str]

    @property
    def missing(self) -> int:
        return max(0, self.threshold - len(self.have_signed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A file, and what it takes for it to count. A root has two requirements: old and new keys."""

    file: File
    requirements: tuple[Requirement, ...]

    @property
    def is_complete(self) -> bool:
        return all(one.missing == 0 for one in self.requirements)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """The outcome of an edit: files that belong together, or not."""

    drafts: tuple[Draft, ...] = ()
    unsigned: tuple[Role, ...] = ()
    """Roles that should be written anew, but none of the given keys may sign them."""
    is_together: bool = True
    """Whether nothing of it may be published before all of it is complete."""

    @property
    def files(self) -> dict[Role, bytes]:
        """What may be published now."""
        if self.is_together and self.pending:
            return {}
        return {one.file.role: one.file.content for one in self.drafts if one.is_complete}

    @property
    def pending(self) -> tuple[Draft, ...]:
        """What waits for more signatures."""
        return tuple(one for one in self.drafts if not one.is_complete)

    def with_drafts(self, *more: Draft) -> Upload:
        return replace(self, drafts=self.drafts + more)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys at hand, by canonical id."""

    signers: Mapping[str, Signer] = field(repr=False)

    @classmethod
    def of(cls, signers: Iterable[Signer]) -> Keyring:
        return cls({keys.of_public(one.public).canonical_id: one for one in signers})

    def holds(self, allowed: Keys) -> bool:
        return bool(self.fitting(allowed))

    def fitting(self, allowed: Keys) -> list[build.TufSigner]:
        """Return those that may sign, as metadata names them."""
        entry, known = allowed
        return [
            build.signer_as(known[key_id], self.signers[known[key_id].canonical_id])
            for key_id in entry.key_ids
            if known[key_id].canonical_id in self.signers
        ]


def sign(role: Role, body: Body, keyring: Keyring, *wanted: Keys) -> Draft:
    """Write a file and sign it with all that fit. Raises DeniedError when none does."""
    fitting = {one.key.key_id: one for keys_ in wanted for one in keyring.fitting(keys_)}
    if not fitting:
        raise DeniedError(
            f"none of the given keys may sign {role}",
            remedy="see whose keys may: seawall trust show REPO",
        )
    return judge(build.signed_file(role, body, fitting.values()), *wanted)


def sign_targets(current: Current, keyring: Keyring, body: Targets) -> Upload:
    """Sign a new `targets` with the keys that the root names now."""
    return Upload(drafts=(sign(TARGETS, body, keyring, current.keys_of(TARGETS)),))


def judge(file: File, *wanted: Keys) -> Draft:
    """Tell who has signed a file and who still may."""
    return Draft(
        file=file,
        requirements=tuple(
            Requirement(
                threshold=entry.threshold,
                may_sign=frozenset(known[one].canonical_id for one in entry.key_ids),
                have_signed=thresholds.signers_of(file, entry, known),
            )
            for entry, known in wanted
        ),
    )


def sign_more(file: File, keyring: Keyring, *wanted: Keys) -> Draft:
    """Add the signatures of the given keys to a draft. Raises DeniedError when none may."""
    fitting = [one for keys_ in wanted for one in keyring.fitting(keys_)]
    if not fitting:
        raise DeniedError(f"none of the given keys may sign {file.role}")
    more = [one.sign(file.signed_bytes) for one in fitting]
    return judge(build.with_signatures(file, more), *wanted)


def own_keys(root: File) -> Keys:
    """Return who may sign this root by its own word."""
    body = root.said(Root)
    return body.roles[ROOT], body.keys


def check_threshold(role: Role, threshold: int, count: int) -> None:
    """Raises ConflictError for a threshold that so many keys cannot meet."""
    if not 1 <= threshold <= count:
        raise ConflictError(
            f"{role} cannot want {threshold} signatures of {count} keys",
            remedy="add keys, or want fewer signatures",
        )


def count_keys(entry: RoleKeys, known: Mapping[str, TufKey]) -> int:
    """Return how many different keys may sign."""
    return len({known[one].canonical_id for one in entry.key_ids})


def with_snapshot(current: Current, upload: Upload, keyring: Keyring, now: dt.datetime) -> Upload:
    """Add a new snapshot where its key is at hand and not at the server (as stock notary has it).

    The server makes it otherwise.
    """
    files = upload.files
    root = parse(ROOT, files[ROOT]) if ROOT in files else current.root
    body = root.said(Root)
    wanted = body.roles[SNAPSHOT], body.keys
    if not files or not keyring.holds(wanted):
        return upload
    before = current.snapshot.said(Snapshot)
    declared = {TARGETS, ROOT, *_declared(current, files)}
    meta = {role: one for role, one in before.meta.items() if role in declared}
    changed = {role: FileMeta.of(content) for role, content in files.items()}
    made = Snapshot(version=before.version + 1, expires=now + TARGETS_LIFETIME, meta=meta | changed)
    return upload.with_drafts(sign(SNAPSHOT, made, keyring, wanted))


def reissued(
    before: Targets | None,
    now: dt.datetime,
    *,
    targets: Mapping[str, Target] | None = None,
    keys: Mapping[str, TufKey] | None = None,
    delegations: Sequence[Delegation] | None = None,
) -> Targets:
    """Return the next version of a targets file; what is None stays as it was."""
    known = before or Targets(version=0, expires=now)
    return Targets(
        version=known.version + 1,
        expires=now + TARGETS_LIFETIME,
        targets=known.targets if targets is None else targets,
        keys=known.keys if keys is None else keys,
        delegations=known.delegations if delegations is None else tuple(delegations),
    )


def _declared(current: Current, files: Mapping[Role, bytes]) -> Sequence[Role]:
    bodies = dict(current.files) | {
        role: parse(role, content) for role, content in files.items() if role.is_targets
    }
    return [one.role for file in bodies.values() for one in file.said(Targets).delegations]

"""What a server accepts of an upload, so that no tree is ever stored that does not verify. Pure.

An upload holds the files that change. It is judged against the tree that is stored (whose own
expiry does not matter) and accepted as a whole or not at all:

1. the roles are sane: no timestamp, not too many;
2. every file's version is above the stored one of its role: this stops replays;
3. no file has expired, and none lives beyond what any key should;
4. a root follows the stored one by exactly one version, signed by enough keys of that and of its
   own; all its root keys come in certificates that are for this name and valid now;
5. targets and delegations, shallow first: declared by their parent as it will be, and signed by
   enough of the keys that it names. `targets` is also checked again when only the root changes;
6. a snapshot from the client is signed by enough keys of the root, and lists each role of the tree
   as it will be and nothing else; it may leave out what no file delegates to any longer. Without
   one, the server must hold the root's snapshot keys;
7. the server must hold the root's timestamp keys;
8. a tag that leaves `targets/releases` does not go on standing for the same digest in `targets`,
   where clients look next: stock tools call such a tag revoked, and everybody still pulls it.

`UpdateRefusedError` says which rule failed, in the words that stock clients understand.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Final

from seawall.core.errors import InvalidInputError, LimitError, SeawallError
from seawall.trust.errors import UpdateRefusedError
from seawall.trust.tuf import metadata, roots, thresholds
from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.model import File, FileMeta, RoleKeys, Root, Snapshot, Targets
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Gun, Role

MAX_FILES: Final = 64
"""In one upload."""
UPLOAD_MAX_BYTES: Final = 16 * 1024 * 1024
MAX_ROLES: Final = 512
"""Of one tree."""
LONGEST_LIFE: Final = dt.timedelta(days=366 * 30)
"""Of any file. Stock clients write ten years for a root and three for the rest."""
MAX_ROOT_VERSION: Final = roots.MAX_ROOTS
"""A client that comes with an old root has to fetch every later one."""


class Fault(enum.StrEnum):
    """Which part of an upload is wrong: the names that stock clients parse."""

    ROLE = "role"
    """Not a role at all, or one that is never uploaded. No name of its own in the protocol."""
    VERSION = "version"
    """Not above the stored version. No name of its own in the protocol."""
    VALIDATION = "ErrValidation"
    HIERARCHY = "ErrBadHierarchy"
    ROOT = "ErrBadRoot"
    TARGETS = "ErrBadTargets"
    SNAPSHOT = "ErrBadSnapshot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An upload that may be stored, in the order of depth."""

    files: tuple[File, ...]
    tree: Mapping[Role, File]
    """All roles but the timestamp, as they will be; without a snapshot when the server makes it."""

    @property
    def root(self) -> Root:
        return self.tree[ROOT].said(Root)

    @property
    def needs_snapshot(self) -> bool:
        """Whether the server has to make the snapshot."""
        return SNAPSHOT not in self.tree


def parse(uploads: Mapping[str, bytes]) -> dict[Role, File]:
    """Parse an upload, shallow roles first. Raises UpdateRefusedError."""
    if not 1 <= len(uploads) <= MAX_FILES:
        raise refused(Fault.VALIDATION, f"an upload of {len(uploads)} files, not 1 to {MAX_FILES}")
    if sum(map(len, uploads.values())) > UPLOAD_MAX_BYTES:
        raise refused(Fault.VALIDATION, f"an upload of more than {UPLOAD_MAX_BYTES} bytes")
    found = {_role(name): content for name, content in uploads.items()}
    return {role: _file(role, found[role]) for role in sorted(found, key=_order)}


def judge(
    gun: Gun,
    uploads: Mapping[Role, File],
    stored: Mapping[Role, File],
    *,
    floors: Mapping[Role, int],
    held: Mapping[Role, Set[str]],
    now: dt.datetime,
) -> Accepted:
    """Decide about a parsed upload. Raises UpdateRefusedError.

    `stored` is the current tree, empty for a new one. `floors` are the highest versions that were
    ever stored, also of roles that have left the tree. `held` are the ids of the keys that the
    server holds for snapshot and timestamp.
    """
    for role, file in uploads.items():
        _check_version(role, file, floors.get(role, 0))
        _check_time(file, now)
    tree = {role: uploads.get(role) or stored[role] for role in {*stored, *uploads} - {TIMESTAMP}}
    if len(tree) > MAX_ROLES:
        raise refused(Fault.VALIDATION, f"a tree of more than {MAX_ROLES} roles")
    if ROOT not in tree:
        raise refused(Fault.VALIDATION, "there is no root, neither here nor in the upload")
    if ROOT in uploads:
        _check_root(gun, uploads[ROOT], stored.get(ROOT), now)
    root = tree[ROOT].said(Root)
    _check_targets(uploads, tree, root)
    if RELEASES in uploads and RELEASES in stored and _is_declared(RELEASES, stored):
        _check_revoked(stored[RELEASES], uploads[RELEASES], tree[TARGETS])
    if SNAPSHOT in uploads:
        tree = _listed(tree, root)
    else:
        tree.pop(SNAPSHOT, None)
        _require_held(SNAPSHOT, root, held)
    _require_held(TIMESTAMP, root, held)
    return Accepted(files=tuple(uploads.values()), tree=tree)


def refused(fault: Fault, message: str, *, missing: Role | None = None) -> UpdateRefusedError:
    """Return the error for an upload with this fault."""
    return UpdateRefusedError(message, fault=str(fault), missing=missing)


def holds(role: Role, root: Root, held: Mapping[Role, Set[str]]) -> bool:
    """Tell whether the held keys alone can sign for `role`."""
    entry = root.roles[role]
    named = {root.keys[one].canonical_id for one in entry.key_ids if one in held.get(role, ())}
    return len(named) >= entry.threshold


def _order(role: Role) -> tuple[int, int, str]:
    return role.depth, (ROOT, TARGETS, SNAPSHOT).index(role) if not role.depth else 0, role


def _role(name: str) -> Role:
    try:
        role = Role.parse(name)
    except InvalidInputError as error:
        raise refused(Fault.ROLE, error.message) from error
    if role == TIMESTAMP:
        raise refused(Fault.ROLE, "the timestamp is the server's, and never uploaded")
    return role


def _file(role: Role, content: bytes) -> File:
    try:
        return metadata.parse(role, content)
    except (InvalidInputError, LimitError) as error:
        raise refused(_fault_of(role), error.message) from error


def _fault_of(role: Role) -> Fault:
    match role:
        case "root":
            return Fault.ROOT
        case "snapshot":
            return Fault.SNAPSHOT
        case _:
            return Fault.TARGETS


def _check_version(role: Role, file: File, floor: int) -> None:
    if file.version <= floor:
        raise refused(
            Fault.VERSION, f"{role}: version {file.version} is not above the stored {floor}"
        )


def _check_time(file: File, now: dt.datetime) -> None:
    expires = file.body.expires
    if expires <= now:
        raise refused(_fault_of(file.role), f"{file.role}: expired at {expires:%Y-%m-%dT%H:%MZ}")
    if expires > now + LONGEST_LIFE:
        years = LONGEST_LIFE.days // 366
        raise refused(_fault_of(file.role), f"{file.role}: expires in more than {years} years")


def _check_root(gun: Gun, new: File, old: File | None, now: dt.datetime) -> None:
    body = new.said(Root)
    if body.version > MAX_ROOT_VERSION:
        raise refused(Fault.ROOT, f"root: a version above {MAX_ROOT_VERSION}")
    try:
        if old is not None:
            roots.check_next(old, new)
        roots.check_own(new, gun, now)
    except SeawallError as error:
        raise refused(Fault.ROOT, error.message) from error
    for key_id in body.roles[ROOT].key_ids:
        if not roots.is_for(body.keys[key_id], gun, now):
            raise refused(
                Fault.ROOT, f"root: the key {key_id[:12]} has no valid certificate for {gun}"
            )


def _check_targets(uploads: Mapping[Role, File], tree: Mapping[Role, File], root: Root) -> None:
    if TARGETS not in tree:
        raise refused(Fault.HIERARCHY, "there are no targets", missing=TARGETS)
    # also when it is the stored one: the root may have changed under it
    _check_signed(tree[TARGETS], root.roles[TARGETS], root.keys)
    for role, file in uploads.items():
        if role.parent is None:
            continue
        parent = tree.get(role.parent)
        if parent is None:
            raise refused(Fault.HIERARCHY, f"{role}: no {role.parent}", missing=role.parent)
        body = parent.said(Targets)
        delegation = body.delegation(role)
        if delegation is None:
            raise refused(Fault.TARGETS, f"{role}: {role.parent} does not delegate to it")
        _check_signed(file, delegation.keys, body.keys)


def _check_revoked(before: File, after: File, owners: File) -> None:
    left, kept = owners.said(Targets).targets, after.said(Targets).targets
    for name, target in before.said(Targets).targets.items():
        if name not in kept and name in left and left[name].digest == target.digest:
            raise refused(
                Fault.TARGETS,
                f"{name[:128]} would still stand in targets: revoke it there too, with its key",
            )


def _check_signed(file: File, allowed: RoleKeys, known: Mapping[str, TufKey]) -> None:
    signers = thresholds.signers_of(file, allowed, known)
    if len(signers) < allowed.threshold:
        raise refused(
            _fault_of(file.role),
            f"{file.role}: signed by {len(signers)} of its keys, and {allowed.threshold} must",
        )


def _listed(tree: Mapping[Role, File], root: Root) -> dict[Role, File]:
    """Return the part of `tree` that its snapshot lists, which must be all that counts."""
    file = tree[SNAPSHOT]
    _check_signed(file, root.roles[SNAPSHOT], root.keys)
    listed = file.said(Snapshot).meta
    for role, meta in listed.items():
        if role not in tree or not meta.fits(tree[role].content):
            raise refused(Fault.SNAPSHOT, f"snapshot: {role} is not as it lists it")
    for role in tree.keys() - listed.keys() - {SNAPSHOT}:
        if _is_declared(role, tree):
            raise refused(Fault.SNAPSHOT, f"snapshot: does not list {role}")
    return {role: tree[role] for role in (*listed, SNAPSHOT)}


def _is_declared(role: Role, tree: Mapping[Role, File]) -> bool:
    while role.parent is not None:
        parent = tree.get(role.parent)
        if parent is None or parent.said(Targets).delegation(role) is None:
            return False
        role = role.parent
    return True


def _require_held(role: Role, root: Root, held: Mapping[Role, Set[str]]) -> None:
    if holds(role, root, held):
        return
    if role == SNAPSHOT:
        message = "no snapshot in the upload, and its key is not held by this server"
        raise refused(Fault.HIERARCHY, message, missing=SNAPSHOT)
    raise refused(Fault.ROOT, "root: the timestamp's key was not issued by this server")


def meta_of(tree: Mapping[Role, File]) -> dict[Role, FileMeta]:
    """Return what a snapshot of `tree` lists."""
    return {
        role: FileMeta.of(file.content)
        for role, file in sorted(tree.items())
        if role not in (SNAPSHOT, TIMESTAMP)
    }

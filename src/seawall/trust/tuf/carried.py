"""Files of a tree that were signed elsewhere, and come when the tree may have moved on. Pure.

Whoever signed offline proved the tree as it was then. What is published follows the tree as it is
now, so each file is held against that again: it must be the next version of its role and change
this one tag alone, and its signatures must be by keys that the role has now. Nothing is signed
here: what does not follow any more is refused, and has to be signed again.
"""

from __future__ import annotations

from collections.abc import Mapping

from seawall.core.errors import ConflictError
from seawall.oci.names import Tag
from seawall.trust.tuf import approvals, build, drafts, edits
from seawall.trust.tuf.drafts import Current, Draft, Upload
from seawall.trust.tuf.model import File, Snapshot, Target
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TARGETS, Gun, Role


def resume(
    current: Current,
    files: Mapping[Role, File],
    tag: Tag,
    target: Target,
    *,
    waiting: Mapping[Role, File],
) -> Upload:
    """Return what to publish so that `tag` stands for `target`; nothing when all of it is there.

    `waiting` holds files that others began: the one that we signed too gets their signatures, and
    what they signed beside it goes along. Raises ConflictError when the tree has moved on.
    """
    begun = approvals.relevant(current, waiting)
    left = {role: file for role, file in files.items() if not _stands(current, file)}
    made = []
    for role in sorted(left.keys() - {SNAPSHOT}):
        if not (role.is_targets and edits.continues(left[role], current.body(role), tag, target)):
            raise _moved_on(current.gun, f"{role} has changed")
        made.append(_joined(current, left[role], begun.get(role)))
    if any(_is_same(begun.get(role), file) for role, file in left.items()):
        made += [one for one in approvals.judge(current, begun) if one.file.role not in files]
    if SNAPSHOT in left:
        made.append(_snapshot(current, left))
    if not made and not _is_named(current, tag, target):
        raise _moved_on(current.gun, f"{tag} stands for something else by now")
    return Upload(drafts=tuple(made))


def _stands(current: Current, file: File) -> bool:
    known = current.snapshot if file.role == SNAPSHOT else current.files.get(file.role)
    return _is_same(known, file)


def _is_same(known: File | None, file: File) -> bool:
    return known is not None and known.signed_bytes == file.signed_bytes


def _joined(current: Current, file: File, begun: File | None) -> Draft:
    """Return our file, with the signatures of others over the very same bytes."""
    if begun is not None and _is_same(begun, file):
        file = build.with_signatures(begun, file.signatures)
        begun = None
    allowed = approvals.wanted(current, {}, file.role)
    draft = drafts.judge(file, *allowed)
    if not any(one.have_signed for one in draft.requirements):
        raise _moved_on(current.gun, f"the key that signed may no longer sign {file.role}")
    if begun is not None and not draft.is_complete:
        raise _moved_on(current.gun, f"others have begun another {file.role} meanwhile")
    return draft


def _snapshot(current: Current, left: Mapping[Role, File]) -> Draft:
    """Judge a snapshot that was made with the files: of a tree whose owner holds its key."""
    file = left[SNAPSHOT]
    said = file.said(Snapshot)
    known = {ROOT: current.root, **current.files, **left}
    if said.version != current.snapshot.version + 1 or not all(
        role in known and meta.fits(known[role].content) for role, meta in said.meta.items()
    ):
        raise _moved_on(current.gun, "the snapshot lists other files")
    return drafts.judge(file, current.keys_of(SNAPSHOT))


def _is_named(current: Current, tag: Tag, target: Target) -> bool:
    for role in (RELEASES, TARGETS):
        body = current.body(role)
        if body is not None and (found := body.targets.get(tag)) is not None:
            return found.digest == target.digest
    return False


def _moved_on(gun: Gun, why: str) -> ConflictError:
    return ConflictError(
        f"the tree of {gun} has moved on since this was signed: {why}",
        remedy="begin again: seawall trust export IMAGE -o FILE, and sign that",
    )

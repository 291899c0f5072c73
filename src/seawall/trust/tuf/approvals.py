"""Files that wait for more signatures: what they would change, and a further signature. Pure.

Where they wait anybody who may push can write. So only what follows the published version counts,
and nothing is signed before a person has seen what it changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from seawall.trust.tuf import drafts
from seawall.trust.tuf.drafts import Current, Draft, Keyring, Keys, Upload
from seawall.trust.tuf.model import File, Root, Targets
from seawall.trust.tuf.names import BASE_ROLES, ROOT, TARGETS, Role


def relevant(current: Current, waiting: Mapping[Role, File]) -> dict[Role, File]:
    """Return the files that are the next version of their role, and that somebody may sign."""
    found = {
        role: file
        for role, file in waiting.items()
        if file.version == _version(current, role) + 1 and (role == ROOT or role.is_targets)
    }
    return {role: file for role, file in found.items() if wanted(current, found, role)}


def wanted(current: Current, waiting: Mapping[Role, File], role: Role) -> tuple[Keys, ...]:
    """Return who must sign a waiting file: of a root old and new keys, else its parent's as that
    will be. Empty for a role that nobody declares."""
    if role == ROOT:
        return drafts.own_keys(current.root), drafts.own_keys(waiting[ROOT])
    if role == TARGETS:
        body = waiting.get(ROOT, current.root).said(Root)
        return ((body.roles[TARGETS], body.keys),)
    assert role.parent is not None
    parent = waiting.get(role.parent) or current.files.get(role.parent)
    said = parent.said(Targets) if parent is not None else None
    found = said.delegation(role) if said is not None else None
    return ((found.keys, said.keys),) if said is not None and found is not None else ()


def judge(current: Current, waiting: Mapping[Role, File]) -> tuple[Draft, ...]:
    """Tell for each waiting file who has signed it and who still may."""
    found = relevant(current, waiting)
    return tuple(drafts.judge(found[role], *wanted(current, found, role)) for role in _order(found))


def approve(current: Current, keyring: Keyring, waiting: Mapping[Role, File]) -> Upload:
    """Add our signatures to all waiting files that our keys may sign. Raises DeniedError when that
    is none."""
    found = relevant(current, waiting)
    made, is_signed = [], False
    for role in _order(found):
        keys = wanted(current, found, role)
        if any(keyring.holds(one) for one in keys):
            made.append(drafts.sign_more(found[role], keyring, *keys))
            is_signed = True
        else:
            made.append(drafts.judge(found[role], *keys))
    if made and not is_signed:
        drafts.sign_more(made[0].file, keyring)  # says that none of the keys may
    return Upload(drafts=tuple(made))


def changes(current: Current, waiting: Mapping[Role, File]) -> list[str]:
    """Say in words what the waiting files would change."""
    found = relevant(current, waiting)
    return [line for role in _order(found) for line in _changes(current, found[role])]


def _version(current: Current, role: Role) -> int:
    if role == ROOT:
        return current.root.version
    file = current.files.get(role)
    return file.version if file is not None else 0


def _order(found: Mapping[Role, File]) -> list[Role]:
    return sorted(found, key=lambda role: (role != ROOT, role.depth, role))


def _changes(current: Current, file: File) -> Iterator[str]:
    yield f"{file.role} version {file.version}, until {file.body.expires:%Y-%m-%d}"
    if file.role == ROOT:
        yield from _root_changes(current.root_body, file.said(Root))
        return
    before = current.body(file.role) or Targets(version=0, expires=file.body.expires)
    after = file.said(Targets)
    for tag in sorted(before.targets.keys() | after.targets.keys()):
        old, new = before.targets.get(tag), after.targets.get(tag)
        if old != new:
            yield f"  {tag}: {old.digest if old else 'none'} -> {new.digest if new else 'none'}"
    old_roles = {one.role: _keys((one.keys, before.keys)) for one in before.delegations}
    new_roles = {one.role: _keys((one.keys, after.keys)) for one in after.delegations}
    for role in sorted(old_roles.keys() | new_roles.keys()):
        if old_roles.get(role) != new_roles.get(role):
            yield f"  {role}: {old_roles.get(role, 'none')} -> {new_roles.get(role, 'none')}"


def _root_changes(before: Root, after: Root) -> Iterator[str]:
    for role in BASE_ROLES:
        old, new = (_keys((body.roles[role], body.keys)) for body in (before, after))
        if old != new:
            yield f"  {role}: {old} -> {new}"


def _keys(keys: Keys) -> str:
    entry, known = keys
    ids = sorted({known[one].canonical_id[:12] for one in entry.key_ids})
    return f"{entry.threshold} of {', '.join(ids)}"

"""What an upload changes: tags and signers. Pure; the log of events is written from this."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from seawall.trust.events import KeyChange, TagChange
from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.model import File, RoleKeys, Root, Targets
from seawall.trust.tuf.names import Role


def tags(before: File | None, after: File) -> tuple[TagChange, ...]:
    """Return the tags of which a role's new file says something else, by name."""
    old = before.said(Targets).targets if before else {}
    new = after.said(Targets).targets
    changed = []
    for tag in sorted(old.keys() | new.keys()):
        was = str(old[tag].digest) if tag in old else None
        now = str(new[tag].digest) if tag in new else None
        if was != now:
            changed.append(TagChange(tag=tag, was=was, now=now))
    return tuple(changed)


def keys(before: File | None, after: File) -> tuple[KeyChange, ...]:
    """Return the keys that a root, targets or delegation names anew, or no longer."""
    old = _named(before) if before else frozenset()
    new = _named(after)
    return tuple(
        KeyChange(role=role, key_id=key_id, is_added=(role, key_id) in new)
        for role, key_id in sorted(old ^ new)
    )


def _named(file: File) -> frozenset[tuple[str, str]]:
    return frozenset(_pairs(file))


def _pairs(file: File) -> Iterator[tuple[str, str]]:
    match file.body:
        case Root() as root:
            for role, entry in root.roles.items():
                yield from _of(role, entry, root.keys)
        case Targets() as targets:
            for one in targets.delegations:
                yield from _of(one.role, one.keys, targets.keys)
        case _:
            return


def _of(role: Role, entry: RoleKeys, known: Mapping[str, TufKey]) -> Iterator[tuple[str, str]]:
    for key_id in entry.key_ids:
        yield str(role), known[key_id].canonical_id

"""Bringing a tree of trust data over from another Notary server. Pure: files in, files out.

Only the root holds the name of its repository (in a certificate); targets and delegations do not.
So they are brought over byte for byte, with the signatures that people made, and only a root is
made anew: by the owner's root keys, naming our server's keys for snapshot and timestamp.

 another name  the image's host changes, and with it the name: a first root for the new name. Its
               keys are the same keys in new certificates. Clients meet it as a new repository.
 same name     the host's name moves to us: the next root of the same chain. Clients notice nothing.

Refused: a tree that does not hold from a pinned root down; fewer root keys than its threshold; what
has expired, since nobody but its signers can renew it.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from seawall.core.errors import ConflictError, IntegrityError, InvalidInputError, LimitError
from seawall.oci.digest import Digest
from seawall.oci.names import Tag
from seawall.trust.signing import Signer
from seawall.trust.tuf import build, chain, drafts, roots, thresholds
from seawall.trust.tuf import keys as tuf_keys
from seawall.trust.tuf.build import TufSigner
from seawall.trust.tuf.chain import Pin, Tree
from seawall.trust.tuf.drafts import Current
from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.model import File, RoleKeys, Root, Targets
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Gun, Role

MAX_TAGS: Final = 10_000


class Way(enum.StrEnum):
    ANOTHER_NAME = "another-name"
    SAME_NAME = "same-name"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFound:
    """A tag that is proven at the source."""

    tag: Tag
    digest: Digest
    length: int  # bytes of its manifest
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A tree that was proven, with all that it says."""

    gun: Gun
    tree: Tree
    current: Current
    pin: Pin
    tags: tuple[TagFound, ...]
    unproven: tuple[tuple[str, str], ...]
    """Names that are listed but do not hold, each with the reason."""

    @property
    def root_key_ids(self) -> frozenset[str]:
        """The fingerprints by which people pin it."""
        return roots.key_ids(self.current.root)

    @property
    def root_threshold(self) -> int:
        return self.current.root_body.roles[ROOT].threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRoleKeys:
    """The keys with which our server will sign."""

    snapshot: TufKey
    timestamp: TufKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What is to be published."""

    files: Mapping[Role, bytes]
    left_out: tuple[tuple[Role, str], ...]
    """Delegations that do not hold at the source either, each with the reason."""


def examine(
    gun: Gun,
    tree: Tree | None,
    pin: Pin | None,
    now: dt.datetime,
    *,
    unsafe_first_use: bool = False,
    on_tag: Callable[[int, int], None] | None = None,
) -> Source:
    """Prove a tree and each of its tags. Raises IntegrityError with the step that failed."""
    whole = chain.prove(
        None, None, gun=gun, tree=tree, pin=pin, now=now, unsafe_first_use=unsafe_first_use
    )
    if not whole.is_valid or tree is None or whole.pin_after is None:
        failed = whole.failures[-1]
        raise IntegrityError(
            f"the trust data of {gun} does not hold, step {failed.number} ({failed.name}):"
            f" {failed.detail}",
            remedy=_REMEDIES.get(failed.number, whole.remedy),
        )
    current = Current.of(gun, tree)
    tags, unproven = [], []
    names = _names(current)
    for number, name in enumerate(names, 1):
        proof = chain.prove(Tag(name), None, gun=gun, tree=tree, pin=whole.pin_after, now=now)
        if proof.is_valid and proof.target is not None and proof.found_in is not None:
            target = proof.target
            tags.append(
                TagFound(
                    tag=Tag(name), digest=target.digest, length=target.length, role=proof.found_in
                )
            )
        else:
            unproven.append((name, proof.failures[-1].detail))
        if on_tag is not None:
            on_tag(number, len(names))
    return Source(
        gun=gun,
        tree=tree,
        current=current,
        pin=whole.pin_after,
        tags=tuple(tags),
        unproven=tuple(unproven),
    )


def way(source: Gun, target: Gun) -> Way:
    return Way.SAME_NAME if source == target else Way.ANOTHER_NAME


def bring(
    source: Source,
    target: Gun,
    signers: Sequence[Signer],
    server: ServerRoleKeys,
    now: dt.datetime,
) -> Brought:
    """Return the files that make the tree stand at our server under `target`.

    Raises InvalidInputError when the keys are too few or others, IntegrityError when the result
    would not verify.
    """
    if way(source.gun, target) is Way.SAME_NAME:
        root = _next_root(source, signers, server, now)
        roots.check_next(source.current.root, root)
    else:
        root = _first_root(source, target, signers, server, now)
    roots.check_own(root, target, now)
    kept = without_root(source, now)
    return Brought(files={ROOT: root.content, **kept.files}, left_out=kept.left_out)


def without_root(source: Source, now: dt.datetime) -> Brought:
    """Return what is brought over byte for byte: targets, and the delegations that hold."""
    kept, left_out = _targets(source.current, now)
    return Brought(files={role: file.content for role, file in kept.items()}, left_out=left_out)


def missing(brought: Brought, source: Source, there: Tree) -> Mapping[Role, bytes]:
    """Return what is still to be published where a tree stands already: newer files alone.

    Raises ConflictError when that tree is not this one, or has gone on by itself.
    """
    current = Current.of(source.gun, there)
    ours, theirs = source.current.root_body, current.root_body
    if set(_spki(ours, TARGETS)) != set(_spki(theirs, TARGETS)):
        raise ConflictError(
            "another tree stands there already, with other keys for targets",
            remedy="look at it: seawall trust show REPO",
        )
    found: dict[Role, bytes] = {}
    for role, content in brought.files.items():
        if role == ROOT or there.targets.get(role) == content:
            continue
        before = current.files.get(role)
        if before is not None and before.version >= source.current.files[role].version:
            raise ConflictError(
                f"{role} has gone on by itself there: it is version {before.version} already",
                remedy="sign what is missing there: seawall sign IMAGE",
            )
        found[role] = content
    return found


_REMEDIES: Final = {
    1: "give the fingerprint of its root with --root, or spell --unsafe-first-use",
    2: "compare the fingerprint with what its owner gives you; the server may be another one",
    10: "its owner must sign targets again at the old server before it can be brought over",
}


def _names(current: Current) -> list[str]:
    listed = {
        name
        for role in (RELEASES, TARGETS)
        if (said := current.body(role)) is not None
        for name in said.targets
    }
    if len(listed) > MAX_TAGS:
        raise LimitError(f"a tree of {len(listed)} tags, more than {MAX_TAGS}")
    return sorted(listed)


def _first_root(
    source: Source,
    target: Gun,
    signers: Sequence[Signer],
    server: ServerRoleKeys,
    now: dt.datetime,
) -> File:
    threshold = source.root_threshold
    made = [build.root_signer(one, build.root_certificate(one, target, now)) for one in signers]
    if len({one.key.canonical_id for one in made}) < threshold:
        raise InvalidInputError(
            f"the root of {source.gun} wants {threshold} keys, {len(made)} were given",
            remedy="give that many with --key; which ones is yours to say under a new name",
        )
    entry = RoleKeys(key_ids=tuple(one.key.key_id for one in made), threshold=threshold)
    body = _root_body(source, entry, {one.key.key_id: one.key for one in made}, server, now)
    return build.signed_file(ROOT, replace(body, version=1), made)


def _next_root(
    source: Source, signers: Sequence[Signer], server: ServerRoleKeys, now: dt.datetime
) -> File:
    old = source.current.root_body
    entry = old.roles[ROOT]
    held = list(_held(old, entry, signers))
    if len({one.key.canonical_id for one in held}) < entry.threshold:
        named = ", ".join(sorted(one[:12] for one in source.root_key_ids))
        raise InvalidInputError(
            f"{len(held)} of the {entry.threshold} root keys of {source.gun} were given ({named})",
            remedy="give them with --key, such as a file of ~/.docker/trust/private; without them"
            " a tree under another name is the way: --to",
        )
    body = _root_body(source, entry, {one: old.keys[one] for one in entry.key_ids}, server, now)
    return build.signed_file(ROOT, body, held)


def _held(old: Root, entry: RoleKeys, signers: Sequence[Signer]) -> Iterator[TufSigner]:
    by_id = {tuf_keys.of_public(one.public).key_id: one for one in signers}
    for key_id in entry.key_ids:
        key = old.keys[key_id]
        signer = by_id.get(key.canonical_id)
        if signer is not None and key.certificates:
            yield build.root_signer(signer, build.certificate_der(key))


def _root_body(
    source: Source,
    entry: RoleKeys,
    root_keys: Mapping[str, TufKey],
    server: ServerRoleKeys,
    now: dt.datetime,
) -> Root:
    old = source.current.root_body
    owner = old.roles[TARGETS]
    known = {
        **root_keys,
        **{key_id: old.keys[key_id] for key_id in owner.key_ids},
        server.snapshot.key_id: server.snapshot,
        server.timestamp.key_id: server.timestamp,
    }
    return Root(
        version=old.version + 1,
        expires=now + drafts.ROOT_LIFETIME,
        keys=known,
        roles={
            ROOT: entry,
            TARGETS: owner,
            SNAPSHOT: RoleKeys(key_ids=(server.snapshot.key_id,)),
            TIMESTAMP: RoleKeys(key_ids=(server.timestamp.key_id,)),
        },
    )


def _targets(
    current: Current, now: dt.datetime
) -> tuple[dict[Role, File], tuple[tuple[Role, str], ...]]:
    """Return what holds, parents first, and what does not with the reason."""
    kept: dict[Role, File] = {TARGETS: current.files[TARGETS]}
    left_out = []
    for role in sorted(current.files, key=lambda one: (one.depth, one)):
        if role == TARGETS:
            continue
        reason = _reason(current, role, kept, now)
        if reason:
            left_out.append((role, reason))
        else:
            kept[role] = current.files[role]
    return kept, tuple(left_out)


def _reason(current: Current, role: Role, kept: Mapping[Role, File], now: dt.datetime) -> str:
    file, parent = current.files[role], role.parent
    said = kept[parent].said(Targets) if parent is not None and parent in kept else None
    found = said.delegation(role) if said is not None else None
    if said is None or found is None:
        return "nothing that holds delegates to it"
    if file.body.expires <= now:
        return f"it expired on {file.body.expires:%Y-%m-%d}"
    if not thresholds.has_threshold(file, found.keys, said.keys):
        return "it lacks signatures"
    return ""


def _spki(root: Root, role: Role) -> Iterator[bytes]:
    for key_id in root.roles[role].key_ids:
        yield root.keys[key_id].spki

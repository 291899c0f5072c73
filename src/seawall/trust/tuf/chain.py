"""The proof that a tag stands for a digest *now*, from a pinned root down. Pure: bytes and a time
in, steps out.

Fetching and remembering stand around this module. The first step that fails ends the proof:

  1. pin          a root or its keys were pinned; first use is trusted only where that is spelled
  2. first root   the tree has a root that is the pinned one, or that all pinned keys have signed
  3. root chain   each next root: version +1, signed by enough of the old keys and of its own, which
                  come in certificates for this very repository
  4. root         the newest one is not older than remembered, and not expired
  5. timestamp    signed by enough of the keys that the root names
  6. freshness    not expired, not valid for longer than servers make it, not older than asked
  7. remembered   its version is not below the one seen before
  8. snapshot     the file that the timestamp names; signed, not expired, not below the version seen
  9. consistency  it names this very root
 10. targets      the file that the snapshot names; signed, not expired, not below the version seen
 11. delegations  the same for each; `targets/releases` must hold, others count only when they do
 12. tag          named by `targets/releases`, else by `targets`: where stock docker looks
 13. digest       it is the wanted one
 14. signers      where the repository has signers, one of them, or `targets`, names the same

Decisions.

*Age.* Metadata does not say when it was made, only when it expires. The age of a timestamp is
therefore `timestamp_lifetime - (expires - now)`, where the lifetime is what the server is known to
give. A server that gives less looks older than it is, which refuses; one that gives more is refused
by step 6 as future-dated, so a wrong setting shows at the first look. The same bound keeps a thief
of the timestamp key from freezing a repository for years with one file.

*Fast-forward.* Who stole a server's key could publish the highest version there is. When the root
names other keys for timestamp or snapshot than the pinned root did, the versions seen of these two
are forgotten, as TUF has it (5.3.11): new keys need the root's signature.

*A removed signer.* Who signs `targets/releases` signs the whole file, also what somebody else put
there. A tag that only a removed key vouched for would thus live on. Step 14 wants a present signer
(any `targets/NAME` outside of releases, or the owner's `targets`) to name the same digest. It
passes where no such signer exists: then the keys of the releases role are the signers.

*A withheld role.* A delegation that is still declared and was seen before must be in the snapshot:
otherwise a server could hide `targets/releases`, and an older `targets` would answer.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from seawall.core.errors import DeniedError, IntegrityError, NotFoundError
from seawall.oci.digest import Digest
from seawall.oci.names import Tag
from seawall.trust.keys import KeyId
from seawall.trust.trail import Step, StepFailedError, Trail
from seawall.trust.tuf import roots
from seawall.trust.tuf.model import File, Root, Target
from seawall.trust.tuf.names import RELEASES, ROOT, TARGETS, Gun, Role
from seawall.trust.tuf.walk import Walk

STOCK_TIMESTAMP_LIFETIME: Final = dt.timedelta(days=14)
"""For how long stock notary-server makes timestamps valid."""
MAX_CLOCK_SKEW: Final = dt.timedelta(minutes=5)

STEPS: Final = {
    1: "pin",
    2: "first root",
    3: "root chain",
    4: "root",
    5: "timestamp",
    6: "freshness",
    7: "remembered",
    8: "snapshot",
    9: "consistency",
    10: "targets",
    11: "delegations",
    12: "tag",
    13: "digest",
    14: "signers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The files of one repository, as fetched. Nothing of it is verified."""

    roots: tuple[bytes, ...]
    """Ascending versions, one by one; the last is the current one."""
    timestamp: bytes
    snapshot: bytes
    targets: Mapping[Role, bytes]
    """`targets` and the delegations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What a verifier remembers of one repository."""

    root_key_ids: frozenset[str]
    """Canonical ids. With no `root`, all of them must have signed the first root."""
    root: bytes | None = None
    """The newest root that was proven."""
    seen: Mapping[Role, int] = field(default_factory=dict)
    """The highest version of each role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSigner:
    """A key whose signature on a role's file was checked."""

    role: Role
    key_id: KeyId
    canonical_id: str
    """How metadata names the same key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainProof:
    """The outcome."""

    is_valid: bool
    steps: tuple[Step, ...]
    remedy: str
    """What would make it valid; empty when it is."""
    tag: str | None = None
    target: Target | None = None
    found_in: Role | None = None
    vouchers: tuple[Role, ...] = ()
    """Roles of present signers that name the same digest for the tag."""
    signers: tuple[TreeSigner, ...] = ()
    """All whose signatures the proof rests on, role by role, one entry for each key."""
    expires: dt.datetime | None = None
    """When the first of the files that it rests on expires."""
    pin_after: Pin | None = None
    """What to remember: advanced once the whole tree holds, whatever became of the tag."""

    @property
    def failures(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if not step.is_passed)


def prove(
    tag: Tag | None,
    digest: Digest | None,
    *,
    gun: Gun,
    tree: Tree | None,
    pin: Pin | None,
    now: dt.datetime,
    max_age: dt.timedelta | None = None,
    timestamp_lifetime: dt.timedelta = STOCK_TIMESTAMP_LIFETIME,
    unsafe_first_use: bool = False,
) -> ChainProof:
    """Prove that `tag` of `gun` stands for `digest`.

    Without a digest the tag's target is looked up; without a tag any tag that stands for the digest
    will do; with neither the tree alone is proven. `tree` is None when the registry has none.
    Raises ValueError for a `now` without time zone; what is wrong with a file is a step, no error.
    """
    if now.tzinfo is None:
        raise ValueError("a proof needs a time with its zone")
    asked = _Asked(gun=gun, pin=pin, now=now, max_age=max_age, lifetime=timestamp_lifetime)
    trail, found, pin_after = Trail(STEPS), _Found(), pin
    with contextlib.suppress(StepFailedError):
        walk = _root(trail, asked, tree, unsafe_first_use)
        _metadata(trail, walk, asked)
        pin_after = _remember(walk)
        found = _tag(trail, walk, tag, digest)
    is_valid = trail.is_passed
    return ChainProof(
        is_valid=is_valid,
        steps=tuple(trail.steps),
        remedy="" if is_valid else trail.remedy or _REMEDY,
        tag=found.tag,
        target=found.target,
        found_in=found.role,
        vouchers=found.vouchers,
        signers=found.signers if is_valid else (),
        expires=found.expires,
        pin_after=pin_after,
    )


_REMEDY: Final = (
    "somebody between you and the signer shows other metadata than was signed, or the signer must"
    " renew it: seawall trust status REPO"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    gun: Gun
    pin: Pin | None
    now: dt.datetime
    max_age: dt.timedelta | None
    lifetime: dt.timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    tag: str | None = None
    target: Target | None = None
    role: Role | None = None
    vouchers: tuple[Role, ...] = ()
    signers: tuple[TreeSigner, ...] = ()
    expires: dt.datetime | None = None


def _root(trail: Trail, asked: _Asked, tree: Tree | None, unsafe_first_use: bool) -> Walk:
    gun, pin, now = asked.gun, asked.pin, asked.now
    with trail.step(1) as detail:
        detail.append(_describe_pin(pin, gun, unsafe_first_use))
    with trail.step(2) as detail:
        if tree is None:
            raise NotFoundError(f"the registry has no trust data for {gun}", remedy=_NO_TREE)
        files = roots.parse_all(tree.roots)
        first = _first(files, pin, gun)
        detail.append(f"version {first.version}, {_short(roots.key_ids(first))}")
    with trail.step(3) as detail:
        root = roots.follow(first, files, gun, now)
        detail.append(f"{root.version - first.version} more up to version {root.version}")
    walk = Walk(tree=tree, gun=gun, root=root, seen=_seen(pin, first, root))
    with trail.step(4) as detail:
        walk.check_fresh(root, now)
        detail.append(f"version {root.version}, until {root.body.expires:%Y-%m-%d}")
    return walk


def _describe_pin(pin: Pin | None, gun: Gun, unsafe_first_use: bool) -> str:
    if pin is not None and (pin.root is not None or pin.root_key_ids):
        return _short(pin.root_key_ids)
    if pin is None and unsafe_first_use:
        return "none: the first root shown is believed (unsafe)"
    raise DeniedError(f"no root is pinned for {gun}", remedy=_NO_PIN)


def _first(files: list[File], pin: Pin | None, gun: Gun) -> File:
    if pin is not None:
        return roots.first_of(files, pin.root, pin.root_key_ids, gun)
    roots.check_own(files[0], gun, None)
    return files[0]


def _seen(pin: Pin | None, first: File, root: File) -> dict[Role, int]:
    if pin is None:
        return {}
    seen = {ROOT: first.version, **pin.seen}
    before, now = first.said(Root), root.said(Root)
    for role in _SERVER_ROLES:
        if _ids(before, role) != _ids(now, role):
            for forgotten in _SERVER_ROLES:
                seen.pop(forgotten, None)
    return seen


def _metadata(trail: Trail, walk: Walk, asked: _Asked) -> None:
    now = asked.now
    with trail.step(5) as detail:
        timestamp = walk.read_timestamp()
        detail.append(f"version {timestamp.version}")
    with trail.step(6) as detail:
        walk.check_expiry(timestamp, now)
        detail.append(_check_age(timestamp, asked))
    with trail.step(7) as detail:
        walk.check_seen(timestamp)
        detail.append(f"version {timestamp.version}")
    with trail.step(8) as detail:
        snapshot = walk.read_snapshot(now)
        detail.append(f"version {snapshot.version}")
    with trail.step(9):
        walk.check_root_in_snapshot()
    with trail.step(10) as detail:
        targets = walk.read_targets(now)
        detail.append(f"version {targets.version}")
    with trail.step(11) as detail:
        detail.extend(walk.read_delegations(now) or ["none"])


def _check_age(timestamp: File, asked: _Asked) -> str:
    expires = timestamp.body.expires
    age = asked.lifetime - (expires - asked.now)
    if age < -MAX_CLOCK_SKEW:
        raise IntegrityError(
            f"the timestamp is valid until {expires:%FT%TZ}, longer than servers make it",
            remedy="name the server's own lifetime of timestamps if it is a longer one",
        )
    if asked.max_age is not None and age > asked.max_age:
        raise IntegrityError(
            f"the timestamp is {_hours(age)} old, older than the {_hours(asked.max_age)} asked",
            remedy="the server must show a newer one; somebody may be holding it back",
        )
    return f"until {expires:%FT%TZ}"


def _remember(walk: Walk) -> Pin:
    return Pin(
        root_key_ids=roots.key_ids(walk.root), root=walk.root.content, seen=walk.seen_after()
    )


def _tag(trail: Trail, walk: Walk, tag: Tag | None, digest: Digest | None) -> _Found:
    if tag is None and digest is None:
        for number in (12, 13, 14):
            with trail.step(number) as detail:
                detail.append("not asked")
        return _Found(signers=_signers(walk, ()), expires=walk.expires(()))
    with trail.step(12) as detail:
        name, role, target = _find(walk, tag, digest)
        detail.append(f"{name} in {role}")
    with trail.step(13) as detail:
        if digest is not None and target.digest != digest:
            raise IntegrityError(
                f"{name} stands for {target.digest}, not for {digest}",
                remedy="the tag was moved in the registry, or is to be signed anew",
            )
        detail.append(target.digest)
    with trail.step(14) as detail:
        vouchers = tuple(_vouchers(walk, name, target))
        has_signers = any(_is_of_signer(one) for one in walk.declared)
        if role == RELEASES and has_signers and not vouchers:
            raise IntegrityError(
                f"no present signer vouches for {name}: only a removed one did",
                remedy="let a present signer sign it: seawall sign IMAGE",
            )
        relied = tuple(dict.fromkeys((role, *vouchers)))
        detail.append(", ".join(relied))
    return _Found(
        tag=name,
        target=target,
        role=role,
        vouchers=vouchers,
        signers=_signers(walk, relied),
        expires=walk.expires(relied),
    )


def _find(walk: Walk, tag: Tag | None, digest: Digest | None) -> tuple[str, Role, Target]:
    """Look the tag up as docker does; without one, find a tag that stands for the digest."""
    for name in [str(tag)] if tag is not None else walk.names():
        for role in (RELEASES, TARGETS):
            target = walk.target(role, name)
            if target is not None:
                if tag is not None or target.digest == digest:
                    return name, role, target
                break
    wanted = tag if tag is not None else digest
    raise NotFoundError(
        f"nothing in {walk.gun} is signed as {wanted}",
        remedy="let it be signed: seawall sign IMAGE",
    )


def _vouchers(walk: Walk, name: str, wanted: Target) -> Iterator[Role]:
    for role in walk.files:
        target = walk.target(role, name) if role == TARGETS or _is_of_signer(role) else None
        if target is not None and target.digest == wanted.digest:
            yield role


def _is_of_signer(role: Role) -> bool:
    """Not what releases delegates to: whoever could sign releases, a removed one too, added it."""
    return role.is_delegation and role != RELEASES and not role.startswith(f"{RELEASES}/")


def _signers(walk: Walk, relied: tuple[Role, ...]) -> tuple[TreeSigner, ...]:
    return tuple(
        TreeSigner(role=role, key_id=key_id, canonical_id=canonical_id)
        for role, canonical_id, key_id in walk.signers(relied)
    )


_SERVER_ROLES: Final = (Role("timestamp"), Role("snapshot"))
_NO_TREE: Final = "let its owner make it: seawall trust init REPO"
_NO_PIN: Final = (
    "pin the fingerprint that its owner gives you: seawall trust pin REPO --root FINGERPRINT"
)


def _ids(root: Root, role: Role) -> frozenset[str]:
    return frozenset(root.keys[one].canonical_id for one in root.roles[role].key_ids)


def _short(ids: frozenset[str]) -> str:
    return "root key " + ", ".join(sorted(one[:12] for one in ids))


def _hours(span: dt.timedelta) -> str:
    return f"{span.total_seconds() / 3600:.1f} h"

"""Changes to a repository's tree: each returns the files to publish, together. Pure.

What is published is proven before (`chain.prove`): an edit signs what it keeps. Who signs what is
as docker has it: where signers exist, a tag goes into every direct child of `targets` whose key is
at hand, `targets/releases` among them, and never into `targets` itself; else into `targets`.

Removing a signer takes away what the signer alone vouched for. Stock docker does not do that: a
later signature of somebody else over `targets/releases` would revive it. So `targets/releases` is
written anew without those tags, and without roles that the removed key may have declared there.

Refused: a threshold that the remaining keys cannot meet, a tag left standing where clients look it
up, a removed signer whose key is also the owner's.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from seawall.core.errors import ConflictError, DeniedError, InvalidInputError, NotFoundError
from seawall.oci.names import Tag
from seawall.trust.keys import PublicKey
from seawall.trust.tuf import approvals, drafts, keys
from seawall.trust.tuf.drafts import Current, Draft, Keyring, Upload
from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.model import Delegation, File, RoleKeys, Target, Targets
from seawall.trust.tuf.names import RELEASES, TARGETS, Role

_SIGNER: Final = re.compile(r"[-a-z0-9_]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """A tag that stops being vouched for."""

    tag: str
    target: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What removing a signer does. Show `affected` before you publish `upload`."""

    affected: tuple[Affected, ...]
    upload: Upload


def set_tag(
    current: Current,
    keyring: Keyring,
    tag: Tag,
    target: Target,
    now: dt.datetime,
    *,
    waiting: Mapping[Role, File] | None = None,
) -> Upload:
    """Vouch for `tag` in every role that the keys hold. Raises DeniedError when they hold none.

    `waiting` holds files that others began: one that changes nothing but this tag, to this target,
    gets our signature instead of being written anew, and the others go along.
    """
    children = [one.role for one in current.targets.delegations]
    held = [role for role in children or [TARGETS] if keyring.holds(current.keys_of(role))]
    if not held:
        raise DeniedError(
            f"the key may not sign for {current.gun}",
            remedy="let its owner add it: seawall trust signer add NAME KEY.pub REPO",
        )
    if RELEASES in children and RELEASES not in held:
        raise DeniedError(f"the key may not sign {RELEASES}, where clients look for tags")
    begun = approvals.relevant(current, waiting or {})
    made, is_joined = [], False
    for role in held:
        before = current.body(role)
        changed = {**(before.targets if before else {}), str(tag): target}
        if role in begun and continues(begun[role], before, str(tag), target):
            made.append(drafts.sign_more(begun[role], keyring, current.keys_of(role)))
            is_joined = True
        else:
            made.append(_with_tags(current, keyring, role, changed, now))
    if is_joined:  # what the others signed beside it goes along
        made += [one for one in approvals.judge(current, begun) if one.file.role not in held]
    return Upload(drafts=tuple(made))


def revoke(current: Current, keyring: Keyring, tag: Tag, now: dt.datetime) -> Upload:
    """Take `tag` out of every role. Raises NotFoundError when none names it.

    Roles whose keys are not at hand are named in `unsigned`; DeniedError when clients would still
    find the tag.
    """
    listing = [role for role, file in current.files.items() if tag in file.said(Targets).targets]
    if not listing:
        raise NotFoundError(f"nothing in {current.gun} is signed as {tag}")
    held = [role for role in listing if keyring.holds(current.keys_of(role))]
    standing = [role for role in listing if role not in held]
    for role in standing:
        if role in (RELEASES, TARGETS):
            raise DeniedError(
                f"{tag} would still stand in {role}, whose key was not given",
                remedy="give that key too, with another --key",
            )
    made = tuple(
        _with_tags(current, keyring, role, _without(current.files[role].said(Targets), {tag}), now)
        for role in held
    )
    return Upload(drafts=made, unsigned=tuple(standing))


def add_signer(
    current: Current, keyring: Keyring, name: str, public: PublicKey, now: dt.datetime
) -> Upload:
    """Let a key sign as `name`: in `targets/NAME` and in `targets/releases`."""
    role = signer_role(name)
    key = keys.of_public(public)
    said = current.targets
    changed = dict.fromkeys((role, RELEASES))
    delegations = [
        _with_key(one, key, said.keys) if one.role in changed else one for one in said.delegations
    ]
    for new in changed:
        if said.delegation(new) is None:
            entry = RoleKeys(key_ids=(key.key_id,))
            delegations.append(Delegation(role=new, keys=entry, paths=("",)))
    body = drafts.reissued(said, now, keys={**said.keys, key.key_id: key}, delegations=delegations)
    return drafts.sign_targets(current, keyring, body)


def remove_signer(current: Current, keyring: Keyring, name: str, now: dt.datetime) -> Removal:
    """Take a signer away, with all that nobody else vouches for.

    Raises NotFoundError for an unknown signer, ConflictError when the remaining keys cannot meet
    the threshold of releases or the key is the owner's as well.
    """
    role = signer_role(name)
    said = current.targets
    if said.delegation(role) is None:
        raise NotFoundError(
            f"{current.gun} has no signer {name}", remedy="see: seawall trust show REPO"
        )
    gone = _gone_keys(current, role)
    body = _without_signer(said, role, gone, now)
    releases = current.body(RELEASES) or Targets(version=0, expires=now)
    affected = _vouched_for_by_none(current, body, releases)
    lost = {one.tag for one in affected}
    # An older digest in `targets` must not come back in place of what is taken away.
    body = replace(body, targets=_without(body, lost))
    upload = drafts.sign_targets(current, keyring, body)
    left = body.delegation(RELEASES)
    if left is None or not releases.version:
        return Removal(affected=affected, upload=upload)
    kept = _without(releases, lost)
    clean = drafts.reissued(releases, now, targets=kept, keys={}, delegations=())
    wanted = left.keys, body.keys
    if not keyring.holds(wanted):
        return Removal(affected=affected, upload=replace(upload, unsigned=(RELEASES,)))
    again = drafts.sign(RELEASES, clean, keyring, wanted)
    return Removal(affected=affected, upload=upload.with_drafts(again))


def signer_role(name: str) -> Role:
    """Return the role of a person. Raises InvalidInputError."""
    if _SIGNER.fullmatch(name) is None or f"targets/{name}" == RELEASES:
        raise InvalidInputError(
            f"{name[:100]!r} is not a name for a signer",
            remedy="use lower-case letters, digits, - and _; not 'releases'",
        )
    return Role(f"targets/{name}")


def continues(file: File, before: Targets | None, tag: str, target: Target) -> bool:
    """Tell whether `file` is the next version of `before` and changes this tag alone."""
    said = file.said(Targets)
    known = before or Targets(version=0, expires=said.expires)
    tags = {**known.targets, tag: target}
    return said == replace(known, version=known.version + 1, expires=said.expires, targets=tags)


def _with_tags(
    current: Current,
    keyring: Keyring,
    role: Role,
    tags: Mapping[str, Target],
    now: dt.datetime,
) -> Draft:
    body = drafts.reissued(current.body(role), now, targets=tags)
    return drafts.sign(role, body, keyring, current.keys_of(role))


def _with_key(one: Delegation, key: TufKey, known: Mapping[str, TufKey]) -> Delegation:
    if any(known[key_id].canonical_id == key.canonical_id for key_id in one.keys.key_ids):
        return one
    entry = replace(one.keys, key_ids=(*one.keys.key_ids, key.key_id))
    return replace(one, keys=entry)


def _gone_keys(current: Current, role: Role) -> frozenset[str]:
    """Return the canonical ids that only this signer has."""
    signers = current.signers()
    others = frozenset[str]().union(*(ids for one, ids in signers.items() if one != role))
    gone = signers[role] - others
    root, known = current.root_body, current.root_body.keys
    owners = {known[one].canonical_id for one in root.roles[TARGETS].key_ids}
    if signers[role] & owners:
        raise ConflictError(
            f"the key of {role} is the owner's key of {TARGETS} too",
            remedy="hand that over first: seawall trust rotate targets REPO",
        )
    return gone


def _without_signer(said: Targets, role: Role, gone: frozenset[str], now: dt.datetime) -> Targets:
    left = []
    for one in said.delegations:
        if one.role == role:
            continue
        ids = tuple(k for k in one.keys.key_ids if said.keys[k].canonical_id not in gone)
        if not ids and one.role == RELEASES:
            continue  # its last signer is gone, and so is it
        drafts.check_threshold(
            one.role,
            one.keys.threshold,
            drafts.count_keys(replace(one.keys, key_ids=ids), said.keys),
        )
        left.append(replace(one, keys=replace(one.keys, key_ids=ids)))
    used = {key_id for one in left for key_id in one.keys.key_ids}
    known = {key_id: key for key_id, key in said.keys.items() if key_id in used}
    return drafts.reissued(said, now, keys=known, delegations=left)


def _vouched_for_by_none(
    current: Current, body: Targets, releases: Targets
) -> tuple[Affected, ...]:
    """Return what is in releases and neither in `targets` nor in a remaining signer's role."""
    roles = [one.role for one in body.delegations if one.role != RELEASES]
    remaining = [body, *(found for role in roles if (found := current.body(role)))]
    return tuple(
        Affected(tag=tag, target=target)
        for tag, target in sorted(releases.targets.items())
        if not any(_says(one, tag, target) for one in remaining)
    )


def _without(body: Targets, tags: Collection[str]) -> dict[str, Target]:
    return {tag: one for tag, one in body.targets.items() if tag not in tags}


def _says(body: Targets, tag: str, target: Target) -> bool:
    found = body.targets.get(tag)
    return found is not None and found.digest == target.digest

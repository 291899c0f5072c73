"""Changes of a tree's keys, thresholds and times: each returns the files to publish. Pure.

A new root is signed by enough of the old keys and of its own, so that clients that know any former
one can walk to it. Refused: a threshold that the keys cannot meet.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from seawall.core.errors import InvalidInputError
from seawall.trust.signing import Signer
from seawall.trust.tuf import build, drafts, keys
from seawall.trust.tuf.build import TufSigner
from seawall.trust.tuf.drafts import Current, Keyring, Keys, Upload
from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.model import RoleKeys, Root
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Gun, Role


def init(
    gun: Gun,
    *,
    root: Sequence[Signer],
    targets: Signer,
    snapshot: TufKey,
    timestamp: TufKey,
    now: dt.datetime,
    threshold: int = 1,
) -> Upload:
    """Make a new tree: root and an empty targets file. The server makes the other two.

    Raises InvalidInputError for a threshold that the root keys cannot meet.
    """
    signers = _certified(root, gun, now)
    drafts.check_threshold(ROOT, threshold, len(signers))
    owner = build.ecdsa_signer(targets)
    known = [*(one.key for one in signers), owner.key, snapshot, timestamp]
    body = Root(
        version=1,
        expires=now + drafts.ROOT_LIFETIME,
        keys={key.key_id: key for key in known},
        roles={
            ROOT: RoleKeys(key_ids=tuple(one.key.key_id for one in signers), threshold=threshold),
            TARGETS: RoleKeys(key_ids=(owner.key.key_id,)),
            SNAPSHOT: RoleKeys(key_ids=(snapshot.key_id,)),
            TIMESTAMP: RoleKeys(key_ids=(timestamp.key_id,)),
        },
    )
    empty = drafts.reissued(None, now)
    return Upload(
        drafts=(
            drafts.judge(build.signed_file(ROOT, body, signers), (body.roles[ROOT], body.keys)),
            drafts.judge(
                build.signed_file(TARGETS, empty, [owner]), (body.roles[TARGETS], body.keys)
            ),
        )
    )


def rotate_root(
    current: Current, keyring: Keyring, new: Sequence[Signer], now: dt.datetime, *, threshold: int
) -> Upload:
    """Hand the root over to new keys (or the same in new certificates), signed by old and new."""
    signers = _certified(new, current.gun, now)
    drafts.check_threshold(ROOT, threshold, len(signers))
    entry = RoleKeys(key_ids=tuple(one.key.key_id for one in signers), threshold=threshold)
    whole = Keyring.of([*keyring.signers.values(), *new])
    return _root(current, whole, _Change(ROOT, entry, [one.key for one in signers]), now)


def rotate_targets(current: Current, keyring: Keyring, new: Signer, now: dt.datetime) -> Upload:
    """Hand `targets` over to another key; what it says is signed anew by that one."""
    key = keys.of_public(new.public)
    entry = RoleKeys(key_ids=(key.key_id,))
    root = _root(current, keyring, _Change(TARGETS, entry, [key]), now)
    whole = Keyring.of([*keyring.signers.values(), new])
    body = drafts.reissued(current.targets, now)
    again = drafts.sign(TARGETS, body, whole, (entry, {key.key_id: key}))
    return root.with_drafts(again)


def rotate_server_key(
    current: Current, keyring: Keyring, role: Role, new: TufKey, now: dt.datetime
) -> Upload:
    """Name the new key that the server made for `snapshot` or `timestamp`."""
    if role not in (SNAPSHOT, TIMESTAMP):
        raise InvalidInputError(f"the server does not sign {role}")
    return _root(current, keyring, _Change(role, RoleKeys(key_ids=(new.key_id,)), [new]), now)


def set_threshold(
    current: Current, keyring: Keyring, role: Role, threshold: int, now: dt.datetime
) -> Upload:
    """Want so many signatures on `root` or `targets/releases`.

    What `targets/releases` says now is signed anew, since it may have fewer.
    """
    if role == ROOT:
        entry, known = drafts.own_keys(current.root)
        drafts.check_threshold(ROOT, threshold, drafts.count_keys(entry, known))
        return _root(current, keyring, _Change(ROOT, replace(entry, threshold=threshold)), now)
    if role != RELEASES:
        raise InvalidInputError(f"the threshold of {role} cannot be set", remedy="root or releases")
    entry, known = current.keys_of(RELEASES)
    drafts.check_threshold(RELEASES, threshold, drafts.count_keys(entry, known))
    entry = replace(entry, threshold=threshold)
    said = current.targets
    delegations = [
        replace(one, keys=entry) if one.role == RELEASES else one for one in said.delegations
    ]
    upload = drafts.sign_targets(
        current, keyring, drafts.reissued(said, now, delegations=delegations)
    )
    releases = current.body(RELEASES)
    if releases is None or not keyring.holds((entry, known)):
        return upload
    again = drafts.sign(RELEASES, drafts.reissued(releases, now), keyring, (entry, known))
    return upload.with_drafts(again)


def renew(current: Current, keyring: Keyring, now: dt.datetime, *, within: dt.timedelta) -> Upload:
    """Sign anew what expires `within` that time, where the keys are at hand."""
    due = [role for role, file in current.files.items() if file.body.expires < now + within]
    held = [role for role in due if keyring.holds(current.keys_of(role))]
    upload = Upload(
        drafts=tuple(
            drafts.sign(
                role,
                drafts.reissued(current.body(role), now),
                keyring,
                current.keys_of(role),
            )
            for role in held
        ),
        unsigned=tuple(role for role in due if role not in held),
        is_together=False,
    )
    if _root_ends(current) >= now + within:
        return upload
    if not keyring.holds(drafts.own_keys(current.root)):
        return replace(upload, unsigned=(ROOT, *upload.unsigned))
    root = _root(current, keyring, _recertified(current, keyring, now), now)
    return upload.with_drafts(*root.drafts)


@dataclass(frozen=True, slots=True)
class _Change:
    role: Role
    entry: RoleKeys
    new: Sequence[TufKey] = ()


def _certified(signers: Sequence[Signer], gun: Gun, now: dt.datetime) -> list[TufSigner]:
    different = {one.public.key_id: one for one in signers}
    return [
        build.root_signer(one, build.root_certificate(one, gun, now)) for one in different.values()
    ]


def _root_ends(current: Current) -> dt.datetime:
    """Return when the root or the first certificate of its keys is over."""
    entry, known = drafts.own_keys(current.root)
    leaves = [one for key_id in entry.key_ids for one in known[key_id].certificates[:1]]
    return min(current.root.body.expires, *(one.not_valid_after_utc for one in leaves))


def _recertified(current: Current, keyring: Keyring, now: dt.datetime) -> _Change:
    """Give the root keys at hand new certificates: a root lasts no longer than they do."""
    entry, known = drafts.own_keys(current.root)
    held = {
        key_id: _certified([keyring.signers[known[key_id].canonical_id]], current.gun, now)[0].key
        for key_id in entry.key_ids
        if known[key_id].canonical_id in keyring.signers
    }
    ids = tuple(held[one].key_id if one in held else one for one in entry.key_ids)
    return _Change(ROOT, replace(entry, key_ids=ids), tuple(held.values()))


def _root(current: Current, keyring: Keyring, changed: _Change, now: dt.datetime) -> Upload:
    """Write the next root; keys that no role names any more are left out."""
    before = current.root_body
    roles = {**before.roles, changed.role: changed.entry}
    used = {key_id for one in roles.values() for key_id in one.key_ids}
    known = {**before.keys, **{key.key_id: key for key in changed.new}}
    body = Root(
        version=before.version + 1,
        expires=now + drafts.ROOT_LIFETIME,
        keys={key_id: key for key_id, key in known.items() if key_id in used},
        roles=roles,
    )
    wanted: list[Keys] = [drafts.own_keys(current.root), (body.roles[ROOT], body.keys)]
    return Upload(drafts=(drafts.sign(ROOT, body, keyring, *wanted),))

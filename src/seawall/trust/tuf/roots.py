"""Follows a chain of root files from what was pinned to the newest one. Pure.

A root must be signed by its own threshold and by that of the root before it, each counted over keys
that those roots name; its version is the next one. Its keys count only in certificates that are for
this name: a root copied from another repository, signed by the very same key, is not this one's.

Refused besides: a chain that does not begin with what was pinned, another root under the version of
the pinned one, SHA-1, bare keys, wild cards that do not reach past the host.
"""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from seawall.core.errors import IntegrityError, InvalidInputError, LimitError
from seawall.trust.tuf import thresholds
from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.metadata import parse
from seawall.trust.tuf.model import File, RoleKeys, Root
from seawall.trust.tuf.names import ROOT, Gun

MAX_ROOTS: Final = 1024
CERTIFICATE_LEEWAY: Final = dt.timedelta(days=1)
"""How far in the future a certificate may begin: as stock clients allow."""


def key_ids(root: File) -> frozenset[str]:
    """Return the canonical ids of the root role's keys: the fingerprints that people compare."""
    body = root.said(Root)
    return frozenset(body.keys[key_id].canonical_id for key_id in body.roles[ROOT].key_ids)


def check_own(root: File, gun: Gun, now: dt.datetime | None) -> frozenset[str]:
    """Return who signed `root`, of the keys that it names itself and whose certificates fit.

    `now` is None for a root that has been followed by another: its certificates may be over.
    Raises IntegrityError below its threshold.
    """
    body = root.said(Root)
    entry = body.roles[ROOT]
    fitting = tuple(one for one in entry.key_ids if is_for(body.keys[one], gun, now))
    if not fitting:
        raise IntegrityError(
            f"root version {body.version} holds no certificate that is for {gun} now",
            remedy="a certificate's common name must be the repository's, and its time not over",
        )
    allowed = RoleKeys(key_ids=fitting, threshold=entry.threshold)
    signers = thresholds.signers_of(root, allowed, body.keys)
    if len(signers) < entry.threshold:
        raise IntegrityError(
            f"root version {body.version} has {len(signers)} of {entry.threshold} signatures"
            " by keys of its own"
        )
    return signers


def check_next(old: File, new: File) -> None:
    """Check that `new` may follow `old`. Raises IntegrityError."""
    before = old.said(Root)
    if new.version != before.version + 1:
        raise IntegrityError(
            f"root version {new.version} follows version {before.version}: one was left out"
        )
    if not thresholds.has_threshold(new, before.roles[ROOT], before.keys):
        raise IntegrityError(
            f"root version {new.version} is not signed by enough keys of version {before.version}"
        )


def parse_all(contents: Sequence[bytes]) -> list[File]:
    """Parse the files of a chain. Raises InvalidInputError, LimitError, or IntegrityError when
    there is none or they do not ascend one by one."""
    if len(contents) > MAX_ROOTS:
        raise LimitError(f"a chain of {len(contents)} roots, more than {MAX_ROOTS}")
    files = [parse(ROOT, content) for content in contents]
    if not files:
        raise IntegrityError("there is no root")
    return files


def first_of(files: Sequence[File], pinned: bytes | None, ids: frozenset[str], gun: Gun) -> File:
    """Return the root with which the chain begins: the pinned one, or one that *all* pinned keys
    have signed (ids alone do not say how many of them are enough).

    Raises IntegrityError when there is none.
    """
    if pinned is not None:
        return _pinned(files, pinned, ids)
    for file in files:
        try:
            if ids and ids <= check_own(file, gun, None):
                return file
        except IntegrityError:
            continue
    named = ", ".join(sorted(one[:12] for one in ids)) or "none"
    raise IntegrityError(
        f"no root is signed by what was pinned ({named})",
        remedy="compare the fingerprint with the one that the repository's owner gives you",
    )


def follow(first: File, files: Sequence[File], gun: Gun, now: dt.datetime) -> File:
    """Walk from `first` to the newest of `files`. Raises IntegrityError at a broken link."""
    newest = first
    for file in files:
        if file.version <= first.version:
            continue
        check_own(newest, gun, None)
        check_next(newest, file)
        newest = file
    check_own(newest, gun, now)
    return newest


def is_for(key: TufKey, gun: Gun, now: dt.datetime | None) -> bool:
    """Tell whether a root key comes in a certificate for `gun`, valid at `now` if that is given."""
    if not key.certificates:
        return False
    leaf = key.certificates[0]
    try:
        is_weak = isinstance(leaf.signature_hash_algorithm, hashes.SHA1 | hashes.MD5)
        names = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except (ValueError, UnsupportedAlgorithm):
        return False
    if is_weak or not any(_is_name_of(str(name.value), gun) for name in names):
        return False
    if now is None:
        return True
    return leaf.not_valid_before_utc - CERTIFICATE_LEEWAY <= now <= leaf.not_valid_after_utc


def _pinned(files: Sequence[File], pinned: bytes, ids: frozenset[str]) -> File:
    first = parse(ROOT, pinned)
    if not ids <= key_ids(first):
        raise InvalidInputError("the pinned root does not hold the pinned keys: the pin is broken")
    for file in files:
        if file.version == first.version and not hmac.compare_digest(file.content, pinned):
            raise IntegrityError(
                f"another root than the pinned one is shown as version {first.version}",
                remedy="do not trust this server before its owner has explained it",
            )
    return first


def _is_name_of(common_name: str, gun: Gun) -> bool:
    if not common_name.endswith("*"):
        return common_name == gun
    prefix = common_name[:-1]
    return "/" in prefix and gun.startswith(prefix)

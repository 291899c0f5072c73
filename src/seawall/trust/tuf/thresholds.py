"""Counts who has signed a file: different keys, never signatures."""

from __future__ import annotations

from collections.abc import Mapping

from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.model import File, RoleKeys


def signers_of(file: File, allowed: RoleKeys, known: Mapping[str, TufKey]) -> frozenset[str]:
    """Return the canonical ids of the allowed keys whose signature on `file` holds."""
    found = set()
    for signature in file.signatures:
        key = known.get(signature.key_id) if signature.key_id in allowed.key_ids else None
        if key is None or key.canonical_id in found:
            continue
        if key.has_signed(signature.method, signature.value, file.signed_bytes):
            found.add(key.canonical_id)
    return frozenset(found)


def has_threshold(file: File, allowed: RoleKeys, known: Mapping[str, TufKey]) -> bool:
    """Tell whether enough *different* keys have signed `file`."""
    return len(signers_of(file, allowed, known)) >= max(1, allowed.threshold)

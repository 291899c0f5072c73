"""Counts who has signed a file: different keys, never signatures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from seawall.trust.memory import SIGNATURES_MAX, Memory
from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.model import File, RoleKeys, Signature


def signers_of(file: File, allowed: RoleKeys, known: Mapping[str, TufKey]) -> frozenset[str]:
    """Return the canonical ids of the allowed keys whose signature on `file` holds."""
    found = set()
    for signature in file.signatures:
        key = known.get(signature.key_id) if signature.key_id in allowed.key_ids else None
        if key is None or key.canonical_id in found:
            continue
        if _has_signed(key, signature, file.signed_bytes):
            found.add(key.canonical_id)
    return frozenset(found)


def has_threshold(file: File, allowed: RoleKeys, known: Mapping[str, TufKey]) -> bool:
    """Tell whether enough *different* keys have signed `file`."""
    return len(signers_of(file, allowed, known)) >= max(1, allowed.threshold)


_known: Final[Memory[bool]] = Memory(SIGNATURES_MAX)


def _has_signed(key: TufKey, signature: Signature, message: bytes) -> bool:
    """Verify once: these very bytes, by this key, in this way, over this message."""
    parts = (key.key_id.encode(), signature.method.encode(), signature.value, message)
    place = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
    known = _known.get(place)
    if known is None:
        known = key.has_signed(signature.method, signature.value, message)
        _known.keep(place, known, 1)
    return known

"""Makes what a server signs by itself: snapshots and timestamps. Pure.

Whoever holds these keys can hide news or show an old tree again, for as long as nobody remembers
what was seen before; new targets cannot be made with them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Final

from seawall.trust.tuf import build, rules
from seawall.trust.tuf.build import TufSigner
from seawall.trust.tuf.model import File, FileMeta, Root, Snapshot, Timestamp
from seawall.trust.tuf.names import ROOT, SNAPSHOT, TIMESTAMP, Role

TIMESTAMP_LIFE: Final = dt.timedelta(hours=24)
TIMESTAMP_RENEWED_AFTER: Final = dt.timedelta(hours=6)
"""So a tree that is asked for is never shown with a statement older than this."""
SNAPSHOT_LIFE: Final = dt.timedelta(days=365)
SNAPSHOT_RENEWED_BEFORE: Final = dt.timedelta(days=30)


def make_snapshot(
    tree: Mapping[Role, File], version: int, signers: Iterable[TufSigner], now: dt.datetime
) -> File:
    """Return the snapshot of `tree`, signed by those of `signers` that its root names."""
    body = Snapshot(version=version, expires=now + SNAPSHOT_LIFE, meta=rules.meta_of(tree))
    return build.signed_file(SNAPSHOT, body, _named(tree, SNAPSHOT, signers))


def make_timestamp(
    tree: Mapping[Role, File], version: int, signers: Iterable[TufSigner], now: dt.datetime
) -> File:
    """Return the timestamp for the snapshot in `tree`, signed like it."""
    snapshot = FileMeta.of(tree[SNAPSHOT].content)
    body = Timestamp(version=version, expires=now + TIMESTAMP_LIFE, snapshot=snapshot)
    return build.signed_file(TIMESTAMP, body, _named(tree, TIMESTAMP, signers))


def renew_at(file: File) -> dt.datetime:
    """Return when a snapshot or timestamp of the server's should be made anew."""
    if file.role == TIMESTAMP:
        return file.body.expires - TIMESTAMP_LIFE + TIMESTAMP_RENEWED_AFTER
    return file.body.expires - SNAPSHOT_RENEWED_BEFORE


def _named(tree: Mapping[Role, File], role: Role, signers: Iterable[TufSigner]) -> list[TufSigner]:
    key_ids = tree[ROOT].said(Root).roles[role].key_ids
    return [signer for signer in signers if signer.key.key_id in key_ids]

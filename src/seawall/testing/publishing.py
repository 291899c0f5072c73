"""A repository's owner and signers in front of a real server of trees.

What they upload is made as stock clients make it; the server holds snapshot and timestamp unless
the owner keeps the snapshot's key.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seawall.core.clock import Clock
from seawall.oci.digest import Digest
from seawall.testing.signatures import new_key
from seawall.trust.keys import PrivateKey
from seawall.trust.tuf import build
from seawall.trust.tuf.build import TufSigner
from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.model import (
    Body,
    Delegation,
    File,
    FileMeta,
    RoleKeys,
    Root,
    Snapshot,
    Target,
    Targets,
)
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Gun, Role

YEAR = dt.timedelta(days=365)


def target(text: str) -> Target:
    """Return a target whose manifest is `text`."""
    return Target(digest=Digest.of(text.encode()), length=len(text))


@dataclass(slots=True, kw_only=True)
class Publisher:
    """Writes the files of one tree. `server` are the public keys that the server gave out."""

    gun: Gun
    clock: Clock
    server: Mapping[Role, TufKey]
    root_keys: list[PrivateKey] = field(default_factory=lambda: [new_key()])
    targets_key: PrivateKey = field(default_factory=new_key)
    snapshot_key: PrivateKey | None = None
    """Kept by the owner; None when the server holds the role."""
    versions: dict[Role, int] = field(default_factory=dict)
    former_root: list[TufSigner] = field(default_factory=list)

    def first(self, tags: Mapping[str, str]) -> dict[str, bytes]:
        """Return the first upload of a stock `docker push`: root and targets."""
        return as_upload(self.root(), self.targets(tags))

    def root(self, *, threshold: int = 1, expires: dt.datetime | None = None) -> File:
        """Write the next root with the present keys, signed by them and by those before."""
        signers = [self.root_signer(key) for key in self.root_keys]
        named = {
            TARGETS: build.ecdsa_signer(self.targets_key).key,
            TIMESTAMP: self.server[TIMESTAMP],
            SNAPSHOT: build.ecdsa_signer(self.snapshot_key).key
            if self.snapshot_key
            else self.server[SNAPSHOT],
        }
        ids = tuple(one.key.key_id for one in signers)
        body = Root(
            version=self.next_version(ROOT),
            expires=expires or self.clock.now() + 10 * YEAR,
            keys={key.key_id: key for key in (*(one.key for one in signers), *named.values())},
            roles={
                ROOT: RoleKeys(key_ids=ids, threshold=threshold),
                **{role: RoleKeys(key_ids=(key.key_id,)) for role, key in named.items()},
            },
        )
        file = build.signed_file(ROOT, body, [*signers, *self.former_root])
        self.former_root = signers
        return file

    def root_signer(self, key: PrivateKey) -> TufSigner:
        now = self.clock.now()
        return build.root_signer(key, build.root_certificate(key, self.gun, now))

    def targets(
        self,
        tags: Mapping[str, str],
        *,
        role: Role = TARGETS,
        by: Sequence[PrivateKey] | None = None,
        signers: Mapping[str, PrivateKey] | None = None,
        threshold: int = 1,
        expires: dt.datetime | None = None,
    ) -> File:
        """Write the next file of a targets role; `signers` get delegations like docker's.

        In `tags`, a manifest is any text.
        """
        people = {n: build.ecdsa_signer(key) for n, key in (signers or {}).items()}
        body = Targets(
            version=self.next_version(role),
            expires=expires or self.clock.now() + 3 * YEAR,
            targets={name: target(text) for name, text in tags.items()},
            keys={one.key.key_id: one.key for one in people.values()},
            delegations=tuple(_delegations(people, threshold)),
        )
        return self.signed(role, body, by if by is not None else [self.targets_key])

    def snapshot(self, *files: File) -> File:
        """Write the owner's own snapshot of these files."""
        assert self.snapshot_key is not None
        body = Snapshot(
            version=self.next_version(SNAPSHOT),
            expires=self.clock.now() + 3 * YEAR,
            meta={file.role: FileMeta.of(file.content) for file in files},
        )
        return self.signed(SNAPSHOT, body, [self.snapshot_key])

    def signed(self, role: Role, body: Body, by: Sequence[PrivateKey]) -> File:
        return build.signed_file(role, body, [build.ecdsa_signer(key) for key in by])

    def next_version(self, role: Role) -> int:
        self.versions[role] = self.versions.get(role, 0) + 1
        return self.versions[role]


def as_upload(*files: File) -> dict[str, bytes]:
    """Return files as `Trees.publish` takes them."""
    return {str(file.role): file.content for file in files}


def _delegations(people: Mapping[str, TufSigner], threshold: int) -> list[Delegation]:
    ids = {name: one.key.key_id for name, one in people.items()}
    found = [
        Delegation(role=Role(f"targets/{n}"), keys=RoleKeys(key_ids=(one,)), paths=("",))
        for n, one in ids.items()
    ]
    if ids:
        keys = RoleKeys(key_ids=tuple(ids.values()), threshold=threshold)
        found.append(Delegation(role=RELEASES, keys=keys, paths=("",)))
    return found

"""A tree of signed metadata with all its keys, and a server's part of it, for tests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ed25519

from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.testing.signatures import new_key
from seawall.trust.keys import PrivateKey
from seawall.trust.tuf import build, chain, metadata
from seawall.trust.tuf.build import TufSigner
from seawall.trust.tuf.drafts import Current
from seawall.trust.tuf.model import (
    Delegation,
    File,
    FileMeta,
    RoleKeys,
    Root,
    Snapshot,
    Target,
    Targets,
    Timestamp,
)
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Gun, Role

NOW: Final = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
YEAR: Final = dt.timedelta(days=365)
DAY: Final = dt.timedelta(days=1)
GUN: Final = Gun.of("registry.test", RepositoryName("team/app"))


def target(text: str) -> Target:
    """Return a target whose manifest is `text`."""
    return Target(digest=Digest.of(text.encode()), length=len(text))


@dataclass(slots=True, kw_only=True)
class TreeLab:
    """A repository's owner, signers and server in one. Every step may be done wrongly on purpose.

    `lab.root()`, `lab.publish(role, …)` write files; `lab.tree()` is what the server shows.
    """

    gun: Gun = GUN
    now: dt.datetime = NOW
    root_keys: list[PrivateKey] = field(default_factory=lambda: [new_key()])
    targets_key: PrivateKey = field(default_factory=new_key)
    people: dict[str, PrivateKey] = field(default_factory=dict)
    snapshot_key: ed25519.Ed25519PrivateKey = field(
        default_factory=ed25519.Ed25519PrivateKey.generate
    )
    timestamp_key: ed25519.Ed25519PrivateKey = field(
        default_factory=ed25519.Ed25519PrivateKey.generate
    )
    roots: list[File] = field(default_factory=list)
    files: dict[Role, File] = field(default_factory=dict)
    server_version: int = 0

    @property
    def pin(self) -> chain.Pin:
        """What its owner tells others to pin: the first root."""
        return chain.Pin(
            root_key_ids=frozenset(build.ecdsa_signer(one).key.key_id for one in self.root_keys),
            root=self.roots[0].content,
        )

    def root(
        self,
        *,
        threshold: int = 1,
        also_by: Sequence[TufSigner] = (),
        version: int | None = None,
        expires: dt.datetime | None = None,
        gun: Gun | None = None,
    ) -> File:
        """Write the next root with the present keys, signed by them and by `also_by`."""
        signers = [self.root_signer(one, gun) for one in self.root_keys]
        others = {
            TARGETS: build.ecdsa_signer(self.targets_key),
            SNAPSHOT: build.ed25519_signer(self.snapshot_key),
            TIMESTAMP: build.ed25519_signer(self.timestamp_key),
        }
        ids = tuple(one.key.key_id for one in signers)
        body = Root(
            version=version or len(self.roots) + 1,
            expires=expires or self.now + YEAR,
            keys={one.key.key_id: one.key for one in (*signers, *others.values())},
            roles={
                ROOT: RoleKeys(key_ids=ids, threshold=threshold),
                **{role: RoleKeys(key_ids=(one.key.key_id,)) for role, one in others.items()},
            },
        )
        self.roots.append(build.signed_file(ROOT, body, [*signers, *also_by]))
        return self.roots[-1]

    def root_signer(self, key: PrivateKey, gun: Gun | None = None) -> TufSigner:
        """Return the key in a new certificate for the repository, or for another."""
        return build.root_signer(key, build.root_certificate(key, gun or self.gun, self.now))

    def old_root_signers(self) -> list[TufSigner]:
        """Return the present keys as the newest root names them."""
        body = self.roots[-1].said(Root)
        by_id = {build.ecdsa_signer(one).key.key_id: one for one in self.root_keys}
        return [
            build.root_signer(by_id[key.canonical_id], build.certificate_der(key))
            for key in (body.keys[one] for one in body.roles[ROOT].key_ids)
        ]

    def publish(
        self,
        role: Role,
        tags: dict[str, str],
        *,
        by: Sequence[PrivateKey] | None = None,
        version: int | None = None,
        expires: dt.datetime | None = None,
        delegations: Sequence[Delegation] | None = None,
    ) -> File:
        """Write the next file of a targets role. In `tags`, a manifest is any text."""
        before = self.files.get(role)
        known = before.said(Targets) if before else None
        body = Targets(
            version=version or (known.version + 1 if known else 1),
            expires=expires or self.now + YEAR,
            targets={name: target(text) for name, text in tags.items()},
            keys={one.key.key_id: one.key for one in self.person_signers()}
            if role == TARGETS
            else {},
            delegations=tuple(delegations or ()) if delegations is not None
            else (known.delegations if known else ()),
        )  # fmt: skip
        keys = by if by is not None else [self.targets_key]
        self.files[role] = build.signed_file(role, body, [build.ecdsa_signer(one) for one in keys])
        return self.files[role]

    def person_signers(self) -> list[TufSigner]:
        return [build.ecdsa_signer(one) for one in self.people.values()]

    def delegations(self, *names: str, threshold: int = 1) -> list[Delegation]:
        """Return `targets/NAME` for each, and `targets/releases` for all of them together."""
        ids = {name: build.ecdsa_signer(self.people[name]).key.key_id for name in names}
        single = [delegation(Role(f"targets/{name}"), one) for name, one in ids.items()]
        return [*single, delegation(RELEASES, *ids.values(), threshold=threshold)]

    def accept(self, files: Mapping[Role, bytes]) -> None:
        """Store what was uploaded, as a server does that has checked it."""
        for role, content in files.items():
            file = metadata.parse(role, content)
            if role == ROOT:
                self.roots.append(file)
            else:
                self.files[role] = file

    def current(self) -> Current:
        """Return what is published now, for the next edit."""
        return Current.of(self.gun, self.tree())

    def tree(
        self,
        *,
        lifetime: dt.timedelta = DAY,
        version: int | None = None,
        snapshot_version: int | None = None,
        root: File | None = None,
    ) -> chain.Tree:
        """Return what the server shows now: snapshot and timestamp are made anew."""
        self.server_version += 1
        named = {ROOT: root or self.roots[-1], **self.files}
        snapshot = build.signed_file(
            SNAPSHOT,
            Snapshot(
                version=snapshot_version or self.server_version,
                expires=self.now + YEAR,
                meta={role: FileMeta.of(file.content) for role, file in named.items()},
            ),
            [build.ed25519_signer(self.snapshot_key)],
        )
        timestamp = build.signed_file(
            TIMESTAMP,
            Timestamp(
                version=version or self.server_version,
                expires=self.now + lifetime,
                snapshot=FileMeta.of(snapshot.content),
            ),
            [build.ed25519_signer(self.timestamp_key)],
        )
        return chain.Tree(
            roots=tuple(one.content for one in self.roots),
            timestamp=timestamp.content,
            snapshot=snapshot.content,
            targets={role: file.content for role, file in self.files.items()},
        )


def delegation(role: Role, *key_ids: str, threshold: int = 1) -> Delegation:
    """Return a delegation for all names."""
    return Delegation(role=role, keys=RoleKeys(key_ids=key_ids, threshold=threshold), paths=("",))


def simple(tags: dict[str, str] | None = None) -> TreeLab:
    """Return a tree without delegations whose owner signed `tags`."""
    lab = TreeLab()
    lab.root()
    lab.publish(TARGETS, tags if tags is not None else {"v1": "one"})
    return lab


def team(*names: str, tags: dict[str, str] | None = None, threshold: int = 1) -> TreeLab:
    """Return a tree where each of `names` signed `tags`, as `docker trust sign` does."""
    lab = TreeLab(people={name: new_key() for name in names})
    signed = tags if tags is not None else {"v1": "one"}
    lab.root()
    lab.publish(TARGETS, {}, delegations=lab.delegations(*names, threshold=threshold))
    for name in names:
        lab.publish(Role(f"targets/{name}"), signed, by=[lab.people[name]])
    lab.publish(RELEASES, signed, by=[lab.people[name] for name in names[:threshold]])
    return lab


def prove(
    lab: TreeLab, tree: chain.Tree | None, tag: str | None = "v1", text: str | None = "one",
    *, pin: chain.Pin | None = None, now: dt.datetime | None = None,
    max_age: dt.timedelta | None = None, lifetime: dt.timedelta = DAY,
) -> chain.ChainProof:  # fmt: skip
    """Prove that `tag` stands for the manifest `text`, from the lab's pin or another."""
    return chain.prove(
        Tag(tag) if tag is not None else None,
        Digest.of(text.encode()) if text is not None else None,
        gun=lab.gun, tree=tree, pin=pin or lab.pin, now=now or lab.now,
        max_age=max_age, timestamp_lifetime=lifetime,
    )  # fmt: skip

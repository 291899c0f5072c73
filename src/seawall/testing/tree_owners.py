"""The owner of a repository's tree, in front of a house: makes, signs and changes it as people do.

`ShownTrees` is a house's source of trees that somebody else has taken over.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from seawall.app.rooms import House
from seawall.core import actor as actors
from seawall.core.errors import NotFoundError
from seawall.flows.admission import Admission
from seawall.flows.judging import Judge
from seawall.oci.names import RepositoryName, Tag
from seawall.testing.images import Image
from seawall.testing.signatures import new_key
from seawall.trust import pins
from seawall.trust.keys import PrivateKey
from seawall.trust.tuf import edits, rotations
from seawall.trust.tuf.chain import Tree
from seawall.trust.tuf.drafts import Current, Keyring, Upload
from seawall.trust.tuf.model import Target
from seawall.trust.tuf.names import SNAPSHOT, TIMESTAMP, Gun, Role

OPERATOR = actors.operator("root")


@dataclass(slots=True, kw_only=True)
class TreeOwner:
    """Holds the keys of root and targets, and of those signers whom it adds."""

    house: House
    repository: RepositoryName
    root_key: PrivateKey = field(default_factory=new_key)
    targets_key: PrivateKey = field(default_factory=new_key)
    signers: dict[str, PrivateKey] = field(default_factory=dict)

    @property
    def gun(self) -> Gun:
        return self.house.pinned_trees.gun(self.repository)

    @property
    def tree(self) -> Tree:
        return self.house.trees.tree(self.gun)

    @property
    def current(self) -> Current:
        return Current.of(self.gun, self.tree)

    @property
    def now(self) -> dt.datetime:
        return self.house.clock.now()

    def init(self) -> TreeOwner:
        """Make and publish an empty tree."""
        trees = self.house.trees
        held = {r: trees.public_key(self.gun, r, actor=OPERATOR) for r in (SNAPSHOT, TIMESTAMP)}
        upload = rotations.init(
            self.gun,
            root=[self.root_key],
            targets=self.targets_key,
            snapshot=held[SNAPSHOT],
            timestamp=held[TIMESTAMP],
            now=self.now,
        )
        return self.publish(upload)

    def pin(self) -> TreeOwner:
        """Have the root pinned that is published now."""
        pin = pins.of_root(self.tree.roots[-1])
        self.house.pins.pin(self.repository, pin, actor=OPERATOR)
        return self

    def sign(self, tag: str, made: Image, *by: str) -> TreeOwner:
        """Vouch for an image under a tag: the owner, or these signers."""
        keys = [self.signers[name] for name in by] or [self.targets_key]
        target = Target(digest=made.digest, length=len(made.manifest))
        return self.publish(
            edits.set_tag(self.current, Keyring.of(keys), Tag(tag), target, self.now)
        )

    def add_signer(self, name: str, key: PrivateKey | None = None) -> TreeOwner:
        self.signers[name] = key or new_key()
        keyring = Keyring.of([self.targets_key])
        return self.publish(
            edits.add_signer(self.current, keyring, name, self.signers[name].public, self.now)
        )

    def remove_signer(self, name: str) -> TreeOwner:
        return self.publish(edits.remove_signer(self.current, self.keyring, name, self.now).upload)

    def revoke(self, tag: str) -> TreeOwner:
        return self.publish(edits.revoke(self.current, self.keyring, Tag(tag), self.now))

    def rotate_root(self) -> TreeOwner:
        """Hand the root over to a new key."""
        new = new_key()
        keyring = Keyring.of([self.root_key])
        upload = rotations.rotate_root(self.current, keyring, [new], self.now, threshold=1)
        self.root_key = new
        return self.publish(upload)

    def set_threshold(self, role: Role, threshold: int) -> TreeOwner:
        return self.publish(
            rotations.set_threshold(self.current, self.keyring, role, threshold, self.now)
        )

    @property
    def keyring(self) -> Keyring:
        """All keys that there are."""
        return Keyring.of([self.root_key, self.targets_key, *self.signers.values()])

    def publish(self, upload: Upload) -> TreeOwner:
        files: Mapping[str, bytes] = {str(role): file for role, file in upload.files.items()}
        self.house.trees.publish(self.gun, files, actor=OPERATOR)
        return self


@dataclass(slots=True, kw_only=True)
class ShownTrees:
    """Shows whatever it was given; nothing: there is no tree."""

    shown: Tree | None = None

    def tree(self, gun: Gun, since_root: int = 1) -> Tree:
        if self.shown is None:
            raise NotFoundError(f"there is no tree for {gun}")
        return dataclasses.replace(self.shown, roots=self.shown.roots[since_root - 1 :])


def judge_with(house: House, shown: ShownTrees) -> Judge:
    """Return the house's judge, who is shown these trees."""
    trees = dataclasses.replace(house.pinned_trees, trees=shown)
    vouching = dataclasses.replace(house.judge.vouching, trees=trees)
    return dataclasses.replace(house.judge, vouching=vouching)


def admission_with(house: House, shown: ShownTrees) -> Admission:
    """Return the house's admission with that judge."""
    return dataclasses.replace(house.admission, judge=judge_with(house, shown))

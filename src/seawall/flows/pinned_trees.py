"""What the repository's own tree says of an image, proven from the root that was pinned for it.

The registry has several names and one tree for each repository: that of its first name, whichever
name a client used. Without a pin the tree proves nothing and is not asked. What a proof saw is
remembered before its outcome is used, so that no later proof believes anything older.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from seawall.core import actor as actors
from seawall.core.actor import Actor
from seawall.core.errors import ConflictError, IntegrityError, NotFoundError, SeawallError
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.policy.model import TreeState
from seawall.registry.service import Registry
from seawall.trust.pins import Pins, Remembered
from seawall.trust.trail import Step
from seawall.trust.tuf import chain, metadata, serving
from seawall.trust.tuf.chain import ChainProof, Pin, Tree, TreeSigner
from seawall.trust.tuf.names import ROOT, SNAPSHOT, TIMESTAMP, Gun

INDEXES_ASKED: Final = 4
"""Of those that hold a manifest which was asked for by its own digest."""

TAG, DIGEST, SIGNERS = 12, 13, 14
"""Numbers of steps in `trust.tuf.chain`; those before the tag are about the tree as a whole."""

_ANY_LIFETIME: Final = dt.timedelta(days=36_500)
_MOMENT: Final = dt.timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeProof:
    """How far the proof came, and by which pin. `steps` is empty when the tree was not asked."""

    state: TreeState
    explanation: str = ""
    refreshed_at: dt.datetime | None = None
    pinned: Remembered | None = None
    steps: tuple[Step, ...] = ()
    remedy: str = ""
    tag: str | None = None
    """The tag that the tree has for the image."""
    expires: dt.datetime | None = None
    signers: tuple[TreeSigner, ...] = ()
    """Whose signatures name the image: those of the vouching roles, no others."""


UNPINNED: Final = TreeProof(state=TreeState.UNPINNED, explanation="no root is pinned")


class TreeSource(Protocol):
    """Who shows trees: `trust.trees.Trees`, or somebody who shows other ones."""

    def tree(self, gun: Gun, since_root: int = 1) -> Tree:
        """Return the roots from that version on and all current files. Raises NotFoundError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedTrees:
    """The trees of this registry's repositories, as the gate believes them."""

    trees: TreeSource
    pins: Pins
    registry: Registry
    host: str
    """The first of the registry's names."""

    def gun(self, repository: RepositoryName) -> Gun:
        """Return the name under which the repository's tree is kept."""
        return Gun.of(self.host, repository)

    def prove(
        self, repository: RepositoryName, digest: Digest, *, tag: Tag | None, now: dt.datetime
    ) -> TreeProof:
        """Prove that the tree names `digest`: for `tag`, or for any tag when there is none.

        A manifest that was asked for by its own digest is named, too, when an index is named that
        holds it. Raises SeawallError only when what was seen cannot be remembered.
        """
        pinned = self.pins.get(repository)
        if pinned is None:
            return UNPINNED
        try:
            tree = self._tree(self.gun(repository), pinned.pin)
        except SeawallError as error:
            return self._refused(repository, pinned, error)
        asked = _Asked(gun=self.gun(repository), tree=tree, pin=pinned.pin, now=now)
        subject, found = digest, asked.prove(tag, digest)
        if tag is None and _failed(found) == TAG:
            subject, found = self._by_index(repository, digest, asked, found)
        self._remember(repository, pinned.pin, found)
        state = TreeState.PROVEN if found.is_valid else asked.state(tag, subject, found)
        if state is TreeState.BROKEN:
            step = found.failures[-1]
            self.pins.refuse(repository, step=step.name, why=step.detail, actor=actors.SYSTEM)
        return _proof(state, found, tree, pinned)

    def look(self, repository: RepositoryName, *, now: dt.datetime) -> TreeProof:
        """Prove the tree as a whole, for people to read. Nothing is remembered."""
        pinned = self.pins.get(repository)
        if pinned is None:
            return UNPINNED
        gun = self.gun(repository)
        try:
            tree = self._tree(gun, pinned.pin)
        except SeawallError as error:
            return _unreadable(pinned, error)
        found = chain.prove(
            None,
            None,
            gun=gun,
            tree=tree,
            pin=pinned.pin,
            now=now,
            timestamp_lifetime=serving.TIMESTAMP_LIFE,
        )
        state = TreeState.PROVEN if found.is_valid else TreeState.BROKEN
        return _proof(state if tree is not None else TreeState.MISSING, found, tree, pinned)

    def enrol(
        self, repository: RepositoryName, pin: Pin, *, actor: Actor, now: dt.datetime
    ) -> None:
        """Pin the root of the tree that is there, which must hold from `pin`.

        The caller has made sure that `actor` may. Raises NotFoundError without a tree, and
        ConflictError when it does not hold or another root is pinned.
        """
        try:
            proven = self.proven_pin(repository, pin, now=now)
        except IntegrityError as error:
            raise ConflictError(error.message, remedy=error.remedy) from error
        self.pins.pin(repository, proven, actor=actor)

    def proven_pin(self, repository: RepositoryName, pin: Pin, *, now: dt.datetime) -> Pin:
        """Return `pin`, advanced to the tree. Raises NotFoundError, IntegrityError."""
        gun = self.gun(repository)
        found = chain.prove(
            None,
            None,
            gun=gun,
            tree=self.trees.tree(gun),
            pin=pin,
            now=now,
            timestamp_lifetime=serving.TIMESTAMP_LIFE,
        )
        if not found.is_valid or found.pin_after is None:
            failed = found.failures[-1]
            raise IntegrityError(
                f"not pinned, step {failed.number} ({failed.name}): {failed.detail}",
                remedy=found.remedy,
            )
        return found.pin_after

    def _tree(self, gun: Gun, pin: Pin) -> Tree | None:
        since = metadata.parse(ROOT, pin.root).version if pin.root is not None else 1
        try:
            return self.trees.tree(gun, since)
        except NotFoundError:
            return None

    def _by_index(
        self, repository: RepositoryName, digest: Digest, asked: _Asked, otherwise: ChainProof
    ) -> tuple[Digest, ChainProof]:
        indexes: list[Digest] = []
        with contextlib.suppress(NotFoundError):
            indexes = self.registry.indexes_of(repository, digest)
        for index in indexes[:INDEXES_ASKED]:
            found = asked.prove(None, index)
            if found.is_valid:
                return index, found
        return digest, otherwise

    def _remember(self, repository: RepositoryName, before: Pin, found: ChainProof) -> None:
        if found.pin_after is not None:
            self.pins.advance(repository, before=before, after=found.pin_after, actor=actors.SYSTEM)

    def _refused(
        self, repository: RepositoryName, pinned: Remembered, error: SeawallError
    ) -> TreeProof:
        self.pins.refuse(repository, step="files", why=error.message, actor=actors.SYSTEM)
        return _unreadable(pinned, error)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What every proof about one image is made from."""

    gun: Gun
    tree: Tree | None
    pin: Pin
    now: dt.datetime

    def prove(
        self,
        tag: Tag | None,
        digest: Digest,
        *,
        at: dt.datetime | None = None,
        lifetime: dt.timedelta = serving.TIMESTAMP_LIFE,
    ) -> ChainProof:
        return chain.prove(
            tag,
            digest,
            gun=self.gun,
            tree=self.tree,
            pin=self.pin,
            now=at or self.now,
            timestamp_lifetime=lifetime,
        )

    def state(self, tag: Tag | None, digest: Digest, failed: ChainProof) -> TreeState:
        """Tell what kind of no it is.

        Where a time is over, the proof is made again for the last moment at which none was: so that
        an old tree which was also rolled back, or names another digest, is not taken for one that
        is merely old.
        """
        if self.tree is None:
            return TreeState.MISSING
        if _failed(failed) >= TAG:
            return _STATES[_failed(failed)]
        then = _last_good_moment(self.tree)
        if then is None or then >= self.now:
            return TreeState.BROKEN
        again = self.prove(tag, digest, at=then, lifetime=_ANY_LIFETIME)
        if again.is_valid:
            return TreeState.EXPIRED
        return _STATES.get(_failed(again), TreeState.BROKEN)


_STATES: Final = {
    TAG: TreeState.UNNAMED,
    DIGEST: TreeState.MOVED,
    SIGNERS: TreeState.UNNAMED,
}


def _unreadable(pinned: Remembered, error: SeawallError) -> TreeProof:
    return TreeProof(
        state=TreeState.BROKEN,
        explanation=f"the tree cannot be read: {error.message}",
        pinned=pinned,
        steps=(Step(number=1, name="files", is_passed=False, detail=error.message),),
        remedy=error.remedy,
    )


def _failed(found: ChainProof) -> int:
    return found.failures[-1].number if found.failures else 0


def _last_good_moment(tree: Tree) -> dt.datetime | None:
    """Return the last moment before the first of the files expired."""
    try:
        files = [
            metadata.parse(ROOT, tree.roots[-1]),
            metadata.parse(TIMESTAMP, tree.timestamp),
            metadata.parse(SNAPSHOT, tree.snapshot),
            *(metadata.parse(role, content) for role, content in tree.targets.items()),
        ]
    except (SeawallError, IndexError):
        return None
    return min(file.body.expires for file in files) - _MOMENT


def _proof(state: TreeState, found: ChainProof, tree: Tree | None, pinned: Remembered) -> TreeProof:
    refreshed_at = None
    if state is TreeState.PROVEN and tree is not None:
        expires = metadata.parse(TIMESTAMP, tree.timestamp).body.expires
        refreshed_at = expires - serving.TIMESTAMP_LIFE
    return TreeProof(
        state=state,
        explanation=_explanation(found),
        refreshed_at=refreshed_at,
        pinned=pinned,
        steps=found.steps,
        remedy=found.remedy,
        tag=found.tag,
        expires=found.expires,
        signers=tuple(_vouching(found)),
    )


def _explanation(found: ChainProof) -> str:
    if found.is_valid:
        return f"the tree names it {found.tag}" if found.tag else "the tree holds"
    step = found.failures[-1]
    return f"tree, step {step.number} {step.name}: {step.detail}"


def _vouching(found: ChainProof) -> Iterator[TreeSigner]:
    """Yield who vouches: not all who signed a file on the way have seen the image."""
    roles = found.vouchers or ((found.found_in,) if found.found_in is not None else ())
    return (one for one in found.signers if one.role in roles)

"""Puts what was signed into the repository's tree, so that the tag is bound and fresh.

A repository without a tree gets one; a registry without a trust server is told, and left alone.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from seawall.cli import own_trees
from seawall.cli.own_trees import Opened, Site
from seawall.cli.registry_client import Fetched
from seawall.core.errors import ConflictError, DeniedError, NotFoundError
from seawall.oci.names import Tag
from seawall.trust.signing import Signer
from seawall.trust.tuf import edits
from seawall.trust.tuf.drafts import Current, Keyring, Upload
from seawall.trust.tuf.model import Target
from seawall.trust.tuf.names import RELEASES, TARGETS, Role

MAX_ATTEMPTS: Final = 4


class Outcome(enum.StrEnum):
    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    WAITING = "waiting"  # for more signatures
    NO_SERVER = "no-server"
    NOT_A_SIGNER = "not-a-signer"  # the keys may not sign in this tree: it stays as it was


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What became of a tag. `root_key_ids` are those of a tree that was made on the way."""

    outcome: Outcome
    roles: tuple[Role, ...] = ()
    root_key_ids: tuple[str, ...] = ()
    waiting: Upload = field(default_factory=Upload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A tag that shall stand for a manifest."""

    tag: Tag
    manifest: Fetched
    signers: Sequence[Signer]
    root_signers: Sequence[Signer] = ()
    """Who holds the root of a tree that has to be made; else the first signer."""
    unsafe_first_use: bool = False

    @property
    def target(self) -> Target:
        return Target(digest=self.manifest.digest, length=len(self.manifest.content))


def publish(site: Site, wish: Wish, now: dt.datetime) -> Published:
    """Let the tag stand for the manifest in every role that the keys hold.

    Raises ConflictError when others keep publishing at the same moment, IntegrityError for a tree
    that does not hold.
    """
    keyring = Keyring.of([*wish.signers, *wish.root_signers])
    opened = own_trees.find(site, now, keyring, unsafe_first_use=wish.unsafe_first_use)
    made: tuple[str, ...] = ()
    if opened is None:
        try:
            roots = list(wish.root_signers) or [wish.signers[0]]
            opened = own_trees.init(site, roots, wish.signers[0], now)
        except NotFoundError:
            return Published(outcome=Outcome.NO_SERVER)
        made = tuple(sorted(opened.pin.root_key_ids))
    for attempt in range(MAX_ATTEMPTS):
        if stands(opened.current, keyring, wish):
            return Published(outcome=Outcome.UNCHANGED, root_key_ids=made)
        try:
            return replace(_publish_once(site, opened, keyring, wish, now), root_key_ids=made)
        except ConflictError:
            if attempt + 1 == MAX_ATTEMPTS:
                raise
        opened = own_trees.open_tree(site, now, keyring)
    raise AssertionError("unreachable")


def stands(current: Current, keyring: Keyring, wish: Wish) -> bool:
    """Tell whether every role that we would write says so already."""
    roles = [one.role for one in current.targets.delegations] or [TARGETS]
    held = [role for role in roles if keyring.holds(current.keys_of(role))]
    bodies = [current.body(role) for role in held]
    return (
        bool(held)
        and (RELEASES not in roles or RELEASES in held)
        and all(
            body is not None
            and (found := body.targets.get(wish.tag)) is not None
            and found.digest == wish.target.digest
            for body in bodies
        )
    )


def _publish_once(
    site: Site,
    opened: Opened,
    keyring: Keyring,
    wish: Wish,
    now: dt.datetime,
) -> Published:
    waiting = own_trees.waiting(site, opened.current) if _wants_several(opened.current) else {}
    try:
        upload = edits.set_tag(opened.current, keyring, wish.tag, wish.target, now, waiting=waiting)
    except DeniedError:
        return Published(outcome=Outcome.NOT_A_SIGNER)
    is_done = own_trees.publish(site, opened, upload, keyring, now)
    if is_done:
        own_trees.settle(site, waiting)
    return Published(
        outcome=Outcome.PUBLISHED if is_done else Outcome.WAITING,
        roles=tuple(upload.files),
        waiting=upload,
    )


def _wants_several(current: Current) -> bool:
    return any(one.keys.threshold > 1 for one in current.targets.delegations)

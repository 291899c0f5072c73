"""Trees of repositories that this person owns or signs for: opened with proof, changed, published.

The I/O that stands around `trust.tuf`: nothing is signed over a tree that was not proven from a
pinned root, and what was published is fetched and proven again before it is called done.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall.cli import pin_files, waiting_files
from seawall.cli.registry_client import RegistryClient
from seawall.cli.trees_client import TreesClient
from seawall.core.errors import ConflictError, IntegrityError, NotFoundError
from seawall.oci.names import RepositoryName
from seawall.trust.signing import Signer
from seawall.trust.tuf import approvals, chain, drafts, metadata, roots, rotations
from seawall.trust.tuf.chain import ChainProof, Pin, Tree
from seawall.trust.tuf.drafts import Current, Keyring, Upload
from seawall.trust.tuf.model import File
from seawall.trust.tuf.names import ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Gun, Role

NO_TREE: Final = "let its owner make it: seawall trust init REPO"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a repository's tree is, and what this person knows of it."""

    gun: Gun
    http: RegistryClient
    """Of the registry, where files wait for more signatures."""
    trees: TreesClient
    pins: Path
    timestamp_lifetime: dt.timedelta

    @property
    def repository(self) -> RepositoryName:
        return self.gun.repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A tree that was proven just now."""

    tree: Tree
    current: Current
    pin: Pin


def find(
    site: Site, now: dt.datetime, keyring: Keyring | None = None, *, unsafe_first_use: bool = False
) -> Opened | None:
    """Fetch the tree and prove it; None when there is none, and there never was one.

    Without a pin, a root that all of our own keys in it have signed will do: those we trust.
    Raises IntegrityError with the step that failed.
    """
    pin = pin_files.read(site.pins, site.gun)
    tree = site.trees.fetch(pin)
    if tree is None and pin is None:
        return None
    opened = prove(
        site.gun, tree, pin or _pin_of_own_keys(tree, keyring), now,
        timestamp_lifetime=site.timestamp_lifetime, unsafe_first_use=unsafe_first_use,
    )  # fmt: skip
    pin_files.remember(site.pins, site.gun, opened.pin)
    return opened


def prove(
    gun: Gun,
    tree: Tree | None,
    pin: Pin | None,
    now: dt.datetime,
    *,
    timestamp_lifetime: dt.timedelta,
    unsafe_first_use: bool = False,
) -> Opened:
    """Prove a tree that was fetched, or that somebody brought in a file.

    Raises IntegrityError with the step that failed.
    """
    proof = chain.prove(
        None, None, gun=gun, tree=tree, pin=pin, now=now,
        timestamp_lifetime=timestamp_lifetime, unsafe_first_use=unsafe_first_use,
    )  # fmt: skip
    if not proof.is_valid or tree is None or proof.pin_after is None:
        raise _does_not_hold(gun, proof)
    return Opened(tree=tree, current=Current.of(gun, tree), pin=proof.pin_after)


def open_tree(
    site: Site, now: dt.datetime, keyring: Keyring | None = None, *, unsafe_first_use: bool = False
) -> Opened:
    """Like `find`. Raises NotFoundError when there is no tree."""
    opened = find(site, now, keyring, unsafe_first_use=unsafe_first_use)
    if opened is None:
        raise NotFoundError(f"the registry has no trust data for {site.gun}", remedy=NO_TREE)
    return opened


def init(
    site: Site, root: list[Signer], targets: Signer, now: dt.datetime, *, threshold: int = 1
) -> Opened:
    """Make a tree, publish it and pin its root.

    Raises ConflictError when there is one, NotFoundError when the registry has no trust server.
    """
    if site.trees.fetch(None) is not None:
        raise ConflictError(f"{site.gun} has a tree already", remedy="see: seawall trust show REPO")
    try:
        snapshot = site.trees.server_key(SNAPSHOT)
        timestamp = site.trees.server_key(TIMESTAMP)
    except NotFoundError as error:
        raise NotFoundError(
            f"the registry {site.gun.host} keeps no trust data",
            remedy="sign without a tree: seawall sign --no-tree, or name one with --trust-server",
        ) from error
    upload = rotations.init(
        site.gun, root=root, targets=targets, snapshot=snapshot, timestamp=timestamp, now=now,
        threshold=threshold,
    )  # fmt: skip
    made = metadata.parse(ROOT, upload.files[ROOT])
    pin_files.replace(site.pins, site.gun, Pin(root_key_ids=roots.key_ids(made), root=made.content))
    try:
        site.trees.publish(upload.files)
    except BaseException:
        pin_files.forget(site.pins, site.gun)
        raise
    return open_tree(site, now)


def waiting(site: Site, current: Current) -> dict[Role, File]:
    """Return the files that wait for more signatures and follow what is published."""
    return approvals.relevant(current, waiting_files.read(site.http, site.gun))


def publish(site: Site, opened: Opened, upload: Upload, keyring: Keyring, now: dt.datetime) -> bool:
    """Publish what is complete, and prove what is shown then; let the rest wait.

    Tell whether all of it was published. Raises ConflictError when the server refuses it.
    """
    whole = drafts.with_snapshot(opened.current, upload, keyring, now)
    if whole.files:
        site.trees.publish(whole.files)
        open_tree(site, now, keyring)
    if upload.pending:
        _let_wait(site, upload)
        return False
    return True


def settle(site: Site, before: Mapping[Role, File]) -> None:
    """Clear what waited, after it was published."""
    if before:
        waiting_files.clear(site.http, site.repository)


def _let_wait(site: Site, upload: Upload) -> None:
    """Hand the files to whoever keeps them; the server would publish a finished part at once."""
    files = {one.file.role: one.file.content for one in upload.drafts}
    finished = {one.file.role for one in upload.drafts if one.is_complete}
    if {ROOT, TARGETS} & finished or not waiting_files.offer(site.http, site.gun, files):
        waiting_files.write(site.http, site.repository, files)


def _pin_of_own_keys(tree: Tree | None, keyring: Keyring | None) -> Pin | None:
    if tree is None or keyring is None or not tree.roots:
        return None
    named = roots.key_ids(metadata.parse(ROOT, tree.roots[-1]))
    own = frozenset(keyring.signers) & named
    return Pin(root_key_ids=own) if own else None


def _does_not_hold(gun: Gun, proof: ChainProof) -> IntegrityError:
    failed = proof.failures[-1]
    return IntegrityError(
        f"the trust data of {gun} does not hold, step {failed.number} ({failed.name}):"
        f" {failed.detail}",
        remedy=proof.remedy,
    )

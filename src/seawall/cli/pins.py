"""`seawall trust pin --installation`: which root the gate of this installation believes.

A person's own pins are for that person's commands; these are the gate's. As `seawall key trust` it
works on the state directory, so it is for who operates the server.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from typing import TYPE_CHECKING

from seawall.cli import local
from seawall.core.errors import InvalidInputError, NotFoundError
from seawall.oci.names import RepositoryName
from seawall.trust.tuf import metadata, roots
from seawall.trust.tuf.chain import Pin, Tree
from seawall.trust.tuf.names import ROOT

if TYPE_CHECKING:
    from seawall.app.rooms import House
    from seawall.config import Settings
    from seawall.trust.pins import Remembered


def run(options: argparse.Namespace, settings: Settings, now: dt.datetime) -> int:
    """Pin by `--root`, forget with `--forget`; without either, show what is pinned."""
    from seawall.app import setup

    repository = local.own_image(options.image, settings).repository
    with setup.opened(settings) as house:
        if options.forget:
            house.pins.unpin(repository, actor=local.who(settings))
            print(f"the root of {repository} is pinned no longer")
            return 0
        if options.fingerprints or options.unsafe_first_use:
            pin = _wanted(house, repository, options, now)
            house.pins.pin(repository, pin, actor=local.who(settings))
        _show(repository, _pinned(house, repository), options.json)
    return 0


def _wanted(
    house: House, repository: RepositoryName, options: argparse.Namespace, now: dt.datetime
) -> Pin:
    """Return the pin that was asked for, proven on the tree that is there."""
    tree = _tree(house, repository)
    ids = frozenset(options.fingerprints)
    if not ids:
        if tree is None:
            raise NotFoundError(
                f"{repository} has no tree yet", remedy="let its owner make it: seawall trust init"
            )
        ids = roots.key_ids(metadata.parse(ROOT, tree.roots[0]))
    pin = Pin(root_key_ids=ids)
    return pin if tree is None else house.pinned_trees.proven_pin(repository, pin, now=now)


def _tree(house: House, repository: RepositoryName) -> Tree | None:
    try:
        return house.trees.tree(house.pinned_trees.gun(repository))
    except NotFoundError:
        return None


def _pinned(house: House, repository: RepositoryName) -> Remembered:
    found = house.pins.get(repository)
    if found is not None:
        return found
    tree = _tree(house, repository)
    if tree is None:
        raise NotFoundError(
            f"no root is pinned for {repository}, and it has no tree",
            remedy="let its owner make it: seawall trust init",
        )
    ids = sorted(roots.key_ids(metadata.parse(ROOT, tree.roots[-1])))
    raise InvalidInputError(
        f"no root is pinned for {repository}; its tree shows the root key {', '.join(ids)}",
        remedy="compare that with what its owner gives you, then name it with --root",
    )


def _show(repository: RepositoryName, found: Remembered, as_json: bool) -> None:
    ids = sorted(found.pin.root_key_ids)
    seen = {str(role): version for role, version in sorted(found.pin.seen.items())}
    if as_json:
        shown = {"repository": repository, "root_key_ids": ids, "seen": seen}
        print(json.dumps(shown | {"pinned_by": found.pinned_by}))
        return
    print(f"the gate believes {repository} from the root of")
    for key_id in ids:
        print(f"  {key_id}")
    print(f"pinned by {found.pinned_by} on {found.pinned_at:%Y-%m-%d}")
    for role, version in seen.items():
        print(f"  seen: {role} version {version}")

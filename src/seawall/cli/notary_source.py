"""Reads a tree of another Notary server, whole: with every root from the first one on.

The server is not believed in anything: each read is bounded, a redirect is not followed to where
only this machine reaches, and what comes is proven by `trust.migration`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from seawall.cli.trees_client import TREE_MAX_BYTES, TreesClient
from seawall.core.errors import IntegrityError, LimitError, NotFoundError
from seawall.trust.tuf import metadata, roots
from seawall.trust.tuf.chain import Tree
from seawall.trust.tuf.names import ROOT, Gun

if TYPE_CHECKING:
    from seawall.cli.registry_client import RegistryClient

REMEDY: Final = "name the server with --server; stock docker used the registry or notary.docker.io"


def fetch(http: RegistryClient, gun: Gun) -> Tree:
    """Return the tree with all its roots. Nothing of it is verified.

    Raises NotFoundError when the server has none, LimitError, UnavailableError.
    """
    tree = TreesClient(http, gun).fetch(None)
    if tree is None:
        raise NotFoundError(f"the server has no trust data for {gun}", remedy=REMEDY)
    if not tree.roots or not tree.targets:
        raise IntegrityError(f"the server shows a tree of {gun} that does not hold together")
    newest = metadata.parse(ROOT, tree.roots[-1])
    if newest.version > roots.MAX_ROOTS:
        raise LimitError(f"a root of version {newest.version}, above {roots.MAX_ROOTS}")
    older, size = [], sum(map(len, tree.targets.values()))
    for number in range(1, newest.version):
        content = http.exchange(
            "GET",
            f"/v2/{gun}/_trust/tuf/{number}.root.json",
            scope=f"repository:{gun}:pull",
            max_bytes=metadata.FILE_MAX_BYTES,
        )
        size += len(content)
        if size > TREE_MAX_BYTES:
            raise LimitError(f"a tree of more than {TREE_MAX_BYTES} bytes")
        if metadata.parse(ROOT, content).version != number:
            raise IntegrityError(f"the server shows another root as version {number}")
        older.append(content)
    return replace(tree, roots=(*older, *tree.roots))

"""One file that holds all that a proof of an image needs: for `seawall verify --offline`, and for
`seawall sign --offline` on a machine without network.

It holds evidence, no trust: the keys and pins of whoever verifies decide. What is in it is parsed
as if it came over the network.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seawall.cli import evidence_json as parts
from seawall.cli import image_signatures, waiting_files
from seawall.cli.own_trees import Site
from seawall.cli.registry_client import Fetched
from seawall.core import clock, limits
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.trust.model import UnverifiedSignature
from seawall.trust.tuf.chain import Tree
from seawall.trust.tuf.names import Role

MEDIA_TYPE: Final = "application/vnd.seawall.verification.v1+json"
MAX_BYTES: Final = 128 * limits.MIB
_MEMBERS: Final = {"image", "made_at", "manifest", "signatures", "tree", "waiting"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was found of one image. Nothing of it is verified, but the manifest fits its digest."""

    image: Reference
    manifest: Fetched
    signatures: tuple[UnverifiedSignature, ...]
    tree: Tree | None
    made_at: dt.datetime
    waiting: Mapping[Role, bytes] = field(default_factory=dict)
    """Files of the tree that others began, below their threshold."""

    @property
    def digest(self) -> Digest:
        return self.manifest.digest


def collect(site: Site, image: Reference, now: dt.datetime) -> Evidence:
    """Fetch the manifest, all its signatures and the tree, with all roots that are still there:
    others may have pinned an older one than we have."""
    manifest = site.http.get_manifest(image.repository, image.target)
    signatures = image_signatures.collect(site.http, image.repository, manifest.digest).artifacts
    tree = site.trees.fetch_with_all_roots()
    waiting = {} if tree is None else waiting_files.read(site.http, site.gun)
    return Evidence(
        image=image,
        manifest=manifest,
        signatures=signatures,
        tree=tree,
        made_at=now,
        waiting={role: file.content for role, file in waiting.items()},
    )


def write(path: Path, evidence: Evidence) -> None:
    """Write the file, in place of an older one. Raises UnavailableError."""
    parts.write(path, _document(evidence))


def read(path: Path) -> Evidence:
    """Parse a file strictly. Raises NotFoundError, InvalidInputError, LimitError,
    IntegrityError."""
    document = parts.read(
        path, MEDIA_TYPE, _MEMBERS, made_by="seawall trust export", max_bytes=MAX_BYTES
    )
    return Evidence(
        image=Reference.parse(parts.parse_text(document["image"])),
        manifest=parts.parse_manifest(document["manifest"]),
        signatures=tuple(map(parts.parse_signature, parts.parse_list(document["signatures"]))),
        tree=None if document["tree"] is None else parts.parse_tree(document["tree"]),
        made_at=parts.parse_time(document["made_at"]),
        waiting=parts.parse_files(document["waiting"]),
    )


def _document(evidence: Evidence) -> dict[str, Json]:
    tree = evidence.tree
    return {
        "mediaType": MEDIA_TYPE,
        "image": str(evidence.image),
        "made_at": clock.to_text(evidence.made_at),
        "manifest": parts.manifest_json(evidence.manifest),
        "signatures": [parts.signature_json(one) for one in evidence.signatures],
        "tree": None if tree is None else parts.tree_json(tree),
        "waiting": {str(role): parts.encode(file) for role, file in evidence.waiting.items()},
    }

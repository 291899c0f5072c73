"""Whether the registry shows the bytes that the digests of an image name: all of them.

A signature is over one digest; manifests lead from it to every byte. An engine checks them when it
pulls, but whoever verifies before that wants to know it before. Nothing of the content is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from seawall.cli.registry_client import Fetched, RegistryClient
from seawall.core.errors import IntegrityError, LimitError, SeawallError, UnavailableError
from seawall.oci import manifests, media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor, Index
from seawall.oci.names import RepositoryName
from seawall.trust.trail import Step

MAX_MANIFESTS: Final = 1024
MAX_DEPTH: Final = 4

STEPS: Final = {1: "members", 2: "content"}
REMEDY: Final = "the registry shows other bytes than were signed: let the image be pushed again"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentProof:
    """The outcome."""

    is_valid: bool
    steps: tuple[Step, ...]
    remedy: str = ""


def check(client: RegistryClient, repository: RepositoryName, image: Fetched) -> ContentProof:
    """Fetch all manifests below `image`, every configuration and layer, and check their digests.

    What is wrong with them is a step; raises UnavailableError when the registry does not answer.
    """
    walk = _Walk(client=client, repository=repository)
    steps = [_step(1, lambda: walk.members(image))]
    if steps[0].is_passed:
        steps.append(_step(2, walk.content))
    is_valid = steps[-1].is_passed
    return ContentProof(is_valid=is_valid, steps=tuple(steps), remedy="" if is_valid else REMEDY)


def _step(number: int, look: Callable[[], str]) -> Step:
    try:
        detail, is_passed = look(), True
    except UnavailableError:
        raise
    except SeawallError as error:
        detail, is_passed = error.message, False
    return Step(number=number, name=STEPS[number], is_passed=is_passed, detail=detail)


@dataclass(slots=True, kw_only=True)
class _Walk:
    client: RegistryClient
    repository: RepositoryName
    blobs: dict[Digest, int] = field(default_factory=dict)

    def members(self, image: Fetched) -> str:
        """Read every manifest once, and note the blobs that they name."""
        waiting, seen = [(image, 0)], {image.digest}
        while waiting:
            manifest, depth = waiting.pop()
            for entry in self._entries(manifest):
                if entry.digest in seen:
                    continue
                seen.add(entry.digest)
                if len(seen) > MAX_MANIFESTS or depth >= MAX_DEPTH:
                    raise LimitError("the index holds more manifests than are followed")
                waiting.append((self._member(entry), depth + 1))
        return f"{len(seen)} manifests"

    def content(self) -> str:
        """Hold every blob against its digest."""
        for digest, size in self.blobs.items():
            self.client.check_blob(self.repository, digest, size)
        return f"{len(self.blobs)} blobs, {sum(self.blobs.values())} bytes"

    def _entries(self, manifest: Fetched) -> Iterator[Descriptor]:
        parsed = manifests.parse(manifest.content, manifest.media_type)
        if isinstance(parsed, Index):
            yield from (e for e in parsed.manifests if e.media_type in _READ)
            return
        for blob in (parsed.config, *parsed.layers):
            if not blob.urls:  # its bytes are kept elsewhere, and are not the registry's to show
                self._note(blob)

    def _note(self, blob: Descriptor) -> None:
        if self.blobs.setdefault(blob.digest, blob.size) != blob.size:
            raise IntegrityError(f"{blob.digest} is said to have two sizes")

    def _member(self, entry: Descriptor) -> Fetched:
        found = self.client.get_manifest(self.repository, entry.digest)
        if len(found.content) != entry.size:
            raise IntegrityError(f"{entry.digest} has another size than the index says")
        return found


_READ: Final = media.MANIFESTS | media.INDEXES

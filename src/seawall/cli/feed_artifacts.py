"""Feeds in one signed file, for machines without a network: see `artifact_files`.

    config     what each edition is: name, digest and address of the source's file, when fetched
    layers     one for each feed, in the same order: `scan.carried_editions`

All feeds of a file are signed together, under one name. Nothing is believed and nothing changes
before the signature holds and the bytes of every layer are what their digests say.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from seawall.cli import artifact_files, artifact_writing
from seawall.cli.artifact_files import FEEDS, Artifact
from seawall.cli.artifact_writing import Blob
from seawall.core import strictjson
from seawall.core.errors import LimitError, NotFoundError
from seawall.core.limits import MIB
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import RepositoryName
from seawall.scan import carried_editions, feed_files
from seawall.scan.advisories import Advisories, FeedProgress
from seawall.scan.carried_editions import Edition, Exported
from seawall.trust.signing import Signer

CONFIG: Final = "application/vnd.seawall.feeds.config.v1+json"
LAYER: Final = "application/vnd.seawall.feed.v1+jsonl+zstd"
NAME: Final = "dev.seawall.feed.name"
REPOSITORY: Final = RepositoryName("feeds")
FEEDS_MAX: Final = 256
CONFIG_MAX_BYTES: Final = 16 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """An edition in an open file. `open` gives the bytes that `Advisories.import_edition` reads."""

    edition: Edition
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What is in a file, and the ids of the keys that have signed it: none when nobody looked."""

    feeds: Sequence[Carried]
    signed_by: tuple[str, ...]

    def only(self, name: str) -> Sequence[Carried]:
        """Return the feed of this name, all for an empty one. Raises NotFoundError."""
        found = [one for one in self.feeds if name in ("", one.edition.name)]
        if not found:
            held = ", ".join(one.edition.name for one in self.feeds)
            raise NotFoundError(f"the file holds no feed {name}", remedy=f"it holds: {held}")
        return found


def write(
    path: Path,
    names: Sequence[str],
    advisories: Advisories,
    keys: Sequence[Signer],
    progress: FeedProgress,
) -> tuple[Digest, list[Edition]]:
    """Write the editions in use of some feeds, signed by all keys; return the artifact's digest.

    Raises NotFoundError for a feed without an edition, LimitError, ConflictError, OSError.
    """
    if len(names) > FEEDS_MAX:
        raise LimitError(f"{len(names)} feeds, more than the {FEEDS_MAX} that fit into one file")
    folder = artifact_writing.folder_of(path)
    editions: list[Edition] = []
    layers: list[Blob] = []
    with contextlib.ExitStack() as stack:
        for name in names:
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
            exported = advisories.export_edition(name, file, functools.partial(progress, name))
            editions.append(exported.edition)
            layers.append(_layer(exported, file))
        config = strictjson.encode({"feeds": msgspec.to_builtins(editions)})
        if len(config) > CONFIG_MAX_BYTES:
            raise LimitError(
                f"what is to be said about {len(names)} feeds is too long",
                remedy="export them into several files",
            )
        content = artifact_writing.Content(
            kind=FEEDS,
            name=str(REPOSITORY),
            repository=REPOSITORY,
            config=Blob.of(config, CONFIG),
            layers=layers,
        )
        return artifact_writing.write(path, content, keys), editions


@contextlib.contextmanager
def opened(
    path: Path, keys: Sequence[Path], progress: FeedProgress, *, unsafe_unsigned: bool = False
) -> Iterator[Opened]:
    """Give what is in a file, when one of `keys` has signed it and it is whole.

    Raises NotFoundError, InvalidInputError, IntegrityError, and DeniedError for a file that none of
    `keys` has signed.
    """
    trusted = artifact_files.trusted_keys(path, keys, unsafe_unsigned=unsafe_unsigned)
    with artifact_files.opened(path, FEEDS) as artifact:
        # Before a byte of config and layers is read.
        signed_by = artifact.signers(REPOSITORY, trusted) if trusted else ()
        editions = _editions(artifact)
        for edition, layer in zip(editions, artifact.manifest.layers, strict=True):
            _check(artifact, edition, layer)
        carried = [
            Carried(edition=edition, open=_opener(artifact, layer))
            for edition, layer in zip(editions, artifact.manifest.layers, strict=True)
        ]
        for layer in artifact.manifest.layers:
            artifact.check(layer, functools.partial(progress, path.name))
        yield Opened(feeds=carried, signed_by=signed_by)


def _editions(artifact: Artifact) -> list[Edition]:
    config = artifact.manifest.config
    if config.media_type != CONFIG:
        raise artifact.refusal(f"its config is {config.media_type[:80]!r}")
    content = artifact.blob(config, CONFIG_MAX_BYTES)
    listed = strictjson.decode_object(content, max_bytes=CONFIG_MAX_BYTES).get("feeds")
    if not isinstance(listed, list) or not 0 < len(listed) <= FEEDS_MAX:
        raise artifact.refusal(f"it must say of 1 to {FEEDS_MAX} feeds what they are")
    editions = [carried_editions.parse(one) for one in listed]
    if len({edition.name for edition in editions}) != len(editions):
        raise artifact.refusal("it names a feed twice")
    if len(editions) != len(artifact.manifest.layers):
        raise artifact.refusal(
            f"it tells of {len(editions)} feeds and has {len(artifact.manifest.layers)} layers"
        )
    return editions


def _check(artifact: Artifact, edition: Edition, layer: Descriptor) -> None:
    if layer.media_type != LAYER or layer.size > feed_files.FILE_MAX_BYTES:
        raise artifact.refusal(f"a layer is {layer.media_type[:80]!r}, or too large")
    if layer.annotations.get(NAME) != edition.name:
        raise artifact.refusal(f"the layer of {edition.name} says that it is of another feed")


def _opener(artifact: Artifact, layer: Descriptor) -> Callable[[], BinaryIO]:
    return lambda: artifact.stream(layer)


def _layer(exported: Exported, file: BinaryIO) -> Blob:
    return Blob(
        media_type=LAYER,
        digest=exported.digest,
        size=exported.size,
        content=file,
        annotations={NAME: exported.edition.name},
    )

"""An artifact in one file: an OCI layout in a tar, with cosign's signatures beside the artifact.

    index.json     the artifact, and what refers to it
    the artifact   an OCI artifact manifest, its config and its layers
    signatures     as cosign has them: the tag sha256-….sig, and bundles that refer to it

So any OCI tool can carry it into a registry and out again, and cosign can verify it there. A
signature binds the name that a kind of artifact has: one for `fingerprints/debian-12` is none for
`fingerprints/ubuntu-24.04`. `artifact_writing` makes such files.
Refused: what is unsigned, unless somebody says otherwise; bytes that are not what digests say; an
artifact of another kind. Nothing is unpacked under a name that stands in the file.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from seawall.core import limits
from seawall.core.errors import (
    DeniedError,
    IntegrityError,
    InvalidInputError,
    LimitError,
    NotFoundError,
    SeawallError,
)
from seawall.oci import layers, manifests, media
from seawall.oci.bounds import ArchiveError, Limits
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor, Index, Manifest
from seawall.oci.names import RepositoryName
from seawall.scan import inventory_archives, inventory_layouts
from seawall.scan.inventory_layouts import Packed
from seawall.trust import bundle, cosign, key_files, proof
from seawall.trust.model import SignatureFormat, TrustedKey, UnverifiedSignature

REF_NAME: Final = "org.opencontainers.image.ref.name"
SIGNATURES_MAX: Final = proof.MAX_SIGNATURES + 2
"""Manifests in an index: the artifact, the tag of signatures, and bundles."""
LOOKED_AT_MAX: Final = 4_096
"""Entries of a tar among which the mark of a layout is looked for."""

_CHUNK: Final = limits.MIB
_FETCH_AGAIN: Final = "the file was altered or cut: fetch it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of artifact. The files of another kind are told apart by `artifact_type`."""

    artifact_type: str
    noun: str
    """What a file of this kind holds, in a sentence."""
    command: str
    """Whose `export` writes such files, and whose `import` takes them in."""
    host: str
    """A signed name has a host. This one is nobody's (RFC 6761); it is not looked at."""
    otherwise: str
    """What to do with a file that is no artifact at all."""
    bounds: Limits


FINGERPRINTS: Final = Kind(
    artifact_type="application/vnd.seawall.fingerprints.v1",
    noun="a pack of fingerprints",
    command="seawall fingerprints",
    host="fingerprints.invalid",
    otherwise="packages themselves are learned: seawall fingerprints learn FILE",
    bounds=Limits(max_unpacked_bytes=576 * limits.MIB, max_seconds=120),
)
FEEDS: Final = Kind(
    artifact_type="application/vnd.seawall.feeds.v1",
    noun="feeds of advisories",
    command="seawall feeds",
    host="feeds.invalid",
    otherwise="files as their sources publish them are imported without --key",
    # What is inside is packed already: a file that unpacks to far more is a bomb.
    bounds=Limits(
        max_unpacked_bytes=16 * limits.GIB,
        max_ratio=10,
        ratio_free_bytes=64 * limits.MIB,
        max_seconds=1_800,
    ),
)
KINDS: Final = (FINGERPRINTS, FEEDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """An artifact in an open file. Nothing but its manifest has been read, and nothing proven."""

    path: Path
    kind: Kind
    image: Descriptor
    manifest: Manifest
    layout: Packed
    listed: Sequence[tuple[Descriptor, Manifest]]

    def signers(self, repository: RepositoryName, trusted: Sequence[TrustedKey]) -> tuple[str, ...]:
        """Return the ids of the keys that have signed it under this name.

        Raises DeniedError when none of `trusted` has.
        """
        proven = proof.verify(
            self.image.digest,
            repository=repository,
            tag=None,
            artifacts=self._signatures(),
            keys=trusted,
            now=dt.datetime.now(dt.UTC),
        )
        # Stock cosign's bundles name no repository; here the name is what a signature is about.
        if not proven.is_valid or not all(one.is_bound_to_repository for one in proven.signatures):
            failed = proven.failures[0].detail if proven.failures else "none names what it is"
            raise DeniedError(
                f"{self.path} is not signed by a key that was named: {failed}",
                remedy="have it signed by its maker, or name the maker's key: --key FILE",
            )
        return tuple(sorted({str(one.key_id) for one in proven.signatures}))

    def blob(self, listed: Descriptor, max_bytes: int) -> bytes:
        """Return a small blob. Raises IntegrityError, InvalidInputError, NotFoundError."""
        return _blob(self.layout, listed, max_bytes)

    def stream(self, listed: Descriptor) -> BinaryIO:
        """Return a reader of a blob, which raises IntegrityError at the end of wrong bytes."""
        return self.layout.opener(_place(listed.digest), listed)()

    def check(self, listed: Descriptor, progress: Callable[[int, int], None]) -> None:
        """Read a blob to its end. Raises IntegrityError when its bytes are wrong."""
        done = 0
        with self.stream(listed) as stream:
            try:
                while chunk := stream.read(_CHUNK):
                    done += len(chunk)
                    progress(done, listed.size)
            except IntegrityError as error:
                raise _altered(listed) from error

    def refusal(self, why: str) -> InvalidInputError:
        """Return the error that this is not what the kind's `export` wrote."""
        return _no_export(self.path, self.kind, why)

    def _signatures(self) -> list[UnverifiedSignature]:
        found: list[UnverifiedSignature] = []
        subject = self.image.digest
        tag = str(cosign.signature_tag(subject))
        for one, manifest in self.listed:
            if one.annotations.get(REF_NAME) == tag:
                content = self.blob(one, limits.MANIFEST_MAX_BYTES)
                for layer in cosign.tag_layers(content)[: cosign.MAX_LAYERS]:
                    described = Descriptor(media_type="", digest=layer.digest, size=layer.size)
                    payload = self.blob(described, bundle.MAX_BYTES)
                    found.append(layer.artifact(payload, str(one.digest.short)))
            elif manifest.subject is not None and manifest.subject.digest == subject:
                content = self.blob(one, limits.MANIFEST_MAX_BYTES)
                held = cosign.bundle_layer(content, subject)
                if held is not None:
                    found.append(
                        UnverifiedSignature(
                            format=SignatureFormat.SIGSTORE_BUNDLE,
                            content=self.blob(held, bundle.MAX_BYTES),
                            source=str(one.digest.short),
                        )
                    )
        return found


def trusted_keys(
    path: Path, keys: Sequence[Path], *, unsafe_unsigned: bool
) -> tuple[TrustedKey, ...]:
    """Return the keys of which one must have signed the file at `path`; none for "unsigned".

    Raises InvalidInputError when nobody says whose signature is wanted, KeyFormatError,
    NotFoundError.
    """
    if not keys and not unsafe_unsigned:
        raise InvalidInputError(
            f"whose signature must {path} have?",
            remedy="name the public key of who made it: --key FILE",
        )
    return tuple(map(_trusted, keys))


def is_layout(path: Path) -> bool:
    """Tell by its content, never by its name, whether a file is an OCI layout in a tar.

    Raises OSError when it cannot be read.
    """
    if path.is_dir():
        return False
    with path.open("rb") as file, contextlib.suppress(ArchiveError):
        for number, entry in enumerate(
            layers.walk(file, media.DOCKER_LAYER, FEEDS.bounds), start=1
        ):
            if entry.path == inventory_layouts.MARK:
                return True
            if number == LOOKED_AT_MAX:
                break
    return False


@contextlib.contextmanager
def opened(path: Path, kind: Kind) -> Iterator[Artifact]:
    """Give the one artifact of this kind in the file at `path`. Its signatures are not looked at.

    Raises NotFoundError, InvalidInputError, IntegrityError.
    """
    try:
        archive = inventory_archives.random_access(path, kind.bounds)
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from error
    except ArchiveError as error:
        raise _unreadable(path, kind, error) from error
    with archive:
        try:
            layout = Packed(archive, inventory_archives.members_of(archive, kind.bounds))
        except ArchiveError as error:
            raise _unreadable(path, kind, error) from error
        yield _artifact(layout, path, kind)


def _artifact(layout: Packed, path: Path, kind: Kind) -> Artifact:
    index = manifests.parse(layout.read("index.json", limits.MANIFEST_MAX_BYTES), media.OCI_INDEX)
    if not isinstance(index, Index) or len(index.manifests) > SIGNATURES_MAX:
        raise _no_export(path, kind, "its index is none, or too long")
    listed = [(one, _manifest(layout, one)) for one in index.manifests]
    found = [pair for pair in listed if pair[1].artifact_type == kind.artifact_type]
    if len(found) != 1:
        _refuse_other_kind(path, kind, [manifest for _, manifest in listed])
        raise _no_export(path, kind, f"it holds {kind.noun} {len(found)} times, not once")
    image, manifest = found[0]
    return Artifact(
        path=path, kind=kind, image=image, manifest=manifest, layout=layout, listed=listed
    )


def _refuse_other_kind(path: Path, kind: Kind, found: Sequence[Manifest]) -> None:
    for other in KINDS:
        if other is not kind and any(one.artifact_type == other.artifact_type for one in found):
            raise InvalidInputError(
                f"{path} holds {other.noun}, not {kind.noun}",
                remedy=f"import it with {other.command} import",
            )


def _manifest(layout: Packed, listed: Descriptor) -> Manifest:
    content = _blob(layout, listed, limits.MANIFEST_MAX_BYTES)
    parsed = manifests.parse(content, listed.media_type)
    if not isinstance(parsed, Manifest):
        raise InvalidInputError("the file holds an index within its index")
    return parsed


def _blob(layout: Packed, listed: Descriptor, max_bytes: int) -> bytes:
    content = layout.read(_place(listed.digest), max_bytes)
    if len(content) != listed.size or not listed.digest.is_of(content):
        raise _altered(listed)
    return content


def _place(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _trusted(path: Path) -> TrustedKey:
    key = key_files.read_public(path)
    return TrustedKey(key_id=key.key_id, name=path.name, public_pem=key.pem, patterns=("**",))


def _altered(listed: Descriptor) -> IntegrityError:
    return IntegrityError(
        f"the bytes of {listed.digest} are not what the digest says", remedy=_FETCH_AGAIN
    )


def _unreadable(path: Path, kind: Kind, error: ArchiveError) -> SeawallError:
    if isinstance(error, LimitError):
        return LimitError(
            f"{path} is larger than {kind.noun} may be: {error.message}", remedy=kind.otherwise
        )
    if is_layout(path):
        return IntegrityError(f"{path} is not whole: {error.message}", remedy=_FETCH_AGAIN)
    return _no_export(path, kind, error.message)


def _no_export(path: Path, kind: Kind, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"{path} is not a file that `{kind.command} export` wrote: {why}", remedy=kind.otherwise
    )

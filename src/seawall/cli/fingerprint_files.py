"""A pack of fingerprints in one signed file: see `artifact_files`.

The artifact has one layer, the pack, and is annotated with its name, under which it is signed.
Refused: what is unsigned, unless somebody says otherwise; bytes that are not what digests say.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from seawall.cli import artifact_files, artifact_writing
from seawall.cli.artifact_files import FINGERPRINTS
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.scan.fingerprints import pack as packs
from seawall.scan.fingerprints import shelf
from seawall.scan.fingerprints.pack import Pack
from seawall.trust.signing import Signer

LAYER: Final = "application/vnd.seawall.fingerprints.pack.v1+msgpack"
NAME: Final = "dev.seawall.fingerprints.name"


def write(path: Path, name: str, pack: Pack, keys: Sequence[Signer]) -> Digest:
    """Write a pack, signed by all keys; return the digest of the artifact. Raises LimitError."""
    content = artifact_writing.Content(
        kind=FINGERPRINTS,
        name=name,
        repository=_repository(name),
        layers=[artifact_writing.Blob.of(pack.to_bytes(), LAYER)],
        annotations={NAME: shelf.checked(name)},
    )
    return artifact_writing.write(path, content, keys)


def read(
    path: Path, keys: Sequence[Path], *, name: str = "", unsafe_unsigned: bool = False
) -> tuple[str, Pack, tuple[str, ...]]:
    """Return the name of the pack in a file, the pack, and the keys that have signed it.

    `name` is another name to give it. Raises NotFoundError, InvalidInputError, IntegrityError, and
    DeniedError for a file that none of `keys` has signed.
    """
    trusted = artifact_files.trusted_keys(path, keys, unsafe_unsigned=unsafe_unsigned)
    with artifact_files.opened(path, FINGERPRINTS) as artifact:
        told = shelf.checked(artifact.manifest.annotations.get(NAME, ""))
        # Before a byte of the pack is parsed.
        signed_by = artifact.signers(_repository(told), trusted) if trusted else ()
        layers = artifact.manifest.layers
        if len(layers) != 1 or layers[0].media_type != LAYER:
            raise artifact.refusal("it does not hold one pack")
        pack = packs.from_bytes(artifact.blob(layers[0], packs.MAX_PACK_BYTES))
    return shelf.checked(name or told), pack, signed_by


def _repository(name: str) -> RepositoryName:
    return RepositoryName.parse(f"fingerprints/{name}")

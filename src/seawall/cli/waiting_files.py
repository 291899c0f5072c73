"""Files below their threshold, until enough people have signed.

A Seawall collects them and publishes what is complete (`waiting_api`). At another registry they
are kept in the repository itself, as the layers of an artifact under one tag: any registry can hold
it, and whoever may push may write it, so nothing in it is believed. Two people who write at once
lose one signature, which the one who looks again adds anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Final

from seawall.cli import waiting_api
from seawall.cli.registry_client import RegistryClient
from seawall.core import strictjson
from seawall.core.errors import InvalidInputError, NotFoundError, SeawallError, UnavailableError
from seawall.core.strictjson import Json
from seawall.oci import manifests, media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Manifest
from seawall.oci.names import RepositoryName
from seawall.trust.tuf import metadata
from seawall.trust.tuf.model import File
from seawall.trust.tuf.names import Role

TAG: Final = "seawall-trust-waiting"
ARTIFACT: Final = "application/vnd.seawall.trust.waiting.v1+json"
LAYER: Final = "application/vnd.seawall.trust.file.v1+json"
ROLE: Final = "org.opencontainers.image.title"
MAX_FILES: Final = 64
_EMPTY: Final = b"{}"


def read(http: RegistryClient, repository: RepositoryName) -> dict[Role, File]:
    """Return what waits. Files that do not parse are left out: anybody could have put them there.

    Raises UnavailableError, DeniedError.
    """
    collected = waiting_api.read(http, repository)
    if collected is not None:
        return collected
    found = http.find_manifest(repository, TAG)
    if found is None:
        return {}
    files: dict[Role, File] = {}
    with contextlib.suppress(InvalidInputError):
        manifest = manifests.parse(found.content, found.media_type)
        layers = manifest.layers if isinstance(manifest, Manifest) else ()
        for layer in layers[:MAX_FILES]:
            with contextlib.suppress(SeawallError):
                role = Role.parse(layer.annotations.get(ROLE, ""))
                content = http.get_blob(repository, layer.digest, max_bytes=metadata.FILE_MAX_BYTES)
                files[role] = metadata.parse(role, content)
    return files


def write(http: RegistryClient, repository: RepositoryName, files: Mapping[Role, bytes]) -> None:
    """Let these files wait, in place of what waited before."""
    if waiting_api.read(http, repository) is not None:
        waiting_api.offer(http, repository, files)
        return
    _keep(http, repository, files)


def clear(http: RegistryClient, repository: RepositoryName) -> None:
    """Let nothing wait any longer."""
    with contextlib.suppress(UnavailableError, NotFoundError):
        collected = waiting_api.read(http, repository)
        for role in collected or {}:
            waiting_api.withdraw(http, repository, role)
        if collected is None and read(http, repository):
            _keep(http, repository, {})


def _keep(http: RegistryClient, repository: RepositoryName, files: Mapping[Role, bytes]) -> None:
    config = http.put_blob(repository, _EMPTY)
    layers: list[Json] = []
    for role, content in files.items():
        digest = http.put_blob(repository, content)
        layers.append(_descriptor(LAYER, digest, len(content)) | {"annotations": {ROLE: str(role)}})
    if not layers:
        layers.append(_descriptor(media.OCI_EMPTY, config, len(_EMPTY)))
    document: dict[str, Json] = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "artifactType": ARTIFACT,
        "config": _descriptor(media.OCI_EMPTY, config, len(_EMPTY)),
        "layers": layers,
    }
    http.put_manifest(repository, TAG, strictjson.encode(document), media.OCI_MANIFEST)


def _descriptor(media_type: str, digest: Digest, size: int) -> dict[str, Json]:
    return {"mediaType": media_type, "digest": str(digest), "size": size}

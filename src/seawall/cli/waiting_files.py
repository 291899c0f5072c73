"""Files below their threshold, kept with the repository until enough people have signed.

A Seawall registry has a place for them (`/api/trust/…/pending`), which shows them on its pages. It
publishes what is complete, so a change whose parts must not come apart waits elsewhere, as on any
other registry: in layers of an artifact under one tag. Whoever may push may write that, so nothing
in it is believed. Two people who write it at once lose one signature, which the one who looks again
adds anew.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import urllib.parse
from collections.abc import Mapping
from typing import Final

from seawall.cli.registry_client import RegistryClient
from seawall.core import limits, strictjson
from seawall.core.errors import (
    DeniedError,
    InvalidInputError,
    NotFoundError,
    SeawallError,
    UnavailableError,
)
from seawall.core.strictjson import Json
from seawall.oci import manifests, media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Manifest
from seawall.oci.names import RepositoryName
from seawall.trust.tuf import metadata
from seawall.trust.tuf.model import File
from seawall.trust.tuf.names import Gun, Role

TAG: Final = "seawall-trust-waiting"
ARTIFACT: Final = "application/vnd.seawall.trust.waiting.v1+json"
LAYER: Final = "application/vnd.seawall.trust.file.v1+json"
ROLE: Final = "org.opencontainers.image.title"
MAX_FILES: Final = 64
ANSWER_MAX_BYTES: Final = 32 * limits.MIB
_EMPTY: Final = b"{}"


def read(http: RegistryClient, gun: Gun) -> dict[Role, File]:
    """Return what waits. Files that do not parse are left out: anybody could have put them there.

    Raises UnavailableError, DeniedError.
    """
    return _in_artifact(http, gun.repository) | _at_server(http, gun)


def offer(http: RegistryClient, gun: Gun, files: Mapping[Role, bytes]) -> bool:
    """Let these files wait at the server; tell whether it has a place for them.

    Raises UnavailableError with what it says against them.
    """
    encoded = {role: base64.b64encode(content).decode() for role, content in files.items()}
    try:
        http.call_api(
            "POST",
            _path(gun),
            scope=f"repository:{gun.repository}:pull,push",
            body=strictjson.encode({"files": encoded}),
            max_bytes=ANSWER_MAX_BYTES,
        )
    except (NotFoundError, DeniedError):
        return False
    return True


def write(http: RegistryClient, repository: RepositoryName, files: Mapping[Role, bytes]) -> None:
    """Let these files wait, in place of what waited before."""
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


def clear(http: RegistryClient, repository: RepositoryName) -> None:
    """Let nothing wait any longer."""
    with contextlib.suppress(UnavailableError):
        if _in_artifact(http, repository):
            write(http, repository, {})


def _at_server(http: RegistryClient, gun: Gun) -> dict[Role, File]:
    files: dict[Role, File] = {}
    # Another registry may answer anything here.
    with contextlib.suppress(NotFoundError, InvalidInputError, DeniedError, UnavailableError):
        http.sign_in()
        content = http.call_api("GET", _path(gun), max_bytes=ANSWER_MAX_BYTES)
        document = strictjson.decode_object(content, max_bytes=ANSWER_MAX_BYTES)
        waiting = document.get("waiting")
        for one in waiting[:MAX_FILES] if isinstance(waiting, list) else []:
            if isinstance(one, dict):
                with contextlib.suppress(SeawallError):
                    role = Role.parse(str(one.get("role")))
                    files[role] = metadata.parse(role, _decoded(one.get("file")))
    return files


def _decoded(value: Json) -> bytes:
    try:
        return base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError("a waiting file is not base64") from error


def _path(gun: Gun) -> str:
    query = urllib.parse.urlencode({"host": gun.host})
    return f"/api/trust/{gun.repository}/pending?{query}"


def _in_artifact(http: RegistryClient, repository: RepositoryName) -> dict[Role, File]:
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


def _descriptor(media_type: str, digest: Digest, size: int) -> dict[str, Json]:
    return {"mediaType": media_type, "digest": str(digest), "size": size}

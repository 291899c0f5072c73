"""What waits for signatures at a Seawall, over HTTP: the server counts, and publishes by itself.

Nothing that comes back is believed: each file is judged again by the keys of a proven tree.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Final

from seawall.cli.registry_client import RegistryClient
from seawall.core import strictjson
from seawall.core.errors import DeniedError, InvalidInputError, NotFoundError, SeawallError
from seawall.core.strictjson import Json
from seawall.oci.names import RepositoryName
from seawall.trust import bundle
from seawall.trust.tuf import metadata
from seawall.trust.tuf.model import File
from seawall.trust.tuf.names import Role

MAX_BYTES: Final = 64 * 1024 * 1024
_NOT_THERE: Final = (NotFoundError, InvalidInputError, DeniedError)


def read(http: RegistryClient, repository: RepositoryName) -> dict[Role, File] | None:
    """Return what waits; None when the server collects nothing, or does not show it to us."""
    try:
        content = http.call_api(
            "GET", _path(repository), scope=_scope(repository, "pull"), max_bytes=MAX_BYTES
        )
        document = strictjson.decode_object(content, max_bytes=MAX_BYTES, max_depth=8)
    except _NOT_THERE:
        return None
    listed = document.get("waiting")
    files: dict[Role, File] = {}
    for one in listed if isinstance(listed, list) else []:
        with contextlib.suppress(SeawallError):
            file = _file(one)
            files[file.role] = file
    return files


def offer(http: RegistryClient, repository: RepositoryName, files: Mapping[Role, bytes]) -> None:
    """Hand in files and signatures. Raises what the server says against it."""
    encoded: dict[str, Json] = {str(r): bundle.encode_base64(c) for r, c in files.items()}
    http.call_api(
        "POST",
        _path(repository),
        scope=_scope(repository, "pull,push"),
        body=strictjson.encode({"files": encoded}),
        max_bytes=MAX_BYTES,
    )


def withdraw(http: RegistryClient, repository: RepositoryName, role: Role) -> None:
    """Let a file wait no longer."""
    path = f"{_path(repository)}?role={role}"
    http.call_api("DELETE", path, scope=_scope(repository, "pull,push"), max_bytes=MAX_BYTES)


def _file(one: Json) -> File:
    if not isinstance(one, dict) or not isinstance(role := one.get("role"), str):
        raise InvalidInputError("what waits has no role")
    return metadata.parse(Role.parse(role), bundle.decode_base64(one.get("file"), "file"))


def _path(repository: RepositoryName) -> str:
    return f"/api/trust/{repository}/pending"


def _scope(repository: RepositoryName, actions: str) -> str:
    return f"repository:{repository}:{actions}"

"""Files of signed artifacts, taken apart and put together otherwise, as who carries them can."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seawall.oci.digest import Digest


def members(path: Path) -> dict[str, bytes]:
    """Return the files of a layout by their names."""
    with tarfile.open(path) as archive:
        return {
            entry.name: file.read()
            for entry in archive.getmembers()
            if (file := archive.extractfile(entry)) is not None
        }


def rewrite(path: Path, files: Mapping[str, bytes]) -> None:
    """Write the files as a layout."""
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def place(content: bytes) -> str:
    """Return the name of a blob with this content."""
    return f"blobs/sha256/{Digest.of(content).hex}"


def described(content: bytes) -> dict[str, object]:
    """Return what a descriptor says of this content."""
    return {"digest": str(Digest.of(content)), "size": len(content)}


def manifest_of(files: Mapping[str, bytes], artifact_type: str) -> dict[str, Any]:
    """Return the manifest of the one artifact of this type."""
    return _found(files, artifact_type)[1]


def with_manifest(
    files: Mapping[str, bytes], artifact_type: str, change: Callable[[dict[str, Any]], None]
) -> dict[str, bytes]:
    """Change the manifest of the artifact, and the index with it; signatures stay as they are."""
    at, manifest = _found(files, artifact_type)
    change(manifest)
    body = json.dumps(manifest).encode()
    index = json.loads(files["index.json"])
    index["manifests"][at] |= described(body)
    return {**files, place(body): body, "index.json": json.dumps(index).encode()}


def _found(files: Mapping[str, bytes], artifact_type: str) -> tuple[int, dict[str, Any]]:
    listed = json.loads(files["index.json"])["manifests"]
    for at, one in enumerate(listed):
        body = files[f"blobs/{one['digest'].replace(':', '/')}"]
        manifest: dict[str, Any] = json.loads(body)
        if manifest.get("artifactType") == artifact_type:
            return at, manifest
    raise KeyError(artifact_type)

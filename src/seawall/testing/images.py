"""Small images made in memory: layers from dicts of files, manifests, indexes, OCI layouts.

The bytes are reproducible (fixed times, fixed order), so a test can name digests.
"""

from __future__ import annotations

import functools
import gzip
import io
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.scan.image_source import LayerSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a layer: a file, or a symbolic or hard link when `link` is set, or a folder."""

    content: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    link: str = ""
    kind: bytes = tarfile.REGTYPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer as it is stored and sent; `diff_id` is of the bytes before compression."""

    content: bytes
    media_type: str
    diff_id: Digest

    @property
    def digest(self) -> Digest:
        return Digest.of(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A manifest (or index) and everything it needs."""

    manifest: bytes
    media_type: str
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    children: tuple[Image, ...] = ()

    @property
    def digest(self) -> Digest:
        return Digest.of(self.manifest)


Files = Mapping[str, "bytes | Entry"]

_GZIP_LEVEL: Final = 6


def layer(files: Files, *, compressed: bool = True) -> Layer:
    """Make a layer of `files`, in the order given; paths are relative, without a leading slash."""
    plain = _tar(files)
    content = gzip.compress(plain, _GZIP_LEVEL, mtime=0) if compressed else plain
    return Layer(
        content=content,
        media_type=media.OCI_LAYER_GZIP if compressed else media.OCI_LAYER,
        diff_id=Digest.of(plain),
    )


def source(files: Files, created_by: str = "") -> LayerSource:
    """Make a layer as the scanner reads it."""
    made = layer(files)
    return LayerSource(
        digest=made.digest,
        media_type=made.media_type,
        size=len(made.content),
        open=lambda: io.BytesIO(made.content),
        created_by=created_by,
    )


def image(
    *layers: Layer,
    command: Iterable[str] = ("/bin/sh",),
    env: Iterable[str] = ("PATH=/bin:/usr/bin",),
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    subject: Image | None = None,
) -> Image:
    """Make a runnable OCI image for this kind of machine (linux/amd64)."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": list(command), "Env": list(env), "Labels": dict(labels or {})},
        "rootfs": {"type": "layers", "diff_ids": [one.diff_id for one in layers]},
        "history": [{"created_by": f"layer {n}"} for n, _ in enumerate(layers)],
    }
    return artifact(
        json.dumps(config).encode(),
        config_type=media.OCI_CONFIG,
        layers=layers,
        annotations=annotations,
        subject=subject,
    )


def artifact(
    config: bytes = b"{}",
    *,
    config_type: str = media.OCI_EMPTY,
    artifact_type: str = "",
    layers: Iterable[Layer] = (),
    annotations: Mapping[str, str] | None = None,
    subject: Image | None = None,
) -> Image:
    """Make any OCI manifest, such as a signature or an SBOM that refers to `subject`."""
    layers = tuple(layers)
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": descriptor(config, config_type),
        "layers": [descriptor(one.content, one.media_type) for one in layers],
    }
    if artifact_type:
        document["artifactType"] = artifact_type
    if annotations:
        document["annotations"] = dict(annotations)
    if subject is not None:
        document["subject"] = descriptor(subject.manifest, subject.media_type)
    return Image(
        manifest=json.dumps(document).encode(),
        media_type=media.OCI_MANIFEST,
        blobs={Digest.of(config): config} | {one.digest: one.content for one in layers},
    )


def index(*children: Image, annotations: Mapping[str, str] | None = None) -> Image:
    """Make an index of images; each is said to be for linux/amd64."""
    entries = [
        descriptor(child.manifest, child.media_type)
        | {"platform": {"os": "linux", "architecture": "amd64"}}
        for child in children
    ]
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": media.OCI_INDEX,
        "manifests": entries,
    }
    if annotations:
        document["annotations"] = dict(annotations)
    return Image(
        manifest=json.dumps(document).encode(), media_type=media.OCI_INDEX, children=children
    )


def descriptor(content: bytes, media_type: str) -> dict[str, object]:
    """Return the JSON descriptor of `content`."""
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)}


def write_layout(directory: Path, image: Image, *, tag: str = "latest") -> Path:
    """Write an OCI image layout that holds `image` as `tag`; `skopeo copy oci:DIR:TAG` reads it."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for one in walk(image):
        for digest, content in {**one.blobs, one.digest: one.manifest}.items():
            (blobs / digest.hex).write_bytes(content)
    entry = descriptor(image.manifest, image.media_type)
    entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return directory


def write_docker_archive(path: Path, image: Image, *, name: str) -> Path:
    """Write what `docker load` reads; `name` is `repository:tag` as the engine will show it."""
    document = json.loads(image.manifest)
    config = Digest.parse(document["config"]["digest"])
    layers = [Digest.parse(one["digest"]) for one in document["layers"]]
    listing = {
        "Config": f"{config.hex}.json",
        "RepoTags": [name],
        "Layers": [f"{one.hex}/layer.tar" for one in layers],
    }
    files: dict[str, bytes | Entry] = {f"{config.hex}.json": image.blobs[config]}
    files |= {f"{one.hex}/layer.tar": image.blobs[one] for one in layers}
    files["manifest.json"] = json.dumps([listing]).encode()
    path.write_bytes(_tar(files))
    return path


def walk(image: Image) -> Iterable[Image]:
    """Yield children before their parent: the order in which a client pushes."""
    for child in image.children:
        yield from walk(child)
    yield image


@functools.cache
def programs(*names: str) -> dict[str, bytes | Entry]:
    """Return this machine's programs (such as "sh", "cat") with the libraries they load.

    They land in `bin/`; libraries keep their paths. Raises FileNotFoundError for a missing one.
    """
    files: dict[str, bytes | Entry] = {}
    for name in names:
        found = shutil.which(name)
        if found is None:
            raise FileNotFoundError(name)
        files[f"bin/{name}"] = Entry(content=Path(found).read_bytes(), mode=0o755)
        for library in _libraries(found):
            files[library.lstrip("/")] = Entry(content=Path(library).read_bytes(), mode=0o755)
    return files


def runnable_image(*names: str, command: Iterable[str] = ("/bin/sh",)) -> Image:
    """Make an image out of this machine's own programs, `sh` among them: it really runs."""
    files = programs("sh", *names)
    accounts: dict[str, bytes | Entry] = {
        "etc/passwd": b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
        "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
        "tmp": Entry(kind=tarfile.DIRTYPE, mode=0o1777),
    }
    return image(layer(files), layer(accounts), command=command)


def _libraries(program: str) -> list[str]:
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return re.findall(r"(/\S+) \(0x", done.stdout)


def _tar(files: Files) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, value in files.items():
            entry = value if isinstance(value, Entry) else Entry(content=value)
            info = tarfile.TarInfo(path)
            info.type, info.mode = entry.kind, entry.mode
            info.uid, info.gid, info.linkname = entry.uid, entry.gid, entry.link
            if entry.link and entry.kind == tarfile.REGTYPE:
                info.type = tarfile.SYMTYPE
            info.size = len(entry.content) if info.type == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(entry.content))
    return buffer.getvalue()

"""What `seawall scan` may be asked about, and where its bytes come from.

    DOCKERFILE               what it says: a file Dockerfile, *.Dockerfile or Containerfile
    PATH                     OCI layout (folder or tar), archive of docker save, root file system
    docker:NAME              an image that the engine of this machine has
    REPOSITORY[:TAG]         an image of this installation: its stored report
    HOST/REPOSITORY[:TAG]    an image of another registry, fetched now

Everything but an image of this installation is scanned here and now. What is fetched lies in an
unnamed file, or a folder of its own that is gone afterwards, and is held against its digest before
it is read.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from seawall.cli import progress
from seawall.core import limits
from seawall.core.errors import InvalidInputError, NotFoundError, UnavailableError
from seawall.oci.names import Reference

if TYPE_CHECKING:
    from seawall.cli.registry_client import RegistryClient
    from seawall.cli.scan_memory import Memory
    from seawall.config import Settings
    from seawall.engine.docker import Docker
    from seawall.oci.digest import Digest
    from seawall.oci.manifests import Descriptor, Manifest
    from seawall.oci.names import RepositoryName
    from seawall.scan.image_source import ImageSource, LayerSource
    from seawall.scan.inventory_facts import LayerFacts
    from seawall.scan.inventory_programs import Recognition
    from seawall.scan.model import Inventory

PATH_STARTS: Final = ("/", "./", "../")  # no image begins like this
ENGINE: Final = "docker:"
SAVED_MAX_BYTES: Final = 64 * limits.GIB
"""Of an image that the engine saves; it lies on the disk while it is scanned."""

ROOTS: Final = ("etc", "usr", "bin", "var", "lib", "opt")
"""A folder with one of these is taken for a root file system."""


def is_own(text: str, settings: Settings) -> bool:
    """Tell whether a target is an image of this installation. Raises InvalidInputError."""
    if text.startswith((*PATH_STARTS, ENGINE)) or Path(text).exists():
        return False
    host = Reference.parse(text).host
    return host is None or host in settings.registry_hosts


def take(
    image: ImageSource,
    memory: Memory,
    settings: Settings,
    *,
    fingerprints: Sequence[Path] = (),
    is_anew: bool = False,
    asks_clamav: bool = False,
) -> Inventory:
    """Take the inventory of an image, from memory where its layers are known.

    `fingerprints` are files of packs to use beside those of the installation; with `is_anew` all
    layers are read again, and with `asks_clamav` every file is shown to ClamAV.

    Raises NotFoundError, InvalidInputError, IntegrityError, UnavailableError …
    """
    from seawall.scan import inventory
    from seawall.scan.workers import PARALLEL, Workers

    known = {} if is_anew else memory.facts(image)
    recognition = _recognition(fingerprints, settings)
    keep = memory.keep_facts if image.is_addressed else _forget
    with progress.Bar("reading layers") as bar, Workers() as workers:
        counted = tuple(_counted(layer, bar) for layer in image.layers)
        found = inventory.take(
            counted,
            image.config,
            known=known,
            keep=keep,
            read=workers.facts_of,
            parallel=PARALLEL,
            recognition=recognition,
        )
    found = _with_notices(found, image)
    return _with_malware(found, image) if asks_clamav else found


def _with_malware(found: Inventory, image: ImageSource) -> Inventory:
    """Add what ClamAV says about the files. Raises UnavailableError."""
    from seawall.scan import malware

    socket = malware.find_socket()
    if socket is None:
        places = " or ".join(map(str, malware.SOCKETS))
        raise UnavailableError(
            f"ClamAV does not answer at {places}",
            remedy="install and start it: apt-get install clamav-daemon",
        )
    with progress.Bar("asking ClamAV") as bar:
        layers = [_counted(layer, bar) for layer in image.layers]
        told = malware.of_layers(layers, malware.Clamd(socket))
    return msgspec.structs.replace(
        found,
        weaknesses=(*found.weaknesses, *told.found),
        notices=(*found.notices, *told.notices),
        is_partial=found.is_partial or bool(told.notices),
    )


def _forget(facts: LayerFacts) -> None:
    """Keep nothing of what no digest names."""


def _recognition(files: Sequence[Path], settings: Settings) -> Recognition:
    """Return how programs are recognised: by the packs of the installation and these files.

    Raises NotFoundError, InvalidInputError for a file that is no pack; a broken pack of the
    installation is a notice in the report.
    """
    from seawall.scan.fingerprints import pack, recognising
    from seawall.scan.fingerprints.shelf import Shelf

    given = [pack.open_file(path) for path in files]
    known, troubles = Shelf(settings.fingerprints).load()
    return recognising.with_packs([*given, *known], troubles)


@contextlib.contextmanager
def opened(text: str, options: argparse.Namespace, settings: Settings) -> Iterator[ImageSource]:
    """Open a target that is no Dockerfile for reading, and close it afterwards.

    Raises NotFoundError, InvalidInputError, IntegrityError, UnavailableError …
    """
    if text.startswith(ENGINE):
        with _of_engine(text.removeprefix(ENGINE), settings) as image:
            yield image
    elif text.startswith(PATH_STARTS) or Path(text).exists():
        with _of_path(Path(text), options.platform) as image:
            yield image
    else:
        with _of_registry(text, options, settings) as image:
            yield image


def resolved(text: str, settings: Settings) -> str:
    """Return a target that names the same image later on: a name of the engine becomes its id.

    Raises NotFoundError, UnavailableError.
    """
    if not text.startswith(ENGINE):
        return text
    return ENGINE + _engine(settings).image_id(text.removeprefix(ENGINE))


def is_dockerfile(text: str) -> bool:
    """Tell whether a target is a Dockerfile, by its name."""
    name = Path(text).name.lower()
    is_named = name in ("dockerfile", "containerfile") or name.startswith("dockerfile.")
    return (is_named or name.endswith(".dockerfile")) and Path(text).is_file()


def of_dockerfile(path: Path) -> tuple[Digest, Inventory]:
    """Return what a Dockerfile says about an image that it would make."""
    from seawall.oci.digest import Digest
    from seawall.scan import instructions, misconfiguration
    from seawall.scan.model import Inventory

    with path.open("rb") as file:
        content = file.read(instructions.MAX_BYTES + 1)
    found = Inventory(
        components=(),
        distribution=None,
        notices=(),
        layers=(),
        is_partial=False,
        weaknesses=misconfiguration.of_dockerfile(content, path=str(path)),
    )
    return Digest.of(content), found


def _of_path(path: Path, platform: str) -> ImageSource:
    from seawall.scan import inventory_layouts, inventory_sources

    if not path.exists():
        raise NotFoundError(
            f"there is no {path}",
            remedy="name an OCI layout, an archive of docker save, or a root file system",
        )
    if path.is_dir() and not (path / inventory_layouts.MARK).exists():
        if any((path / name).is_dir() for name in ROOTS):
            from seawall.scan import directory_source

            return directory_source.sources_of_directory(path)
        raise InvalidInputError(
            f"{path} is not an OCI layout: it has no file {inventory_layouts.MARK}, and it is no"
            " root file system either",
            remedy="make a layout with skopeo copy … oci:DIRECTORY",
        )
    return inventory_sources.open_local(path, platform=platform)


# -- an image of the engine


@contextlib.contextmanager
def _of_engine(name: str, settings: Settings) -> Iterator[ImageSource]:
    import tempfile

    from seawall.scan import inventory_sources

    engine = _engine(settings)
    with tempfile.TemporaryDirectory(prefix="seawall-scan-") as folder:
        archive = Path(folder) / "image.tar"
        with archive.open("wb") as file, progress.Bar(f"saving {name}") as bar:
            engine.save(
                name,
                file,
                max_bytes=SAVED_MAX_BYTES,
                progress=lambda done: bar.show(done, None),
            )
        with inventory_sources.open_local(archive) as image:
            yield image


def _engine(settings: Settings) -> Docker:
    from seawall.app import engine_socket
    from seawall.engine.docker import Docker

    socket = engine_socket.find(settings)
    if socket is None:
        raise UnavailableError(
            "no engine answers on this machine",
            remedy="start it, or name its socket in the settings: engine.socket",
        )
    return Docker(socket)


# -- an image of another registry


@contextlib.contextmanager
def _of_registry(
    text: str, options: argparse.Namespace, settings: Settings
) -> Iterator[ImageSource]:
    import tempfile

    from seawall.cli import _registry_options
    from seawall.oci import manifests
    from seawall.oci.manifests import Index, Manifest
    from seawall.scan import inventory_layouts
    from seawall.scan.image_source import CONFIG_MAX_BYTES, ImageSource

    reference = _registry_options.parse_reference(text)
    with (
        _registry_options.open_client(options, reference, settings) as client,
        tempfile.TemporaryDirectory(prefix="seawall-scan-") as folder,
    ):
        fetched = client.get_manifest(reference.repository, reference.target)
        for _ in range(inventory_layouts.MAX_INDEX_DEPTH):
            parsed = manifests.parse(fetched.content, fetched.media_type)
            if not isinstance(parsed, Index):
                break
            wanted = options.platform or inventory_layouts.own_platform()
            entry = inventory_layouts.of_platform(parsed, wanted)
            fetched = client.get_manifest(reference.repository, entry.digest)
        parsed = manifests.parse(fetched.content, fetched.media_type)
        if not isinstance(parsed, Manifest):
            raise InvalidInputError(f"{text} is an index of indexes")
        yield ImageSource(
            digest=str(fetched.digest),
            name=text,
            layers=tuple(_layers(client, reference.repository, parsed, Path(folder))),
            config=client.get_blob(
                reference.repository, parsed.config.digest, max_bytes=CONFIG_MAX_BYTES
            ),
            close=lambda: None,
        )


def _layers(
    client: RegistryClient, repository: RepositoryName, manifest: Manifest, folder: Path
) -> Iterator[LayerSource]:
    from seawall.scan.image_source import LayerSource

    for number, layer in enumerate(manifest.layers):
        yield LayerSource(
            digest=str(layer.digest),
            media_type=layer.media_type,
            size=layer.size,
            open=_Download(client, repository, layer, folder / str(number)),
        )


@dataclass(frozen=True, slots=True)
class _Download:
    """Fetches a layer when it is first opened; whole and checked before a byte of it is read."""

    client: RegistryClient
    repository: RepositoryName
    layer: Descriptor
    path: Path

    def __call__(self) -> BinaryIO:
        if self.layer.urls:
            raise NotFoundError(f"the bytes of {self.layer.digest} are kept elsewhere")
        if not self.path.exists():
            self._fetch()
        return self.path.open("rb")

    def _fetch(self) -> None:
        partial, done = self.path.with_suffix(".partial"), 0
        with partial.open("wb") as file, progress.Bar(f"fetching {self.layer.digest.short}") as bar:

            def sink(piece: bytes) -> None:
                nonlocal done
                done += len(piece)
                file.write(piece)
                bar.show(done, self.layer.size)

            self.client.copy_blob(self.repository, self.layer.digest, self.layer.size, sink)
        partial.rename(self.path)


# -- progress


class _Counted(io.RawIOBase):
    """A stream that tells how far it was read."""

    def __init__(self, stream: BinaryIO, size: int, bar: progress.Bar) -> None:
        self._stream = stream
        self._size = size
        self._bar = bar
        self._done = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        piece = self._stream.read(len(buffer))
        memoryview(buffer)[: len(piece)] = piece
        self._done += len(piece)
        self._bar.show(self._done, self._size)
        return len(piece)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _counted(layer: LayerSource, bar: progress.Bar) -> LayerSource:
    def open_counted() -> BinaryIO:
        stream = _Counted(layer.open(), layer.size, bar)
        return io.BufferedReader(stream, limits.MIB)

    return msgspec.structs.replace(layer, open=open_counted) if bar.is_shown else layer


def _with_notices(found: Inventory, image: ImageSource) -> Inventory:
    if not image.notices:
        return found
    return msgspec.structs.replace(found, notices=(*found.notices, *image.notices), is_partial=True)

"""What the image's config tells about its layers (OCI image-spec config.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seawall.core import strictjson
from seawall.core.errors import SeawallError
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.scan.image_source import CONFIG_MAX_BYTES
from seawall.scan.load_path import FOLDERS, Start
from seawall.scan.model import Notice, NoticeKind

MAX_CREATED_BY: Final = 1000
"""Characters kept of one instruction."""

MAX_TEXTS: Final = 1_000
"""Of a command, and variables of the environment."""

MAX_FOLDERS: Final = 100
"""Of PATH."""

_MODULE_PATHS: Final = frozenset({"PYTHONPATH", "NODE_PATH", "GEM_PATH", "RUBYLIB", "PERL5LIB"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    created_by: tuple[str, ...]
    """One instruction for each layer, lowest first; empty where the history does not tell."""
    platform: str = ""
    digest: str = ""
    notices: tuple[Notice, ...] = ()
    start: Start | None = None
    """None when the image says nothing about what it starts, or says it wrongly."""


def read(content: bytes | None, layers: int) -> ImageConfig:
    """Read the config of an image of so many layers; a bad one becomes a notice."""
    unknown = ("",) * layers
    if content is None:
        return ImageConfig(created_by=unknown)
    digest = Digest.of(content)
    try:
        document = strictjson.decode_object(content, max_bytes=CONFIG_MAX_BYTES)
    except SeawallError as error:
        notice = Notice(kind=NoticeKind.CONFIG, message=error.message)
        return ImageConfig(created_by=unknown, digest=digest, notices=(notice,))
    parts = (_text(document, name) for name in ("os", "architecture", "variant"))
    platform = "/".join(part for part in parts if part)
    start = _start(document.get("config"))
    told = _created_by(document.get("history"))
    if told and len(told) != layers:
        message = f"the history tells of {len(told)} layers, the manifest has {layers}"
        notice = Notice(kind=NoticeKind.CONFIG, message=message)
        return ImageConfig(
            created_by=unknown, platform=platform, digest=digest, notices=(notice,), start=start
        )
    return ImageConfig(
        created_by=tuple(told) or unknown, platform=platform, digest=digest, start=start
    )


def _created_by(history: Json) -> list[str]:
    """Return the instructions of the entries that made a layer."""
    if not isinstance(history, list):
        return []
    entries = [entry for entry in history if isinstance(entry, dict)]
    return [_text(entry, "created_by") for entry in entries if entry.get("empty_layer") is not True]


def _start(config: Json) -> Start | None:
    """Return what an engine would start, by the fields of the image-spec's config.md."""
    if not isinstance(config, dict):
        return None
    words = [*_command(config.get("Entrypoint")), *_command(config.get("Cmd"))]
    if not words:
        return None
    environment = dict(word.partition("=")[::2] for word in _texts(config.get("Env")))
    folders = [folder.strip("/") for folder in environment.get("PATH", "").split(":") if folder]
    directory = config.get("WorkingDir")
    return Start(
        words=tuple(words),
        folders=tuple(folders[:MAX_FOLDERS]) or FOLDERS,
        directory=directory.strip("/") if isinstance(directory, str) else "",
        has_own_modules=not _MODULE_PATHS.isdisjoint(environment),
    )


def _command(value: Json) -> list[str]:
    """Return the words of a command; one text is a command of the shell."""
    return ["/bin/sh", "-c", value] if isinstance(value, str) else _texts(value)


def _texts(value: Json) -> list[str]:
    texts = value if isinstance(value, list) else []
    return [text for text in texts if isinstance(text, str)][:MAX_TEXTS]


def _text(document: dict[str, Json], key: str) -> str:
    value = document.get(key)
    return one_line(value) if isinstance(value, str) else ""


def one_line(text: str) -> str:
    """Return a claim of the image as one bounded line without control characters."""
    return "".join(c if c.isprintable() else " " for c in text[:MAX_CREATED_BY])

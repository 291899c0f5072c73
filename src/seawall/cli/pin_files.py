"""Which roots this person trusts, and how far each tree was seen to have come: a file for each
repository below the configuration.

A pin is written whole or not at all, and never goes back: two commands at once leave the newer
state. A file that does not parse is an error, never an unknown repository.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from seawall.core import limits, strictjson
from seawall.core.errors import InvalidInputError, SeawallError, UnavailableError
from seawall.core.strictjson import Json
from seawall.trust.tuf import metadata
from seawall.trust.tuf.chain import Pin
from seawall.trust.tuf.names import ROOT, TIMESTAMP, Gun, Role

MAX_BYTES: Final = 16 * limits.MIB
_NAME: Final = "_pin.json"  # no component of a repository's name begins so
_LOCK: Final = "_lock"


def read(folder: Path, gun: Gun) -> Pin | None:
    """Return what is pinned for `gun`; None when nothing is. Raises InvalidInputError."""
    path = _path(folder, gun)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnavailableError(f"cannot read {path}: {error.strerror}") from error
    try:
        return _parse(content)
    except SeawallError as error:
        raise InvalidInputError(
            f"the pin {path} does not parse: {error.message}",
            remedy="restore it; if you remove it, pin the repository anew with its fingerprint",
        ) from error


def remember(folder: Path, gun: Gun, pin: Pin) -> None:
    """Write `pin`, unless what is there is newer."""
    with _locked(folder, gun) as path:
        known = read(folder, gun)
        if known is None or not _is_older(pin, known):
            _write(path, _document(pin))


def replace(folder: Path, gun: Gun, pin: Pin) -> None:
    """Write `pin` whatever was there: somebody decided so."""
    with _locked(folder, gun) as path:
        _write(path, _document(pin))


def forget(folder: Path, gun: Gun) -> bool:
    """Remove the pin; tell whether there was one."""
    with _locked(folder, gun) as path:
        is_there = path.exists()
        path.unlink(missing_ok=True)
    return is_there


def _path(folder: Path, gun: Gun) -> Path:
    return folder / gun.host / gun.repository / _NAME


@contextlib.contextmanager
def _locked(folder: Path, gun: Gun) -> Iterator[Path]:
    path = _path(folder, gun)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (path.parent / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield path
    except OSError as error:
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from error


def _write(path: Path, document: dict[str, Json]) -> None:
    number, name = tempfile.mkstemp(dir=path.parent, prefix="_new")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(strictjson.encode(document))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _is_older(pin: Pin, known: Pin) -> bool:
    return _progress(pin) < _progress(known)


def _progress(pin: Pin) -> tuple[int, int]:
    root = metadata.parse(ROOT, pin.root).version if pin.root is not None else 0
    return root, pin.seen.get(TIMESTAMP, 0)


def _document(pin: Pin) -> dict[str, Json]:
    return {
        "root_key_ids": list[Json](sorted(pin.root_key_ids)),
        "root": None if pin.root is None else base64.b64encode(pin.root).decode("ascii"),
        "seen": {str(role): version for role, version in sorted(pin.seen.items())},
    }


def _parse(content: bytes) -> Pin:
    document = strictjson.decode_object(content, max_bytes=MAX_BYTES)
    if document.keys() != {"root_key_ids", "root", "seen"}:
        raise InvalidInputError("it must have root_key_ids, root and seen and nothing else")
    ids, root, seen = document["root_key_ids"], document["root"], document["seen"]
    if not isinstance(ids, list) or not isinstance(seen, dict):
        raise InvalidInputError("root_key_ids must be a list, and seen an object")
    if not isinstance(root, str | None):
        raise InvalidInputError("root must be a text")
    try:
        content = base64.b64decode(root, validate=True) if root is not None else b""
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError("root is not base64") from error
    if root is not None:
        metadata.parse(ROOT, content)
    return Pin(
        root_key_ids=frozenset(str(one) for one in ids),
        root=content if root is not None else None,
        seen={Role.parse(role): _version(version) for role, version in seen.items()},
    )


def _version(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidInputError("a version in it is not a number")
    return value

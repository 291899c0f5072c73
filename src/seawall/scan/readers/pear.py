"""What `pear` and `pecl` installed: one record for each package, as PHP serialises it.

    …/.registry/NAME.reg                         of the channel pear.php.net
    …/.registry/.channel.pecl.php.net/NAME.reg   of another channel

Official images of PHP come with PEAR, and their extensions with PECL. A record holds the package's
whole description with its list of files; only name, channel, version and licence are kept of it.
Records are read, never made into objects. (`PEAR/Registry.php`, PHP's `serialize`)
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from seawall.core.limits import MIB
from seawall.scan.model import PackageType
from seawall.scan.readers import Content, Found, Reader, Unreadable, _licenses
from seawall.scan.readers._content import DATABASE, word

MAX_BYTES: Final = 4 * MIB
MAX_DEPTH: Final = 64
MAX_VALUES: Final = 1_000_000
KEPT_DEPTH: Final = 2
KEPT_TEXT: Final = 1_024

_Array: TypeAlias = "dict[str, str | _Array]"

_START: Final = re.compile(rb's:([0-9]{1,9}):"|a:[0-9]{1,9}:\{|[ibd]:[^;]{1,40};|N;|\}')
_CHANNEL: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*(?:/[\w.-]+)?", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_VERSION: Final = re.compile(r"[0-9][\w.+~-]*", re.ASCII)


class _Kind(enum.Enum):
    SCALAR = enum.auto()
    ARRAY = enum.auto()
    END = enum.auto()


@dataclass(slots=True)
class _Open:
    """An array that has begun: keys and values follow each other."""

    kept: _Array | None
    """None when nothing of it is wanted."""
    key: str = ""
    is_waiting: bool = False
    """Whether the key's value comes next."""

    def put(self, value: str | _Array) -> None:
        if self.kept is not None:
            self.kept[self.key] = value
        self.is_waiting = False


def read_record(content: Content, path: str) -> tuple[Found, ...]:
    """Read one record, nothing when it has no version. Raises Unreadable."""
    record = _record(bytes(content))
    name, channel = word(record.get("name")), word(record.get("channel")).lower()
    version = record.get("version")
    release = word(version.get("release") if isinstance(version, dict) else version)
    fits = _NAME.fullmatch(name) and _CHANNEL.fullmatch(channel) and _VERSION.fullmatch(release)
    if not fits:
        return ()
    stated = record.get("license")
    text = stated.get("_content") if isinstance(stated, dict) else stated
    found = Found(
        type=PackageType.PEAR,
        name=f"{channel}/{name}",
        version=release,
        evidence=DATABASE,
        licenses=_licenses.normalise([text]),
    )
    return (found,)


def _record(content: bytes) -> _Array:
    """Return the texts of the outermost arrays, without recursion and without the rest."""
    root: _Array = {}
    open_: list[_Open] = [_Open(root)]
    at = 0
    for _ in range(MAX_VALUES):
        kind, text, at = _token(content, at)
        inner = open_[-1]
        if kind is _Kind.END:
            if len(open_) == 1 or inner.is_waiting:
                break
            open_.pop()
            if len(open_) == 1:
                (record,) = root.values()
                return record if isinstance(record, dict) else {}
        elif not inner.is_waiting and len(open_) > 1:
            inner.key, inner.is_waiting = text, True
        elif kind is _Kind.ARRAY and len(open_) <= MAX_DEPTH:
            array: _Array = {}
            inner.put(array)
            open_.append(_Open(array if len(open_) <= KEPT_DEPTH else None))
        elif kind is _Kind.ARRAY or len(open_) == 1:
            break
        else:
            inner.put(text)
    raise Unreadable("it is not what PHP serialises")


def _token(content: bytes, at: int) -> tuple[_Kind, str, int]:
    """Return what begins at `at`, its text, and where it ends. Raises Unreadable."""
    match = _START.match(content, at)
    if match is None:
        raise Unreadable(f"it is not what PHP serialises, at byte {at}")
    if match[1] is None:
        kind = {b"{": _Kind.ARRAY, b"}": _Kind.END}.get(match[0][-1:], _Kind.SCALAR)
        return kind, "", match.end()
    end = match.end() + int(match[1])
    if content[end : end + 2] != b'";':
        raise Unreadable(f"a text does not end where it says, at byte {at}")
    text = content[match.end() : min(end, match.end() + KEPT_TEXT)]
    return _Kind.SCALAR, text.decode("utf-8", "replace"), end + 2


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="PEAR registry",
        read=read_record,
        endings=(".reg",),
        is_wanted=lambda path: ".registry" in path.split("/")[-3:-1],
        max_bytes=MAX_BYTES,
    ),
)

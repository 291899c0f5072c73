"""PKCS#11 URIs (RFC 7512), read strictly: which token, which key, by which module.

Refused, with the way out: `pin-value` (a PIN in a command line is seen by every process and kept in
histories), a `pin-source` that runs a program, unknown and repeated attributes (another reader
could take the other one), characters that the grammar wants encoded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from seawall.trust.tokens.errors import TokenUriError

SCHEME: Final = "pkcs11:"
MAX_CHARACTERS: Final = 2048
ID_MAX_BYTES: Final = 64
SLOT_MAX: Final = 2**63 - 1

_PATH: Final = re.compile(r"(?:[A-Za-z0-9\-._~:\[\]@!$'()*+,=&]|%[0-9A-Fa-f]{2})*", re.ASCII)
_QUERY: Final = re.compile(r"(?:[A-Za-z0-9\-._~:\[\]@!$'()*+,=/?|]|%[0-9A-Fa-f]{2})*", re.ASCII)
_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
_MODULE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}", re.ASCII)
_NAME: Final = re.compile(r"[a-z-]{1,32}", re.ASCII)
_SLOT: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_TEXTS: Final = ("token", "manufacturer", "model", "serial", "object")
_IN_PATH: Final = (*_TEXTS, "id", "type", "slot-id")
_IN_QUERY: Final = ("pin-source", "module-name", "module-path")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUri:
    """What a URI asks for; None fits everything."""

    token: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    serial: str | None = None
    object: str | None = None
    """The key's label."""
    id: bytes | None = None
    slot: int | None = None
    pin_file: Path | None = None
    module_name: str | None = None
    module_path: Path | None = None

    @property
    def names_a_key(self) -> bool:
        return self.object is not None or self.id is not None

    def without_access(self) -> TokenUri:
        """Return it without module and source of the PIN: only which key it is."""
        return replace(self, pin_file=None, module_name=None, module_path=None)

    def __str__(self) -> str:
        path = [f"{name}={_encode(value)}" for name, value in self._texts()]
        if self.id is not None:
            path.append("id=" + "".join(f"%{byte:02X}" for byte in self.id))
        if self.slot is not None:
            path.append(f"slot-id={self.slot}")
        query = []
        if self.pin_file is not None:
            query.append(f"pin-source=file:{_encode(str(self.pin_file), keep=b'/')}")
        if self.module_name is not None:
            query.append(f"module-name={_encode(self.module_name)}")
        if self.module_path is not None:
            query.append(f"module-path={_encode(str(self.module_path), keep=b'/')}")
        return SCHEME + ";".join(path) + ("?" + "&".join(query) if query else "")

    def _texts(self) -> list[tuple[str, str]]:
        values = (self.token, self.manufacturer, self.model, self.serial, self.object)
        return [
            (name, value) for name, value in zip(_TEXTS, values, strict=True) if value is not None
        ]


def is_token_uri(text: str) -> bool:
    """Tell whether `text` claims to be a PKCS#11 URI."""
    return text[: len(SCHEME)].lower() == SCHEME


def parse(text: str) -> TokenUri:
    """Parse a URI. Raises TokenUriError, which never repeats the URI: a PIN may stand in it."""
    if not is_token_uri(text) or len(text) > MAX_CHARACTERS:
        raise TokenUriError(
            f"not a PKCS#11 URI of at most {MAX_CHARACTERS} characters",
            remedy="write it like pkcs11:token=NAME;object=KEY",
        )
    path, question, query = text[len(SCHEME) :].partition("?")
    places = _attributes(path, ";", _PATH, _IN_PATH)
    access = _attributes(query, "&", _QUERY, _IN_QUERY) if question else {}
    _check_type(places)
    return TokenUri(
        **{name: _text(name, places[name]) for name in _TEXTS if name in places},
        id=_id(places),
        slot=_slot(places),
        pin_file=_pin_file(access),
        module_name=_module_name(access),
        module_path=_module_path(access),
    )


def _attributes(
    text: str, separator: str, allowed: re.Pattern[str], known: tuple[str, ...]
) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in text.split(separator) if text else []:
        name, equals, value = part.partition("=")
        if name == "pin-value":
            raise TokenUriError(
                "a PIN in a URI can be read by every process of the machine",
                remedy="leave it out and be asked, or write it to a file of yours: "
                "--passphrase-file FILE, or ?pin-source=file:/path",
            )
        if not equals or name not in known:
            shown = name if _NAME.fullmatch(name) else "something"
            raise TokenUriError(
                f"{shown} is not an attribute with a value that stands there",
                remedy=f"known are {', '.join(known)}",
            )
        if name in found:
            raise TokenUriError(f"{name} is given twice")
        if allowed.fullmatch(value) is None:
            raise TokenUriError(
                f"{name} holds a character that must be encoded", remedy="write it as %XX"
            )
        found[name] = _decode(value)
    return found


def _decode(value: str) -> bytes:
    return re.sub(
        rb"%([0-9A-Fa-f]{2})", lambda match: bytes.fromhex(match[1].decode()), value.encode("ascii")
    )


def _encode(value: str, keep: bytes = b"") -> str:
    return "".join(
        chr(byte) if byte in _UNRESERVED or byte in keep else f"%{byte:02X}"
        for byte in value.encode()
    )


def _text(name: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise TokenUriError(f"{name} is not text in UTF-8") from error
    if not text.isprintable():
        raise TokenUriError(f"{name} holds a character that cannot be printed")
    return text


def _check_type(places: Mapping[str, bytes]) -> None:
    if places.get("type", b"private") != b"private":
        raise TokenUriError("type is not private: only a private key signs")


def _id(places: Mapping[str, bytes]) -> bytes | None:
    value = places.get("id")
    if value is not None and not 1 <= len(value) <= ID_MAX_BYTES:
        raise TokenUriError(f"an id has 1 to {ID_MAX_BYTES} bytes", remedy="write it like id=%02")
    return value


def _slot(places: Mapping[str, bytes]) -> int | None:
    if "slot-id" not in places:
        return None
    text = places["slot-id"].decode("latin-1")
    if _SLOT.fullmatch(text) is None or int(text) > SLOT_MAX:
        raise TokenUriError("slot-id is not a number")
    return int(text)


def _pin_file(access: Mapping[str, bytes]) -> Path | None:
    if "pin-source" not in access:
        return None
    scheme, colon, rest = _text("pin-source", access["pin-source"]).partition(":")
    if scheme != "file" or not colon:
        raise TokenUriError(
            "pin-source is not a file: no program is run for a PIN",
            remedy="write it like pin-source=file:/path",
        )
    return _absolute("pin-source", rest.removeprefix("//") if rest.startswith("///") else rest)


def _module_name(access: Mapping[str, bytes]) -> str | None:
    if "module-name" not in access:
        return None
    name = _text("module-name", access["module-name"])
    if _MODULE_NAME.fullmatch(name) is None:
        raise TokenUriError("module-name is not a bare name", remedy="write it like softhsm2")
    return name


def _module_path(access: Mapping[str, bytes]) -> Path | None:
    if "module-path" not in access:
        return None
    return _absolute("module-path", _text("module-path", access["module-path"]))


def _absolute(name: str, text: str) -> Path:
    path = Path(text)
    if not path.is_absolute() or text.startswith("//") or ".." in path.parts:
        raise TokenUriError(f"{name} is not an absolute path")
    return path

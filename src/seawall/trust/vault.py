"""Keys at a signing service: the transit engine of HashiCorp Vault and OpenBao, over HTTPS.

A key is named `vault://HOST[:PORT]/[MOUNT/]NAME?token-file=…&ca-file=…&namespace=…&version=…`. Only
the digest travels; the answer is verified under the public key that the service showed first.

Refused: plain HTTP, redirects (they would carry the token away), a token in the URI, keys other
than ecdsa-p256, answers that are too large, too slow or of another shape. Nothing is tried twice: a
service that signs again on its own account would log a signature that nobody asked for.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import ssl
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import urllib3

from seawall.core import limits, strictjson
from seawall.core.errors import (
    DeniedError,
    IntegrityError,
    InvalidInputError,
    LimitError,
    NotFoundError,
    SeawallError,
    UnavailableError,
)
from seawall.core.secret import Secret
from seawall.core.strictjson import Json
from seawall.trust import keys
from seawall.trust.errors import KeyFormatError
from seawall.trust.keys import PublicKey

SCHEME: Final = "vault"
URI_MAX_CHARACTERS: Final = 1024
CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 30
ANSWER_SECONDS: Final = 45
ANSWER_MAX_BYTES: Final = 256 * limits.KIB
PIECE_BYTES: Final = 64 * limits.KIB
TOKEN_MAX_BYTES: Final = 4096
KEY_TYPE: Final = "ecdsa-p256"
DEFAULT_MOUNT: Final = "transit"

_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII
)
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}(?:/[A-Za-z0-9_-]{1,64}){0,8}/?", re.ASCII)
_TOKEN: Final = re.compile(r"[!-~]{1,4096}", re.ASCII)
_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_SIGNATURE: Final = re.compile(r"vault:v([1-9][0-9]{0,8}):([A-Za-z0-9+/]{8,200}={0,2})", re.ASCII)
_QUERY: Final = frozenset({"token-file", "ca-file", "namespace", "version"})


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultUri:
    """Which key of which service."""

    host: str
    name: str
    mount: str = DEFAULT_MOUNT
    token_file: Path | None = None
    ca_file: Path | None = None
    namespace: str | None = None
    version: int | None = None
    """None: the newest."""


class RemoteKey:
    """A P-256 key at a service. It is a `signing.Signer`."""

    __slots__ = ("_service", "_uri", "public", "version")

    def __init__(self, service: _Service, uri: VaultUri, public: PublicKey, version: int) -> None:
        self._service = service
        self._uri = uri
        self.public = public
        self.version = version

    def sign(self, message: bytes) -> bytes:
        """Return the ECDSA signature over SHA-256 of `message`, as ASN.1 DER.

        Raises UnavailableError, DeniedError, and IntegrityError for another key's signature.
        """
        digest = hashlib.sha256(message).digest()
        wanted: dict[str, Json] = {
            "input": base64.b64encode(digest).decode(),
            "prehashed": True,
            "marshaling_algorithm": "asn1",
            "key_version": self.version,
        }
        data = self._service.call("POST", f"sign/{self._uri.name}/sha2-256", wanted)
        signature = _signature(data, self.version)
        if not self.public.has_signed(signature, message):
            raise IntegrityError(
                f"what {self._uri.host} returned is not a signature by its key {self._uri.name}"
            )
        return signature


def parse(text: str) -> VaultUri:
    """Parse a URI. Raises InvalidInputError, which never repeats the URI."""
    if len(text) > URI_MAX_CHARACTERS or not text.isascii() or not text.isprintable():
        raise InvalidInputError("the vault: URI is too long or holds strange characters")
    try:
        parts = urllib.parse.urlsplit(text)
        pairs = urllib.parse.parse_qsl(parts.query, strict_parsing=True) if parts.query else []
    except ValueError as error:
        raise InvalidInputError("the vault: URI does not parse") from error
    words = parts.path.split("/")[1:]
    is_shaped = parts.scheme == SCHEME and not parts.fragment and len(words) in (1, 2)
    if not is_shaped or not all(_NAME.fullmatch(word) for word in words):
        raise InvalidInputError(
            "not a key at a signing service", remedy="write it like vault://HOST:8200/transit/NAME"
        )
    if _HOST.fullmatch(parts.netloc) is None:
        raise InvalidInputError("the vault: URI holds no host alone (and no user or token)")
    access = dict(pairs)
    if len(access) != len(pairs) or not set(access) <= _QUERY:
        raise InvalidInputError(
            "the vault: URI holds an unknown or repeated parameter",
            remedy=f"known are {', '.join(sorted(_QUERY))}; a token comes from a file",
        )
    mount = {"mount": words[0]} if len(words) == 2 else {}
    return VaultUri(
        host=parts.netloc,
        name=words[-1],
        **mount,
        token_file=_path(access, "token-file"),
        ca_file=_path(access, "ca-file"),
        namespace=_namespace(access),
        version=_version(access),
    )


def open_key(uri: VaultUri, *, default_token_file: Path) -> RemoteKey:
    """Fetch the public key and return the key, ready to sign.

    Raises NotFoundError, DeniedError, UnavailableError, KeyFormatError for another kind of key.
    """
    service = _Service(uri, _read_token(uri.token_file or default_token_file))
    data = service.call("GET", f"keys/{uri.name}", None)
    if data.get("type") != KEY_TYPE:
        raise KeyFormatError(
            f"the key {uri.name} is of another kind than {KEY_TYPE}",
            remedy=f"make one: vault write {uri.mount}/keys/NAME type={KEY_TYPE}",
        )
    version = uri.version or _integer(data, "latest_version")
    versions = _object(data, "keys")
    if str(version) not in versions:
        raise NotFoundError(f"the key {uri.name} has no version {version}")
    pem = _object(versions, str(version)).get("public_key")
    if not isinstance(pem, str):
        raise _strange()
    return RemoteKey(service, uri, keys.parse_public(pem.encode()), version)


class _Service:
    """HTTPS to one mount of one service, with one token."""

    def __init__(self, uri: VaultUri, token: Secret) -> None:
        self._uri = uri
        self._token = token
        self._pool = urllib3.PoolManager(
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            ssl_context=_context(uri.ca_file),
        )

    def call(self, method: str, path: str, body: dict[str, Json] | None) -> dict[str, Json]:
        """Return `data` of the answer."""
        url = f"https://{self._uri.host}/v1/{self._uri.mount}/{path}"
        headers = {"X-Vault-Token": self._token.reveal(), "X-Vault-Request": "true"}
        if self._uri.namespace is not None:
            headers["X-Vault-Namespace"] = self._uri.namespace
        content = None if body is None else strictjson.encode(body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = self._pool.request(
                method, url, headers=headers, body=content, redirect=False, preload_content=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError(
                f"the signing service {self._uri.host} does not answer: {type(error).__name__}",
                remedy="look at its address, its certificate (ca-file=…) and the network",
            ) from None
        try:
            received = self._receive(answer)
        finally:
            answer.close()
        self._check(answer.status, received)
        return _data(received)

    def _receive(self, answer: urllib3.BaseHTTPResponse) -> bytes:
        ends_at, received = time.monotonic() + ANSWER_SECONDS, bytearray()
        try:
            for piece in answer.stream(PIECE_BYTES, decode_content=False):
                received += piece
                if len(received) > ANSWER_MAX_BYTES or time.monotonic() > ends_at:
                    raise LimitError(f"the answer of {self._uri.host} is too large or too slow")
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError(f"{self._uri.host} broke off its answer") from error
        return bytes(received)

    def _check(self, status: int, received: bytes) -> None:
        if status == 200:
            return
        said = _errors(received)
        host = self._uri.host
        if status in {401, 403}:
            raise DeniedError(
                f"{host} does not allow it{said}",
                remedy="log in again, or ask for the right to read and use this key",
            )
        if status == 404:
            raise NotFoundError(
                f"{host} has no key {self._uri.mount}/{self._uri.name}{said}",
                remedy=f"make one: vault write {self._uri.mount}/keys/{self._uri.name} "
                f"type={KEY_TYPE}",
            )
        raise UnavailableError(f"{host} answers {status}{said}")


def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInputError(f"{ca_file} holds no certificates in PEM") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _read_token(path: Path) -> Secret:
    try:
        with path.open("rb") as file:
            text = file.read(TOKEN_MAX_BYTES + 1).decode("ascii").strip()
    except OSError as error:
        raise NotFoundError(
            f"cannot read the token {path}: {error.strerror}",
            remedy="log in (vault login), or name it: ?token-file=/path",
        ) from error
    except UnicodeDecodeError:
        text = ""
    if _TOKEN.fullmatch(text) is None:
        raise InvalidInputError(f"{path} holds no token")
    return Secret(text)


def _data(received: bytes) -> dict[str, Json]:
    try:
        document = strictjson.decode_object(received, max_bytes=ANSWER_MAX_BYTES, max_depth=8)
    except SeawallError as error:
        raise _strange() from error
    return _object(document, "data")


def _errors(received: bytes) -> str:
    """What the service says in words, on one printable line."""
    try:
        document = strictjson.decode_object(received, max_bytes=ANSWER_MAX_BYTES, max_depth=8)
    except SeawallError:
        return ""
    errors = document.get("errors")
    texts = [text for text in errors if isinstance(text, str)] if isinstance(errors, list) else []
    line = "; ".join(texts)
    shown = "".join(character if character.isprintable() else " " for character in line)[:200]
    return f": {shown}" if shown else ""


def _signature(data: dict[str, Json], version: int) -> bytes:
    text = data.get("signature")
    match = _SIGNATURE.fullmatch(text) if isinstance(text, str) else None
    if match is None or int(match[1]) != version:
        raise _strange()
    try:
        signature = base64.b64decode(match[2], validate=True)
        keys.check_signature_form(signature)
    except (binascii.Error, InvalidInputError) as error:
        raise _strange() from error
    return signature


def _object(document: dict[str, Json], name: str) -> dict[str, Json]:
    value = document.get(name)
    if not isinstance(value, dict):
        raise _strange()
    return value


def _integer(document: dict[str, Json], name: str) -> int:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _strange()
    return value


def _path(access: dict[str, str], name: str) -> Path | None:
    if name not in access:
        return None
    path = Path(access[name])
    if not path.is_absolute():
        raise InvalidInputError(f"{name} is not an absolute path")
    return path


def _namespace(access: dict[str, str]) -> str | None:
    value = access.get("namespace")
    if value is not None and _NAMESPACE.fullmatch(value) is None:
        raise InvalidInputError("namespace is not a name like team/release")
    return value


def _version(access: dict[str, str]) -> int | None:
    value = access.get("version")
    if value is None:
        return None
    if _VERSION.fullmatch(value) is None:
        raise InvalidInputError("version is not a number from 1 on")
    return int(value)


def _strange() -> UnavailableError:
    return UnavailableError(
        "the signing service answers in a way that is not the transit engine's",
        remedy="look at the address and the mount in the vault: URI",
    )

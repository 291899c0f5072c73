"""Key files that say "this key is on a token": small JSON beside the .pub file.

They let `--key NAME` mean a key on a token. Such a file travels like any other, so it is believed
in nothing that could hurt: it cannot name a module (native code) or a source of the PIN, and the
key that it leads to must be the public key that it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seawall.core import strictjson
from seawall.core.errors import SeawallError
from seawall.trust import keys
from seawall.trust.errors import KeyFormatError
from seawall.trust.keys import PublicKey
from seawall.trust.tokens import uri as uris
from seawall.trust.tokens.cryptoki import Touch
from seawall.trust.tokens.uri import TokenUri

KIND: Final = "seawall-token-key"
MAX_BYTES: Final = 8 * 1024
_FIELDS: Final = frozenset({"kind", "uri", "public", "touch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReference:
    """Which key on which token."""

    uri: TokenUri
    public: PublicKey
    touch: Touch


def encode(reference: TokenReference) -> bytes:
    """Return the file. Raises KeyFormatError for a URI that does not name its key."""
    _check(reference.uri)
    return strictjson.encode(
        {
            "kind": KIND,
            "uri": str(reference.uri),
            "public": reference.public.pem.decode(),
            "touch": reference.touch.value,
        }
    )


def parse(content: bytes) -> TokenReference:
    """Parse the file. Raises KeyFormatError or TokenUriError."""
    try:
        document = strictjson.decode_object(content, max_bytes=MAX_BYTES, max_depth=2)
    except SeawallError as error:
        raise KeyFormatError(f"the key file does not parse: {error.message}") from error
    if document.get("kind") != KIND or set(document) != _FIELDS:
        raise KeyFormatError("the key file is not a reference to a key on a token")
    texts = [document[name] for name in ("uri", "public", "touch")]
    uri, public, touch = (text if isinstance(text, str) else "" for text in texts)
    if touch not in {*Touch}:
        raise KeyFormatError(f"the key file names no touch policy: {touch[:20]!r}")
    parsed = uris.parse(uri)
    _check(parsed)
    return TokenReference(uri=parsed, public=keys.parse_public(public.encode()), touch=Touch(touch))


def _check(uri: TokenUri) -> None:
    if uri != uri.without_access():
        raise KeyFormatError(
            "a key file must not name a PKCS#11 module or a source of the PIN",
            remedy="give both at the command line: --key 'pkcs11:…?module-path=…', or "
            "SEAWALL_PKCS11_MODULE and --passphrase-file",
        )
    if not uri.names_a_key:
        raise KeyFormatError("the key file does not say which key of the token it is")

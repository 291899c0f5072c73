"""What goes wrong with tokens. None of these ever holds a PIN.

InvalidInputError
├── TokenUriError           not a PKCS#11 URI, or one that asks for what is refused
└── SeveralKeysError        the URI fits more than one key or token
NotFoundError
├── NoModuleError           there is no PKCS#11 module
├── NoTokenError            no token fits
└── NoKeyError              the token has no such key
DeniedError
├── PinError                the PIN is wrong, or the token takes none any more
└── UnsafeModuleError       others than its owner could replace the module
UnavailableError
├── TokenRemovedError       the token is gone
└── TokenFailedError        the token or its module did not do what was asked
"""

from __future__ import annotations

from seawall.core.errors import DeniedError, InvalidInputError, NotFoundError, UnavailableError


class TokenUriError(InvalidInputError):
    """Not a PKCS#11 URI (RFC 7512), or one that asks for what is refused."""

    code = "token-uri"


class SeveralKeysError(InvalidInputError):
    """The URI fits more than one key or token, and none is chosen by chance."""

    code = "several-token-keys"


class NoModuleError(NotFoundError):
    """There is no PKCS#11 module to speak to a token with."""

    code = "no-token-module"


class NoTokenError(NotFoundError):
    """No token fits the URI."""

    code = "no-token"


class NoKeyError(NotFoundError):
    """The token has no such key."""

    code = "no-token-key"


class PinError(DeniedError):
    """The PIN is wrong, or the token takes none any more."""

    code = "wrong-pin"


class UnsafeModuleError(DeniedError):
    """Others than its owner could replace the module, and it would run in this process."""

    code = "unsafe-token-module"


class TokenRemovedError(UnavailableError):
    """The token was there and is gone."""

    code = "token-removed"


class TokenFailedError(UnavailableError):
    """The token or its module did not do what was asked."""

    code = "token-failed"

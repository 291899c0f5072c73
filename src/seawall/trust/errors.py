"""What the trust room raises on purpose.

InvalidInputError
└── KeyFormatError      a key is not in a form, or of a kind, that we use
DeniedError
└── PassphraseError     the passphrase does not open the key
"""

from __future__ import annotations

from seawall.core.errors import DeniedError, InvalidInputError


class KeyFormatError(InvalidInputError):
    """A key is not in a form, or of a kind, that Seawall uses."""

    code = "key-format"


class PassphraseError(DeniedError):
    """The passphrase does not open the key."""

    code = "wrong-passphrase"

"""Tokens at the command line: the modules of the settings, and the PIN that a person types.

A PIN comes from a file or a prompt, never from the command line; it is asked for once per token.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seawall.config import Settings
    from seawall.core.secret import Secret
    from seawall.trust.keys import PublicKey
    from seawall.trust.signing import Signer
    from seawall.trust.tokens.cryptoki import Token, Touch
    from seawall.trust.tokens.key import AskPin, TokenKey, Tokens
    from seawall.trust.tokens.uri import TokenUri


def tokens_of(settings: Settings) -> Tokens:
    """Return the tokens of this machine. One for the process: a token knows one login at a time."""
    return _tokens(settings.token_modules)


def ask_pin(file: Path | None, *, option: str = "--passphrase-file") -> AskPin:
    """Return what asks for a PIN: the file, the token's own keypad, or a prompt."""

    def ask(token: Token) -> Secret | None:
        from seawall.cli import passphrases

        if file is None and token.has_keypad:
            print(f"type the PIN of {token.title} on its keypad now", file=sys.stderr, flush=True)
            return None
        return passphrases.read(file, prompt=f"PIN of {token.title}", option=option)

    return ask


def announced(key: TokenKey, known: Touch | None = None) -> Signer:
    """Return the key so that it says when to touch the token, before each signature.

    `known` is what the key file says, for tokens that do not tell it themselves.
    """
    from seawall.trust.tokens.cryptoki import Touch

    touch = known if known and key.touch is Touch.UNKNOWN else key.touch
    words = {
        Touch.ALWAYS: f"touch your key now: {key.token.title}",
        Touch.CACHED: f"touch your key now, once is enough for 15 seconds: {key.token.title}",
        Touch.UNKNOWN: f"touch your key if it blinks: {key.token.title}",
    }
    return AnnouncedSigner(key, words[touch], _say) if touch in words else key


class AnnouncedSigner:
    """A signer that says so before it signs: a touch is waited for only some seconds."""

    def __init__(self, signer: Signer, words: str, say: Callable[[str], None]) -> None:
        self._signer = signer
        self._words = words
        self._say = say

    @property
    def public(self) -> PublicKey:
        return self._signer.public

    def sign(self, message: bytes) -> bytes:
        self._say(self._words)
        return self._signer.sign(message)


def open_key(
    uri: TokenUri,
    settings: Settings,
    file: Path | None,
    *,
    expected: PublicKey | None = None,
    touch: Touch | None = None,
) -> Signer:
    """Open the key that a URI names; the PIN comes from the URI's file, `file`, or a prompt."""
    ask = ask_pin(uri.pin_file or file)
    return announced(tokens_of(settings).open_key(uri, ask_pin=ask, expected=expected), touch)


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


@functools.cache
def _tokens(modules: tuple[Path, ...]) -> Tokens:
    from seawall.trust.tokens.key import Tokens
    from seawall.trust.tokens.modules import InstalledModules

    return Tokens(InstalledModules(modules))

"""Signed notes and checkpoints as C2SP defines them (signed-note, tlog-checkpoint,
tlog-cosignature), strictly.

    <origin>
    <number of leaves>
    <base64 of the root hash>

    — <name> <base64(4 bytes of the key's id ‖ signature)>

The log itself signs with P-256 (the key's id as Rekor has it: the beginning of the SHA-256 of its
SPKI), witnesses with Ed25519 over a text that holds their time too.

Refused: other line ends, control characters, numbers with leading zeros, base64 that is not in its
one form, lines after the signatures, and notes larger than any real one.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from typing import Final

import nacl.exceptions
import nacl.signing

from seawall.core.errors import InvalidInputError, LimitError
from seawall.trust.keys import PublicKey
from seawall.trust.log.merkle import HASH_BYTES, MAX_SIZE
from seawall.trust.signing import Signer

NOTE_MAX_BYTES: Final = 64 * 1024
MAX_SIGNATURES: Final = 64
NAME_MAX_CHARACTERS: Final = 255
KEY_HINT_BYTES: Final = 4
COSIGNATURE_TYPE: Final = 0x04
COSIGNATURE_BYTES: Final = 8 + 64

_DASH: Final = "— "
_NAME: Final = re.compile(r"[!-*,-~]{1,255}", re.ASCII)  # printable, no blank, no "+"
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One line below a note. `hint` and `name` only say which key to try."""

    name: str
    hint: bytes
    signature: bytes

    @property
    def line(self) -> str:
        return f"{_DASH}{self.name} {_b64(self.hint + self.signature)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text with signatures. Nothing is verified by parsing it."""

    text: str
    """What is signed, its last line break included."""
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return f"{self.text}\n" + "".join(one.line for one in self.signatures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How large a log is, and the root of its tree."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessKey:
    """The public half of a witness: its name and 32 bytes of Ed25519."""

    name: str
    public: bytes

    @property
    def hint(self) -> bytes:
        """Its id (tlog-cosignature, "Format")."""
        content = self.name.encode() + b"\n" + bytes([COSIGNATURE_TYPE]) + self.public
        return hashlib.sha256(content).digest()[:KEY_HINT_BYTES]

    def __str__(self) -> str:
        """Return the key as C2SP writes it: `name+id+base64`."""
        return f"{self.name}+{self.hint.hex()}+{_b64(bytes([COSIGNATURE_TYPE]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> WitnessKey:
        """Parse `name+id+base64`. Raises InvalidInputError."""
        name, _, rest = text.strip().partition("+")
        hint, _, encoded = rest.partition("+")
        content = _unb64(encoded, "the witness's key")
        if content[:1] != bytes([COSIGNATURE_TYPE]) or len(content) != 33:
            raise InvalidInputError(
                "the key is not that of a witness",
                remedy="give what `seawall log witness-key` printed: NAME+ID+BASE64",
            )
        key = cls(name=check_name(name), public=content[1:])
        if key.hint.hex() != hint:
            raise InvalidInputError("the witness's key does not fit its id")
        return key


def check_name(name: str) -> str:
    """Return `name` if it can stand for a key. Raises InvalidInputError."""
    if _NAME.fullmatch(name) is None:
        raise InvalidInputError(
            f"{name[:80]!r} cannot name a log or a witness",
            remedy="use a host such as log.example, without blanks and +",
        )
    return name


def parse(content: bytes) -> Note:
    """Parse a signed note with at least one signature. Raises InvalidInputError or LimitError."""
    if len(content) > NOTE_MAX_BYTES:
        raise LimitError(f"a note of {len(content)} bytes, more than {NOTE_MAX_BYTES}")
    try:
        whole = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError("the note is not UTF-8") from error
    if any(ord(c) < 0x20 and c != "\n" for c in whole):
        raise InvalidInputError("the note holds control characters")
    text, blank, below = whole.rpartition("\n\n")
    if not blank or not text or not below.endswith("\n"):
        raise InvalidInputError("the note has no signatures below its text")
    lines = below[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise LimitError(f"more than {MAX_SIGNATURES} signatures on a note")
    return Note(text=f"{text}\n", signatures=tuple(parse_signature(line) for line in lines))


def parse_signature(line: str) -> Signature:
    """Parse one line, without its line break. Raises InvalidInputError."""
    name, blank, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not blank or len(line) > 4096:
        raise InvalidInputError("a line below the note is no signature")
    content = _unb64(encoded, "a note's signature")
    if len(content) <= KEY_HINT_BYTES:
        raise InvalidInputError("a note's signature is too short")
    return Signature(
        name=check_name(name),
        hint=content[:KEY_HINT_BYTES],
        signature=content[KEY_HINT_BYTES:],
    )


def parse_checkpoint(text: str) -> Checkpoint:
    """Parse the text of a checkpoint: three lines and no more. Raises InvalidInputError."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise InvalidInputError("a checkpoint has three lines: origin, size, root")
    origin, size, encoded = lines[:3]
    if not origin or len(origin) > NAME_MAX_CHARACTERS:
        raise InvalidInputError("the checkpoint names no log")
    if _NUMBER.fullmatch(size) is None or int(size) > MAX_SIZE:
        raise InvalidInputError("the checkpoint's size is no number")
    root = _unb64(encoded, "the checkpoint's root")
    if len(root) != HASH_BYTES:
        raise InvalidInputError(f"the checkpoint's root has {len(root)} bytes, not {HASH_BYTES}")
    return Checkpoint(origin=origin, size=int(size), root=root)


def sign(checkpoint: Checkpoint, signer: Signer, *, name: str) -> Note:
    """Return the checkpoint, signed by its log, whose key is called `name`."""
    text = checkpoint.text
    line = Signature(
        name=check_name(name),
        hint=log_hint(signer.public),
        signature=signer.sign(text.encode()),
    )
    return Note(text=text, signatures=(line,))


def log_hint(key: PublicKey) -> bytes:
    """Return the beginning of the log's id, by which its lines are found."""
    return bytes.fromhex(key.key_id)[:KEY_HINT_BYTES]


def is_signed_by_log(note: Note, key: PublicKey) -> bool:
    """Tell whether one of the signatures is the log's own."""
    message, hint = note.text.encode(), log_hint(key)
    return any(
        one.hint == hint and key.has_signed(one.signature, message) for one in note.signatures
    )


# -- witnesses


def cosign(text: str, *, name: str, key: nacl.signing.SigningKey, now: dt.datetime) -> Signature:
    """Return a witness's line for the text of a checkpoint (tlog-cosignature)."""
    seconds = int(now.timestamp())
    signed = key.sign(_cosigned(text, seconds)).signature
    public = WitnessKey(name=check_name(name), public=bytes(key.verify_key))
    return Signature(name=name, hint=public.hint, signature=seconds.to_bytes(8, "big") + signed)


def cosigned_at(text: str, line: Signature, key: WitnessKey) -> dt.datetime | None:
    """Return when the witness co-signed `text`; None when the line is not a signature of its."""
    if line.name != key.name or line.hint != key.hint or len(line.signature) != COSIGNATURE_BYTES:
        return None
    seconds = int.from_bytes(line.signature[:8], "big")
    try:
        verifier = nacl.signing.VerifyKey(key.public)
        verifier.verify(_cosigned(text, seconds), line.signature[8:])
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (nacl.exceptions.CryptoError, ValueError, OverflowError, OSError):
        return None


def _cosigned(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _unb64(text: str, what: str) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError(f"{what} is not base64") from error
    if _b64(content) != text:  # bits beyond the end: a second spelling of the same bytes
        raise InvalidInputError(f"{what} is not in the one form of base64")
    return content

"""Content digests (OCI image-spec, descriptor.md, "Digests").

Only `sha256` and `sha512` with lower-case hex of the exact length exist; everything else is
refused at the door, so that inside nobody checks again.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from seawall.core.errors import InvalidInputError

_PATTERN: Final = re.compile(r"(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})", re.ASCII)


class Digest(str):
    """A digest that cannot be malformed: `sha256:…` or `sha512:…`.

    It is a `str`, so it sorts, hashes, formats and is stored as one. Construct it with
    `Digest.parse` (from outside) or `Digest.of` (from bytes).
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Raises InvalidInputError unless `text` is a well-formed digest."""
        if _PATTERN.fullmatch(text) is None:
            raise InvalidInputError(
                f"{text[:150]!r} is not a digest", remedy="use sha256:<64 lower-case hex digits>"
            )
        return cls(text)

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Digest:
        """Return the digest of `content`."""
        return cls(f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")

    @property
    def algorithm(self) -> str:
        return self.partition(":")[0]

    @property
    def hex(self) -> str:
        return self.partition(":")[2]

    @property
    def short(self) -> str:
        """The first twelve hex digits: for people, never for decisions."""
        return self.hex[:12]

    def is_of(self, content: bytes) -> bool:
        """Tell whether these are the bytes that the digest names."""
        return Digest.of(content, self.algorithm) == self


def is_digest(text: str) -> bool:
    """Tell whether `text` is a well-formed digest."""
    return _PATTERN.fullmatch(text) is not None

"""The challenge of a registry that wants to know who is asking (RFC 7235; Docker's token spec)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_CHARACTERS: Final = 8192
_PARAMETER: Final = re.compile(r'([A-Za-z_]{1,40})="([^"]*)"', re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What `WWW-Authenticate` asks for. Its scope is ignored: we know what we want to do."""

    scheme: str  # lower case; empty when there is none
    realm: str
    service: str

    @classmethod
    def parse(cls, header: str) -> Challenge:
        """Parse the first challenge; what does not parse is an empty one."""
        scheme, _, rest = header[:MAX_CHARACTERS].strip().partition(" ")
        parameters = {name.lower(): value for name, value in _PARAMETER.findall(rest)}
        return cls(
            scheme=scheme.lower(),
            realm=parameters.get("realm", ""),
            service=parameters.get("service", ""),
        )

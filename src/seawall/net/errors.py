"""What can go wrong on the way out.

SeawallError
├── DeniedError
│   └── ForbiddenAddressError   the way leads to a place where Seawall must not go
└── UnavailableError
    └── FetchError              the other side does not answer, or not with what was asked for
"""

from __future__ import annotations

from seawall.core.errors import DeniedError, UnavailableError


class ForbiddenAddressError(DeniedError):
    """A redirect or a name leads into a private network, or the connection would be readable."""

    code = "forbidden-address"


class FetchError(UnavailableError):
    """A download failed; what was received is kept for the next attempt where that is sound."""

    code = "fetch-failed"

"""Errors of this room.

SeawallError
└── InvalidCredentialsError   password, token, session or certificate proves nobody
"""

from __future__ import annotations

from seawall.core.errors import SeawallError


class InvalidCredentialsError(SeawallError):
    """What was shown as proof proves nobody. The message never tells which part was wrong."""

    code = "invalid-credentials"

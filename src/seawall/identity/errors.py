"""Errors of this room.

SeawallError
├── InvalidCredentialsError   password, token, session or certificate proves nobody
└── LimitError
    └── TooManyAttemptsError  guessing is slowed down; carries how long to wait
"""

from __future__ import annotations

import datetime as dt

from seawall.core.errors import LimitError, SeawallError


class InvalidCredentialsError(SeawallError):
    """What was shown as proof proves nobody. The message never tells which part was wrong."""

    code = "invalid-credentials"


class TooManyAttemptsError(LimitError):
    """Too many failed attempts; `retry_after` says how long to wait before the next."""

    code = "too-many-attempts"

    def __init__(self, retry_after: dt.timedelta) -> None:
        seconds = max(1, round(retry_after.total_seconds()))
        super().__init__("too many failed attempts", remedy=f"try again in {seconds} s")
        self.retry_after = retry_after

"""What this room announces. No event holds a secret, nor a name that somebody merely typed."""

from __future__ import annotations

from seawall import audit


class UserCreated(audit.Event, frozen=True, kw_only=True):
    name: str
    is_administrator: bool


class UserDisabled(audit.Event, frozen=True, kw_only=True):
    name: str


class UserEnabled(audit.Event, frozen=True, kw_only=True):
    name: str


class PasswordChanged(audit.Event, frozen=True, kw_only=True):
    name: str


class GrantAdded(audit.Event, frozen=True, kw_only=True):
    subject: str
    pattern: str
    actions: list[str]


class GrantRemoved(audit.Event, frozen=True, kw_only=True):
    subject: str
    pattern: str


class LoginSucceeded(audit.Event, frozen=True, kw_only=True):
    """A person signed in to the pages. Tokens for pushes and pulls are not recorded one by one."""

    name: str


class LoginFailed(audit.Event, frozen=True, kw_only=True):
    """A wrong password. `name` is empty unless the user exists: people type passwords there.

    Recorded for the 1st, 2nd, 4th, 8th … failure in a row and at a bounded rate in all;
    `unrecorded` counts what was left out since the last one.
    """

    name: str
    failures: int
    unrecorded: int


class ClientCertificateIssued(audit.Event, frozen=True, kw_only=True):
    name: str
    serial: str
    expires: str


class ClientCertificateRevoked(audit.Event, frozen=True, kw_only=True):
    name: str
    serial: str

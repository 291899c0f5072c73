"""What a connection was opened for; its transaction begins accordingly."""

from __future__ import annotations

import enum
from typing import Final

import sqlalchemy as sa

OPTION: Final = "seawall_access"


class Access(enum.Enum):
    """The three kinds of transactions of `Database`."""

    READ = enum.auto()
    WRITE = enum.auto()
    BESIDE = enum.auto()


def access_of(connection: sa.Connection) -> Access:
    """Return what the connection was opened for; reading, when nobody said."""
    access: Access = connection.get_execution_options().get(OPTION, Access.READ)
    return access

"""Keys that the server holds: sealed at rest, each for its place."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

from seawall.core.errors import IntegrityError
from seawall.oci.names import RepositoryName
from seawall.store import Database
from seawall.trust import _sql
from seawall.trust.at_rest import SealingKey
from seawall.trust.server_keys import ServerKeys
from seawall.trust.tuf.names import SNAPSHOT, TIMESTAMP, Gun

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
GUN = Gun.of("registry.test", RepositoryName("team/app"))


def test_keys_open_again_under_the_same_sealing_key(database: Database, tmp_path: Path) -> None:
    with database.write() as connection:
        issued = ServerKeys(SealingKey.open(tmp_path / "at-rest.key")).issue(
            connection, GUN, TIMESTAMP, NOW
        )
    with database.read() as connection:
        held = ServerKeys(SealingKey.open(tmp_path / "at-rest.key")).held(connection, GUN)
    assert (issued.key,) == tuple(one.key for one in held[TIMESTAMP])
    assert () == held[SNAPSHOT]
    signature = held[TIMESTAMP][0].sign(b"message")
    assert issued.key.has_signed("eddsa", signature.value, b"message")


def test_another_sealing_key_opens_nothing(database: Database) -> None:
    with database.write() as connection:
        ServerKeys(SealingKey(bytes(32))).issue(connection, GUN, TIMESTAMP, NOW)
    with database.read() as connection, pytest.raises(IntegrityError):
        ServerKeys(SealingKey(b"1" * 32)).held(connection, GUN)


@pytest.mark.parametrize("column", [{"gun": "registry.test/other"}, {"role": "snapshot"}])
def test_a_row_moved_to_another_place_does_not_open(
    database: Database, column: dict[str, str]
) -> None:
    keys = ServerKeys(SealingKey(bytes(32)))
    with database.write() as connection:
        keys.issue(connection, GUN, TIMESTAMP, NOW)
        connection.execute(sa.update(_sql.tuf_keys).values(**column))
    with database.read() as connection, pytest.raises(IntegrityError):
        keys.held(connection, Gun(column.get("gun", GUN)))

"""Fixtures that every suite uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from seawall.app.databases import TABLES
from seawall.store import Database
from seawall.testing import databases
from seawall.testing.clocks import FakeClock
from seawall.testing.postgresql import why_no_server

# Speed is measured in bench/, never by a test: a busy machine must not fail one.
hypothesis.settings.register_profile(
    "house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("house")

ROOMS_WITH_TABLES = {*TABLES, "store"}

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of every room with tables on every kind of database."""
    said = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "database_kind" in said:
        return
    if "database" in metafunc.fixturenames and ROOMS_WITH_TABLES & set(
        metafunc.definition.path.parts
    ):
        metafunc.parametrize("database_kind", databases.KINDS, indirect=True)


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", databases.SQLITE)


@pytest.fixture
def database(
    tmp_path: Path, database_kind: str, request: pytest.FixtureRequest
) -> Iterator[Database]:
    if database_kind == databases.SQLITE:
        database = databases.fresh_database(tmp_path)
        yield database
        database.close()
        return
    with request.getfixturevalue("postgresql").opened() as database:
        yield database


@pytest.fixture(scope="session")
def postgresql_servers() -> Iterator[databases.Servers]:
    servers = databases.Servers()
    yield servers
    servers.close()


@pytest.fixture
def postgresql(postgresql_servers: databases.Servers) -> databases.Servers:
    """The private PostgreSQL of this session; a test that needs it skips when it is absent."""
    if reason := why_no_server():
        pytest.skip(reason)
    return postgresql_servers


@pytest.fixture
def postgresql_url(postgresql: databases.Servers) -> Iterator[str]:
    """An own database on the private PostgreSQL, with the schema and nothing else."""
    with postgresql.fresh() as name:
        yield postgresql.server.url(name)


@pytest.fixture
def shared() -> Path:
    """The folder of fixtures beside the checkout; a test that needs it skips when it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs the shared fixtures beside the checkout, and they are absent")
    return SHARED

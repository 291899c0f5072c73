"""Fixtures that every suite uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from seawall.store import Database
from seawall.testing.clocks import FakeClock
from seawall.testing.databases import fresh_database

# Speed is measured in bench/, never by a test: a busy machine must not fail one.
hypothesis.settings.register_profile(
    "house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("house")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = fresh_database(tmp_path)
    yield database
    database.close()


@pytest.fixture
def shared() -> Path:
    """The folder of fixtures beside the checkout; a test that needs it skips when it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs the shared fixtures beside the checkout, and they are absent")
    return SHARED

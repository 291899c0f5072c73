"""Real programs: each test says which it needs, and skips with the reason where one is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from seawall.testing import engines


@pytest.fixture(scope="session")
def need() -> Callable[..., None]:
    """Skip the test, saying why, unless all the named programs are installed."""

    def check(*programs: str) -> None:
        for program in programs:
            if shutil.which(program) is None:
                pytest.skip(f"needs the program {program}, and it is not installed")

    return check


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[engines.Engine]:
    """A private Docker Engine, one for the whole run: give images and containers own names."""
    reason = engines.why_no_engine()
    if reason:
        pytest.skip(reason)
    with engines.private_engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine

"""Names and passwords at a door."""

from __future__ import annotations

import asyncio
import base64
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError, UnavailableError
from seawall.identity.model import User
from seawall.ingress import credentials
from seawall.ingress.credentials import Credentials
from seawall.testing.clocks import FakeClock


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alice:secret", ("alice", "secret")),
        ("alice:se:cr:et", ("alice", "se:cr:et")),
        ("alice:", ("alice", "")),
        (":secret", ("", "secret")),
        ("ä:ö", ("ä", "ö")),
    ],
)
def test_basic_is_split_at_the_first_colon(text: str, expected: tuple[str, str]) -> None:
    encoded = base64.b64encode(text.encode()).decode()
    assert expected == credentials.parse_basic(f"Basic {encoded}")
    assert expected == credentials.parse_basic(f"basic  {encoded}")


@pytest.mark.parametrize(
    "header", ["", "Basic", "Bearer YTpi", "Basic YQ==", "Basic YTpi!", "Basic YTpi\nYTpi",
               "Basic YToAYg==", "Basic /zo=", "Basic " + "YTpi" * 1000]
)  # fmt: skip
def test_refuses_what_is_no_basic(header: str) -> None:
    with pytest.raises(InvalidInputError):
        credentials.parse_basic(header)


@given(st.text(max_size=60))
def test_any_header_parses_or_is_refused(header: str) -> None:
    try:
        credentials.parse_basic(header)
    except InvalidInputError:
        return


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("x", "unknown"),
    ],
)
def test_an_address_counts_as(address: str, expected: str) -> None:
    assert expected == credentials.address_key(address)


class SlowUsers:
    """Holds every password until it is released, and counts how many it holds."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.release = threading.Event()
        self.inside = 0
        self.most = 0
        self._lock = threading.Lock()

    def authenticate(self, _name: str, _password: str) -> User:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.release.wait(60)
        with self._lock:
            self.inside -= 1
        return self.user


async def test_only_a_few_threads_are_taken_however_many_ask(clock: FakeClock) -> None:
    user = User(name="a", is_administrator=False, is_disabled=False, created=clock.now())
    users = SlowUsers(user)
    door = Credentials(users, clock)  # type: ignore[arg-type]
    asked = [
        asyncio.ensure_future(door.authenticate("a", "b", address="192.0.2.1"))
        for _ in range(credentials.MAX_WAITING + credentials.AT_ONCE + 20)
    ]
    done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    assert all(isinstance(task.exception(), UnavailableError) for task in done)
    while users.inside < credentials.AT_ONCE:  # until as many threads as may are inside
        await asyncio.sleep(0.01)
    users.release.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert credentials.AT_ONCE == users.most
    assert credentials.MAX_WAITING <= answers.count(user)

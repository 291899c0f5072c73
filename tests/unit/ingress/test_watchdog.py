"""Bounds on connections, with a loop's time that moves only when told."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from seawall.ingress.watchdog import Connections, Guard, Limits

LIMITS = Limits(
    head_seconds=10,
    body_window_seconds=30,
    body_min_bytes=1000,
    answer_stall_seconds=120,
    connections_per_address=2,
    connections=3,
)


class FakeTransport(asyncio.Transport):
    def __init__(self, peer: object) -> None:
        super().__init__({"peername": peer})
        self.is_aborted = False
        self.reading = True

    def abort(self) -> None:
        self.is_aborted = True

    def is_reading(self) -> bool:
        return self.reading

    def is_closing(self) -> bool:
        return self.is_aborted


class Inner(asyncio.Protocol):
    def __init__(self) -> None:
        self.calls: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.calls.append("made")

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append("lost")

    def data_received(self, data: bytes) -> None:
        self.calls.append(data.decode())


class Street:
    """Opens connections and lets time pass."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.connections = Connections(LIMITS)

    def connect(self, peer: object = ("192.0.2.1", 1)) -> tuple[Guard, FakeTransport, Inner]:
        inner, transport = Inner(), FakeTransport(peer)
        guard = Guard(inner, self.connections, lambda: self.now)
        guard.connection_made(transport)
        return guard, transport, inner

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.connections.sweep(self.now)


def request(*, is_eof: bool) -> Any:
    return SimpleNamespace(content=SimpleNamespace(is_eof=lambda: is_eof))


@pytest.fixture
def street() -> Street:
    return Street()


def test_everything_is_passed_on(street: Street) -> None:
    guard, _, inner = street.connect()
    guard.data_received(b"abc")
    guard.connection_lost(None)
    assert ["made", "abc", "lost"] == inner.calls
    assert 0 == len(street.connections)


def test_a_head_that_does_not_come_or_come_whole_is_cut_off(street: Street) -> None:
    _, silent, _ = street.connect()
    dripping_guard, dripping, _ = street.connect()
    for _ in range(11):
        assert not dripping.is_aborted
        street.wait(1)
        dripping_guard.data_received(b"G")
    assert (True, True) == (silent.is_aborted, dripping.is_aborted)


def test_a_second_head_has_its_own_time(street: Street) -> None:
    guard, transport, _ = street.connect()
    guard.begin(request(is_eof=True))
    street.wait(1000)
    guard.end()
    street.wait(60)
    assert not transport.is_aborted
    guard.data_received(b"G")
    street.wait(11)
    assert transport.is_aborted


def test_a_body_that_drips_is_cut_off(street: Street) -> None:
    guard, transport, _ = street.connect()
    guard.begin(request(is_eof=False))
    for _ in range(31):
        street.wait(1)
        guard.data_received(b"x" * 10)
    assert transport.is_aborted


def test_a_body_that_flows_or_that_we_do_not_read_goes_on(street: Street) -> None:
    flowing_guard, flowing, _ = street.connect()
    flowing_guard.begin(request(is_eof=False))
    waiting_guard, waiting, _ = street.connect()
    waiting_guard.begin(request(is_eof=False))
    waiting.reading = False
    for _ in range(100):
        street.wait(1)
        flowing_guard.data_received(b"x" * 100)
    assert (False, False) == (flowing.is_aborted, waiting.is_aborted)


def test_a_client_that_does_not_take_its_answer_is_cut_off(street: Street) -> None:
    guard, transport, _ = street.connect()
    guard.begin(request(is_eof=True))
    guard.pause_writing()
    street.wait(119)
    guard.resume_writing()
    guard.pause_writing()
    street.wait(119)
    assert not transport.is_aborted
    street.wait(2)
    assert transport.is_aborted


def test_one_address_cannot_take_all_connections(street: Street) -> None:
    first, _, _ = street.connect()
    street.connect()
    third_guard, third, inner = street.connect()
    third_guard.connection_lost(None)
    assert third.is_aborted
    assert [] == inner.calls
    _, other, _ = street.connect(("192.0.2.2", 1))
    assert not other.is_aborted
    first.connection_lost(None)
    _, again, _ = street.connect()
    assert not again.is_aborted


def test_an_ipv6_network_counts_as_one_address(street: Street) -> None:
    street.connect(("2001:db8::1", 1, 0, 0))
    street.connect(("2001:db8::2", 1, 0, 0))
    assert street.connect(("2001:db8::3", 1, 0, 0))[1].is_aborted


def test_all_connections_together_have_a_bound(street: Street) -> None:
    for number in range(3):
        street.connect((f"192.0.2.{number}", 1))
    assert street.connect(("192.0.2.9", 1))[1].is_aborted


def test_a_connection_that_only_took_the_shortcut_may_idle_no_longer_than_others() -> None:
    shortcut: Any = SimpleNamespace(answer=lambda data: b"ready" if data == b"short" else None)
    street, inner, transport = Street(), Inner(), FakeTransport(("192.0.2.1", 1))
    written: list[bytes] = []
    transport.write = written.append  # type: ignore[method-assign,assignment]
    guard = Guard(inner, street.connections, lambda: street.now, shortcut)
    guard.connection_made(transport)
    guard.data_received(b"short")
    assert ([b"ready"], ["made"]) == (written, inner.calls)
    street.wait(LIMITS.idle_seconds - 1)
    guard.data_received(b"short")
    street.wait(LIMITS.idle_seconds)
    assert not transport.is_aborted
    street.wait(1)
    assert transport.is_aborted

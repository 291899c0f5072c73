"""Hashing: bounded, and the same for those who do not exist."""

from __future__ import annotations

import concurrent.futures
import threading

import argon2
import pytest

from seawall.core.errors import UnavailableError
from seawall.identity import passwords
from seawall.identity.passwords import Passwords
from seawall.testing.callers import cheap_passwords


class Counting(argon2.PasswordHasher):
    """Counts what it verifies, and can hold it."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0
        self.release = threading.Event()
        self.release.set()

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]  # noqa: A002
        self.verified += 1
        self.release.wait(10)
        return super().verify(hash, password)


def test_an_unknown_user_costs_as_much_hashing_as_a_known_one() -> None:
    hasher = Counting()
    kept = Passwords(hasher)
    assert not kept.is_right("correct horse battery", None)
    assert 1 == hasher.verified
    assert not kept.is_right("wrong", kept.hash("correct horse battery"))
    assert 2 == hasher.verified


def test_the_strong_setting_is_argon2id_with_64_mib() -> None:
    assert Passwords().hash("x").startswith("$argon2id$v=19$m=65536,t=2,p=1$")


def test_refuses_at_once_when_too_many_wait() -> None:
    hasher = Counting()
    kept = Passwords(hasher)
    stored = kept.hash("correct horse battery")
    hasher.release.clear()
    places = passwords.MAX_HASHING + passwords.MAX_WAITING
    with concurrent.futures.ThreadPoolExecutor(places + 3) as pool:
        asked = [
            pool.submit(kept.is_right, "correct horse battery", stored) for _ in range(places + 3)
        ]
        done, _ = concurrent.futures.wait(asked, return_when=concurrent.futures.FIRST_COMPLETED)
        assert all(isinstance(future.exception(), UnavailableError) for future in done)
        assert hasher.verified <= passwords.MAX_HASHING
        hasher.release.set()
    right = [future for future in asked if future.exception() is None]
    assert places == len(right)
    assert all(future.result() for future in right)


@pytest.mark.parametrize("stored", ["", "not a hash", "$argon2id$"])
def test_a_damaged_hash_is_wrong_whatever_the_password(stored: str) -> None:
    assert not cheap_passwords().is_right("x", stored)


def test_generated_passwords_are_long_and_differ() -> None:
    assert 100 == len({passwords.generate() for _ in range(100)})
    passwords.check_new(passwords.generate(), name="admin")

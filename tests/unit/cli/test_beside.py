"""Work beside the main thread."""

from __future__ import annotations

import threading

import pytest

from seawall.cli._beside import Beside
from seawall.core.errors import NotFoundError


def test_it_goes_on_while_something_else_is_done() -> None:
    go_on = threading.Event()
    work = Beside(lambda: go_on.wait(10))
    go_on.set()
    assert work.wait()
    assert work.wait()


def test_what_it_raises_is_raised_where_it_is_waited_for() -> None:
    def fail() -> None:
        raise NotFoundError("there is no key")

    work = Beside(fail)
    for _ in range(2):
        with pytest.raises(NotFoundError, match="there is no key"):
            work.wait()

import datetime as dt

import pytest

from seawall.jobs import queue
from seawall.jobs.clockwork import Clockwork, Duty
from seawall.jobs.worker import Worker

HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)


class Bell:
    """Counts how often it rang, and fails as long as it is broken."""

    def __init__(self):
        self.rings = 0
        self.is_broken = False

    def ring(self):
        self.rings += 1
        if self.is_broken:
            raise OSError("broken")


@pytest.fixture
def bell():
    return Bell()


def _worker(database, clock, bell, owner="w1"):
    duty = Duty(name="ring", every=HOUR, do=bell.ring)
    clockwork = Clockwork(database=database, clock=clock, duties=[duty])
    clockwork.start()
    return Worker(database=database, clock=clock, owner=owner, tasks=clockwork.tasks(), rules={})


def _work(*workers):
    while sum(worker.step() for worker in workers):
        pass


def test_a_duty_runs_once_per_period_whatever_the_number_of_workers(database, clock, bell):
    workers = [_worker(database, clock, bell, owner) for owner in ("w1", "w2", "w3")]
    _work(*workers)
    assert bell.rings == 0
    for period in (1, 2, 3):
        clock.advance(HOUR)
        _work(*workers)
        assert bell.rings == period


def test_a_restart_neither_forgets_a_run_nor_adds_one(database, clock, bell):
    _worker(database, clock, bell)
    clock.advance(HOUR - SECOND)
    _work(_worker(database, clock, bell))
    assert bell.rings == 0
    clock.advance(SECOND)
    _work(_worker(database, clock, bell))
    assert bell.rings == 1


def test_periods_without_a_worker_are_made_up_for_once(database, clock, bell):
    _worker(database, clock, bell)
    clock.advance(7 * HOUR)
    _work(_worker(database, clock, bell))
    assert bell.rings == 1


def test_a_duty_that_fails_is_tried_again_in_the_next_period(database, clock, bell):
    worker = _worker(database, clock, bell)
    bell.is_broken = True
    for period in range(1, 8):
        clock.advance(HOUR)
        _work(worker)
        assert bell.rings == period


def test_a_worker_that_dies_in_every_run_stops_no_later_one(database, clock, bell):
    for _ in range(queue.MAX_ATTEMPTS + 2):
        life = _worker(database, clock, bell)
        clock.advance(HOUR)
        life._claim()  # and is never heard of again
    survivor = _worker(database, clock, bell, "w2")
    clock.advance(HOUR)
    _work(survivor)
    rung = bell.rings
    assert rung >= 1
    clock.advance(HOUR)
    _work(survivor)
    assert bell.rings == rung + 1


def test_a_clock_that_was_wrong_does_not_put_a_duty_off_for_years(database, clock, bell):
    clock.advance(dt.timedelta(days=1000))
    _worker(database, clock, bell)
    clock.advance(-dt.timedelta(days=1000))
    worker = _worker(database, clock, bell)
    clock.advance(HOUR)
    _work(worker)
    assert bell.rings == 1

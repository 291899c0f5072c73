import datetime as dt
import threading

import pytest

from seawall import audit
from seawall.core.actor import SYSTEM
from seawall.core.errors import UnavailableError
from seawall.jobs import dispatch, queue
from seawall.jobs.worker import Worker
from seawall.testing.clocks import FakeClock

JOB = queue.NewJob(kind="scan", key="sha256:1", payload=b'{"n":1}')


class PushHappened(audit.Event):
    name: str


def _enqueue(database, clock, job=JOB):
    with database.write() as connection:
        queue.enqueue(connection, job, now=clock.now())


def _claim(database, clock, owner="w1"):
    with database.write() as connection:
        return queue.claim(connection, kinds=["scan"], owner=owner, now=clock.now())


START = FakeClock().now()


def _counts(database, now=START):
    with database.read() as connection:
        return queue.counts(connection, now=now)


def test_the_same_work_waits_once(database, clock):
    _enqueue(database, clock)
    _enqueue(database, clock)
    assert _counts(database).queued == 1


def test_a_running_job_may_be_asked_for_again(database, clock):
    _enqueue(database, clock)
    assert _claim(database, clock) is not None
    _enqueue(database, clock)
    assert _counts(database) == queue.Counts(queued=1, running=1, failed=0)


def test_a_job_is_claimed_by_one_worker(database, clock):
    _enqueue(database, clock)
    assert _claim(database, clock, "w1") is not None
    assert _claim(database, clock, "w2") is None


def test_the_job_of_a_dead_worker_is_claimed_when_its_lease_runs_out(database, clock):
    _enqueue(database, clock)
    _claim(database, clock, "w1")
    clock.advance(queue.LEASE + dt.timedelta(seconds=1))
    job = _claim(database, clock, "w2")
    assert job is not None
    assert job.attempts == 2


def test_a_worker_gives_back_what_its_earlier_life_held(database, clock):
    _enqueue(database, clock)
    _claim(database, clock, "w1")
    with database.write() as connection:
        assert queue.release(connection, owner="w1", now=clock.now()) == 1
    assert _claim(database, clock, "w1") is not None


def test_a_job_that_keeps_failing_is_given_up_with_its_error(database, clock):
    _enqueue(database, clock)
    for attempt in range(1, queue.MAX_ATTEMPTS + 1):
        job = _claim(database, clock)
        assert job is not None
        with database.write() as connection:
            gave_up = queue.fail(connection, job, owner="w1", error="boom", now=clock.now())
        assert gave_up == (attempt == queue.MAX_ATTEMPTS)
        assert _claim(database, clock) is None  # not before its back-off
        clock.advance(dt.timedelta(hours=1))
    assert _counts(database).failed == 1


def test_a_job_that_kills_its_worker_each_time_has_failed(database, clock):
    _enqueue(database, clock)
    for _ in range(queue.MAX_ATTEMPTS):
        assert _claim(database, clock) is not None
        clock.advance(queue.LEASE + dt.timedelta(seconds=1))
    assert _claim(database, clock) is None
    assert _counts(database) == queue.Counts(queued=0, running=0, failed=1)


def test_a_lost_lease_is_not_renewed_or_finished_by_its_old_holder(database, clock):
    _enqueue(database, clock)
    old = _claim(database, clock, "w1")
    clock.advance(queue.LEASE + dt.timedelta(seconds=1))
    assert _claim(database, clock, "w2") is not None
    with database.write() as connection:
        assert not queue.renew(connection, old, owner="w1", now=clock.now())
        queue.finish(connection, old, owner="w1")
    assert _counts(database).running == 1


def _push(database, clock, *names):
    with database.write() as connection:
        for name in names:
            audit.record(connection, PushHappened(name=name), actor=SYSTEM, at=clock.now())


RULES = {"PushHappened": lambda e: [queue.NewJob(kind="scan", key=str(e.details()["name"]))]}


def test_every_event_makes_its_job_once(database, clock):
    _push(database, clock, "a", "b")
    assert dispatch.dispatch(database, name="d", rules=RULES, now=clock.now())
    assert not dispatch.dispatch(database, name="d", rules=RULES, now=clock.now())
    assert _counts(database).queued == 2


def test_a_rule_that_fails_loses_no_event(database, clock):
    _push(database, clock, "a")

    def broken(_entry):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        dispatch.dispatch(database, name="d", rules={"PushHappened": broken}, now=clock.now())
    assert dispatch.dispatch(database, name="d", rules=RULES, now=clock.now())
    assert _counts(database).queued == 1


def _worker(database, clock, task):
    return Worker(database=database, clock=clock, owner="w1", tasks={"scan": task}, rules=RULES)


def test_a_worker_does_what_events_ask_for(database, clock):
    done = []
    _push(database, clock, "a", "b")
    worker = _worker(database, clock, lambda job: done.append(job.key))
    while worker.step():
        pass
    assert done == ["a", "b"]
    assert _counts(database) == queue.Counts(queued=0, running=0, failed=0)


def test_a_failing_job_does_not_end_the_worker(database, clock):
    _push(database, clock, "a", "b")

    def task(job):
        if job.key == "a":
            raise ValueError("broken image")

    worker = _worker(database, clock, task)
    while worker.step():
        pass
    assert _counts(database) == queue.Counts(queued=1, running=0, failed=0)


def _done_in_order(database, clock, jobs):
    """Queue jobs a second apart, given as kind and key, and return the keys in the order done."""
    for kind, key in jobs:
        _enqueue(database, clock, queue.NewJob(kind=kind, key=key))
        clock.advance(dt.timedelta(seconds=1))
    done = []
    kinds = ("scan", "renewal")
    worker = Worker(
        database=database,
        clock=clock,
        owner="w1",
        tasks=dict.fromkeys(kinds, lambda job: done.append(job.key)),
        rules={},
        patient=frozenset({"renewal"}),
    )
    while worker.step():
        pass
    return done


def test_work_on_the_whole_fleet_gives_way_to_what_somebody_waits_for(database, clock):
    fleet = [("renewal", f"old {number}") for number in range(3)]
    done = _done_in_order(database, clock, [*fleet, ("scan", "push")])
    assert done == ["push", "old 0", "old 1", "old 2"]


def test_every_fourth_job_is_the_oldest_so_that_the_fleet_has_its_share(database, clock):
    fleet = [("renewal", f"old {number}") for number in range(3)]
    pushes = [("scan", f"push {number}") for number in range(7)]
    done = _done_in_order(database, clock, [*fleet, *pushes])
    assert [place for place, key in enumerate(done) if key.startswith("old")] == [3, 7, 9]


def test_the_turn_of_the_oldest_is_no_detour_for_what_is_older_than_the_fleet(database, clock):
    jobs = [("scan", f"push {number}") for number in range(5)] + [("renewal", "old")]
    assert _done_in_order(database, clock, jobs)[-1] == "old"


def test_a_stopped_worker_stops(database, clock):
    stop = threading.Event()
    stop.set()
    _worker(database, clock, lambda job: None).run(stop)
    assert _counts(database).running == 0


def test_work_for_later_is_not_counted_until_it_is_due(database, clock):
    later = clock.now() + dt.timedelta(hours=1)
    with database.write() as connection:
        queue.enqueue(connection, JOB, now=clock.now(), due=later)
    assert _counts(database, clock.now()).queued == 0
    assert _counts(database, later).queued == 1


def test_work_that_waits_becomes_due_earlier_but_not_later(database, clock):
    with database.write() as connection:
        for hours in (2, 1, 3):
            due = clock.now() + dt.timedelta(hours=hours)
            queue.enqueue(connection, JOB, now=clock.now(), due=due)
    assert _claim(database, clock) is None
    clock.advance(dt.timedelta(hours=1))
    assert _claim(database, clock) is not None


def _last_error(database):
    with database.read() as connection:
        return queue.last_error(connection, kind=JOB.kind, key=JOB.key)


def test_the_last_error_of_a_job_stays_until_it_succeeds(database, clock):
    def fail(_job):
        raise UnavailableError("the disk is full", remedy="make room")

    _enqueue(database, clock)
    worker = _worker(database, clock, fail)
    assert _last_error(database) is None
    for _ in range(queue.MAX_ATTEMPTS):
        assert worker.step()
        assert _last_error(database) == "the disk is full"
        clock.advance(dt.timedelta(hours=1))
    assert not worker.step()
    _enqueue(database, clock)
    assert _last_error(database) == "the disk is full"
    assert _worker(database, clock, lambda job: None).step()
    assert _last_error(database) is None
    assert _counts(database).failed == 0


def test_an_error_survives_the_same_work_being_asked_for_meanwhile(database, clock):
    _enqueue(database, clock)
    job = _claim(database, clock)
    _enqueue(database, clock)
    with database.write() as connection:
        queue.fail(connection, job, owner="w1", error="boom", now=clock.now())
    assert _last_error(database) == "boom"
    assert _counts(database).queued == 1


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device", "/var/secret"), "No space left on device"),
        (KeyError("/var/secret"), "KeyError, see the log of the worker"),
    ],
)
def test_what_is_told_of_an_unexpected_error_names_no_path(database, clock, error, told):
    def fail(_job):
        raise error

    _enqueue(database, clock)
    _worker(database, clock, fail).step()
    assert _last_error(database) == told

import pytest
import sqlalchemy as sa

from seawall import audit
from seawall.core.actor import SYSTEM, user


class ThingHappened(audit.Event):
    what: str


def _record(database, clock, *names, actor=SYSTEM):
    with database.write() as connection:
        for name in names:
            audit.record(
                connection, ThingHappened(what=name, repository=name), actor=actor, at=clock.now()
            )


def tamper(database, statement):
    """Do what whoever owns the database could do; its protection is asleep meanwhile."""
    with database.write() as connection:
        if database.is_shared:
            connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.execute(sa.text(statement))


def test_no_event_is_recorded_where_others_write_at_the_same_time(database, clock):
    with pytest.raises(RuntimeError), database.write_beside() as connection:
        audit.record(connection, ThingHappened(what="a"), actor=SYSTEM, at=clock.now())
    with database.read() as connection:
        assert 0 == audit.head(connection).seq


def test_events_come_back_in_order_with_their_fields(database, clock):
    _record(database, clock, "a", "b")
    with database.read() as connection:
        entries = audit.read(connection)
    assert [(1, "a"), (2, "b")] == [(e.seq, e.details()["what"]) for e in entries]


def test_an_event_vanishes_with_its_transaction(database, clock):
    def record_and_fail():
        with database.write() as connection:
            audit.record(connection, ThingHappened(what="x"), actor=SYSTEM, at=clock.now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        record_and_fail()
    with database.read() as connection:
        assert audit.head(connection).seq == 0


def test_filters_by_kind_repository_and_actor(database, clock):
    _record(database, clock, "a", "b")
    _record(database, clock, "a", actor=user("eve"))
    with database.read() as connection:
        assert [1, 3] == [e.seq for e in audit.read(connection, only=audit.Filter(repository="a"))]
        assert [3] == [e.seq for e in audit.read(connection, only=audit.Filter(actor="eve"))]
        assert [] == audit.read(connection, only=audit.Filter(kinds=("Other",)))


def test_a_whole_chain_verifies_and_names_its_head(database, clock):
    _record(database, clock, "a", "b", "c")
    with database.read() as connection:
        head = audit.head(connection)
        assert head == audit.verify(connection, noted=(head,))


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        (
            "UPDATE audit_entry SET body = (SELECT body FROM audit_entry WHERE seq = 1)"
            " WHERE seq = 2",
            2,
        ),
        ("UPDATE audit_entry SET actor = 'user:bob' WHERE seq = 1", 1),
        ("DELETE FROM audit_entry WHERE seq = 2", 2),
    ],
)
def test_finds_a_changed_or_missing_entry(database, clock, statement, seq):
    _record(database, clock, "a", "b", "c")
    tamper(database, statement)
    with database.read() as connection:
        broken = audit.verify(connection)
    assert isinstance(broken, audit.ChainBreak)
    assert seq == broken.seq


def test_a_cut_tail_is_found_by_a_noted_head(database, clock):
    _record(database, clock, "a", "b", "c")
    with database.read() as connection:
        noted = audit.head(connection)
    tamper(database, "DELETE FROM audit_entry WHERE seq = 3")
    with database.read() as connection:
        assert isinstance(audit.verify(connection), audit.Head)
        assert isinstance(audit.verify(connection, noted=(noted,)), audit.ChainBreak)


def test_reads_the_newest_entries_below_a_number(database, clock):
    _record(database, clock, "a", "b", "c", "d")
    with database.read() as connection:
        older = audit.read(connection, before=4, limit=2, newest_first=True)
    assert [3, 2] == [entry.seq for entry in older]

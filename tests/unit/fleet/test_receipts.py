import pytest

from seawall import audit
from seawall.core.actor import user
from seawall.core.errors import ConflictError, InvalidInputError
from seawall.fleet.receipts import Receipts
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName

APP = Digest.of(b"app")
OTHER = Digest.of(b"other")


@pytest.fixture
def receipts(database, clock):
    return Receipts(database, clock)


def record(receipts, name: str, digest: Digest = APP, **changes):
    values = {
        "container_id": Digest.of(name.encode()).hex,
        "engine": "local",
        "repository": RepositoryName("team/app"),
        "digest": digest,
        "image_asked": "registry.example/team/app:1",
        "verdict": 7,
        "actor": user("ada"),
    }
    return receipts.record(**(values | changes))


def test_finds_the_receipt_of_a_container(receipts):
    written = record(receipts, "one")
    record(receipts, "two")
    assert written == receipts.for_container(written.container_id)
    assert ("user:ada", 7) == (written.actor, written.verdict)


def test_a_container_that_came_another_way_has_none(receipts):
    record(receipts, "one")
    assert receipts.for_container("0" * 64) is None


def test_lists_the_newest_first(receipts):
    written = [record(receipts, name) for name in "abc"]
    assert (written[2], written[1]) == receipts.latest(2)
    assert () == receipts.latest(0)


def test_lists_what_runs_of_one_image(receipts):
    one = record(receipts, "one")
    record(receipts, "two", OTHER)
    assert (one,) == receipts.by_digest(APP)


def test_the_receipt_and_its_event_are_one_change(receipts, database):
    written = record(receipts, "one")
    with pytest.raises(ConflictError):
        record(receipts, "one")
    with database.read() as connection:
        (entry,) = audit.read(connection)
    assert "ContainerCreated" == entry.kind
    assert ("team/app", APP) == (entry.repository, entry.digest)
    assert {
        "container": written.container_id,
        "engine": "local",
        "image": "registry.example/team/app:1",
        "verdict": 7,
        "confinement": {},
    } == entry.details()


@pytest.mark.parametrize("text", ["", "abc", "A" * 64, "0" * 63, "../" + "0" * 61])
def test_refuses_what_is_not_a_full_container_id(receipts, text):
    with pytest.raises(InvalidInputError):
        record(receipts, "one", container_id=text)


def test_the_event_says_how_the_container_was_confined(receipts, database):
    record(receipts, "one", confinement={"seccomp": "seawall-default-1", "capabilities": []})
    with database.read() as connection:
        (entry,) = audit.read(connection)
    assert "seawall-default-1" == entry.details()["confinement"]["seccomp"]

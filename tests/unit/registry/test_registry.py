"""The room without its door."""

import contextlib
import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall import audit
from seawall.core.actor import SYSTEM, user
from seawall.core.clock import SystemClock
from seawall.core.errors import ConflictError, IntegrityError, LimitError, NotFoundError
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.registry import Registry
from seawall.registry.errors import (
    BlobUnknownError,
    ContentMissingError,
    DigestMismatchError,
    ManifestUnknownError,
    OffsetError,
    SizeMismatchError,
    StillReferencedError,
    TooLargeError,
    UploadUnknownError,
)
from seawall.registry.limits import INDEX_MAX_DEPTH
from seawall.store import Database
from seawall.testing import images
from seawall.testing.blobs import MemoryBlobs
from seawall.testing.databases import fresh_database

APP = RepositoryName("team/app")
ALICE = user("alice")
LAYER = images.layer({"file": b"content"})
IMAGE = images.image(LAYER)


@pytest.fixture
def blobs(clock):
    return MemoryBlobs(clock)


@pytest.fixture
def registry(database, blobs, clock):
    return Registry(database, blobs, clock)


def put_blob(registry, content, repository=APP):
    incoming = registry.uploads.whole(repository)
    incoming.write(content)
    incoming.finish(Digest.of(content))


def put(registry, image, *tags, repository=APP):
    for one in images.walk(image):
        for content in one.blobs.values():
            put_blob(registry, content, repository)
        registry.put_manifest(
            repository,
            content=one.manifest,
            content_type=one.media_type,
            tags=[Tag(tag) for tag in tags] if one is image else [],
            actor=ALICE,
        )
    return image.digest


def events(database, *kinds):
    with database.read() as connection:
        return audit.read(connection, only=audit.Filter(kinds=kinds))


def test_resolves_tags_and_digests(registry):
    digest = put(registry, IMAGE, "v1")
    assert digest == registry.resolve(APP, "v1") == registry.resolve(APP, digest)
    assert IMAGE.manifest == registry.manifest(APP, digest).content
    assert IMAGE.media_type == registry.manifest_by_target(APP, "v1").media_type
    for target in ("v2", Digest.of(b"other")):
        with pytest.raises(ManifestUnknownError):
            registry.resolve(APP, target)
    with pytest.raises(ManifestUnknownError):
        registry.manifest(RepositoryName("team/other"), digest)


def test_what_the_event_of_a_push_says(registry, database):
    put(registry, IMAGE, "v1")
    sbom = images.artifact(artifact_type="application/sbom", subject=IMAGE)
    put(registry, sbom)
    put(registry, images.index(IMAGE), "v1")
    image, artifact, _, index = (entry.details() for entry in events(database, "ManifestPushed"))
    assert (True, None, ["v1"], "") == (
        image["is_image"], image["subject"], image["tags"], image["artifact_type"],
    )  # fmt: skip
    assert (False, IMAGE.digest, [], "application/sbom") == (
        artifact["is_image"], artifact["subject"], artifact["tags"], artifact["artifact_type"],
    )  # fmt: skip
    assert not index["is_image"]


def test_a_tag_that_moves_says_from_where(registry, database):
    first = put(registry, IMAGE, "v1")
    put(registry, IMAGE, "v1")  # the same again moves nothing
    second = put(registry, images.image(LAYER, command=["x"]), "v1")
    moves = [(entry.digest, entry.details()) for entry in events(database, "TagMoved")]
    assert [
        (first, {"tag": "v1", "previous": None}),
        (second, {"tag": "v1", "previous": first}),
    ] == moves


def test_a_failed_push_leaves_nothing(registry, database):
    with pytest.raises(ContentMissingError):
        registry.put_manifest(
            APP,
            content=IMAGE.manifest,
            content_type=IMAGE.media_type,
            tags=[Tag("v1")],
            actor=ALICE,
        )
    assert [] == events(database)
    assert [] == registry.repositories(lambda _: True)


def test_refuses_a_manifest_whose_blob_vanished_from_the_store(registry, blobs):
    put(registry, IMAGE)
    blobs.content.pop(LAYER.digest)
    with pytest.raises(ContentMissingError, match=str(LAYER.digest)):
        put_manifest_only(registry, IMAGE)
    with pytest.raises(BlobUnknownError):
        registry.blob_size(APP, LAYER.digest)


def test_refuses_a_manifest_whose_blob_was_cut_and_quarantines_it(registry, blobs, database):
    put(registry, IMAGE)
    blobs.content[LAYER.digest] = b"cut"
    with pytest.raises(ContentMissingError):
        put_manifest_only(registry, IMAGE)
    assert [LAYER.digest] == [digest for digest, _ in blobs.quarantined]
    (event,) = events(database, "BlobCorrupted")
    assert (LAYER.digest, SYSTEM) == (event.digest, event.actor)


def put_manifest_only(registry, image):
    registry.put_manifest(APP, content=image.manifest, content_type=image.media_type, actor=ALICE)


def test_refuses_content_that_only_another_repository_has(registry):
    put(registry, IMAGE, repository=RepositoryName("other"))
    with pytest.raises(ContentMissingError):
        put_manifest_only(registry, IMAGE)


def test_refuses_wrong_digests_and_sizes(registry):
    put(registry, IMAGE)
    with pytest.raises(DigestMismatchError):
        registry.put_manifest(
            APP,
            content=IMAGE.manifest,
            content_type=IMAGE.media_type,
            expected=Digest.of(b"other"),
            actor=ALICE,
        )
    index = images.index(IMAGE)
    size = str(len(IMAGE.manifest)).encode()
    wrong = index.manifest.replace(b'"size": ' + size, b'"size": 1' + size)
    with pytest.raises(SizeMismatchError):
        registry.put_manifest(APP, content=wrong, content_type=index.media_type, actor=ALICE)


def test_never_hands_out_damaged_blobs(registry, blobs, database):
    put(registry, IMAGE)
    blobs.damage(LAYER.digest)
    with pytest.raises(IntegrityError):
        registry.open_blob(APP, LAYER.digest)
    with pytest.raises(BlobUnknownError):
        registry.open_blob(APP, LAYER.digest)
    assert 1 == len(events(database, "BlobCorrupted"))
    assert [LAYER.digest] == registry.missing_blobs(APP, IMAGE.digest)
    put(registry, IMAGE)
    assert [] == registry.missing_blobs(APP, IMAGE.digest)


def test_reads_small_blobs_whole_within_a_bound(registry):
    put_blob(registry, b"0123456789")
    digest = Digest.of(b"0123456789")
    assert b"0123456789" == registry.read_blob(APP, digest, 10)
    with pytest.raises(LimitError):
        registry.read_blob(APP, digest, 9)


def test_an_index_is_complete_only_with_all_below_it(registry, blobs):
    other = images.layer({"other": b"x"})
    index = images.index(images.index(IMAGE), images.image(other))
    put(registry, index)
    assert [] == registry.missing_blobs(APP, index.digest)
    blobs.content.pop(LAYER.digest)
    blobs.content.pop(other.digest)
    assert sorted([LAYER.digest, other.digest]) == registry.missing_blobs(APP, index.digest)


def test_an_index_nested_too_deep_is_not_complete(registry):
    index = IMAGE
    for _ in range(INDEX_MAX_DEPTH):
        index = images.index(index)
    put(registry, index)
    assert [IMAGE.digest] == registry.missing_blobs(APP, index.digest)


def test_the_size_of_an_image_is_what_a_pull_fetches(registry):
    index = images.index(IMAGE)
    put(registry, index, "all")
    put(registry, IMAGE, "one")
    content = sum(map(len, IMAGE.blobs.values())) + len(IMAGE.manifest)
    assert {"one": content, "all": content + len(index.manifest)} == {
        one.tag: one.size for one in registry.images_tagged()
    }


def test_lists_the_newest_tags_first(registry, clock):
    for tag in ("v1", "v2", "v3"):
        put(registry, IMAGE, tag)
        clock.advance(dt.timedelta(seconds=1))
    assert ["v3", "v2"] == [one.tag for one in registry.images_tagged(limit=2)]


def test_the_catalog_goes_on_until_enough_is_visible(registry, monkeypatch):
    monkeypatch.setattr("seawall.registry._lookup.PAGE", 2)
    names = [RepositoryName(f"r{n}") for n in range(9)]
    for name in names:
        put(registry, IMAGE, repository=name)
    odd = {"r1", "r3", "r5", "r7"}
    assert ["r3", "r5"] == registry.repositories(lambda name: name in odd, 2, "r1")
    assert sorted(odd) == registry.repositories(lambda name: name in odd)


def test_deleting_keeps_what_is_still_needed(registry, database):
    index = images.index(IMAGE)
    put(registry, index, "v1", "v2")
    with pytest.raises(StillReferencedError):
        registry.delete_manifest(APP, IMAGE.digest, ALICE)
    with pytest.raises(StillReferencedError):
        registry.delete_blob(APP, LAYER.digest, ALICE)
    registry.delete_tag(APP, Tag("v1"), ALICE)
    assert ["v2"] == registry.tags(APP)
    registry.delete_manifest(APP, index.digest, ALICE)
    registry.delete_manifest(APP, IMAGE.digest, ALICE)
    registry.delete_blob(APP, LAYER.digest, ALICE)
    assert [] == registry.tags(APP)
    assert ["TagDeleted", "TagDeleted", "ManifestDeleted", "ManifestDeleted", "BlobDeleted"] == [
        entry.kind for entry in events(database) if "Deleted" in entry.kind
    ]


def test_an_upload_survives_a_restart(registry, database, blobs, clock):
    upload = registry.uploads.start(APP, ALICE)
    incoming = registry.uploads.append(APP, upload.id)
    incoming.write(b"01234")
    incoming.suspend()
    again = Registry(database, blobs, clock)
    assert 5 == again.uploads.state(APP, upload.id).offset
    incoming = again.uploads.append(APP, upload.id, begins_at=5)
    incoming.write(b"56789")
    incoming.finish(Digest.of(b"0123456789"))
    assert b"0123456789" == again.read_blob(APP, Digest.of(b"0123456789"), 10)
    with pytest.raises(UploadUnknownError):
        again.uploads.state(APP, upload.id)


def test_bytes_that_were_not_acknowledged_are_not_counted(registry):
    upload = registry.uploads.start(APP, ALICE)
    incoming = registry.uploads.append(APP, upload.id)
    incoming.write(b"never acknowledged")
    incoming.undo()
    incoming = registry.uploads.append(APP, upload.id, begins_at=0)
    incoming.write(b"right")
    incoming.finish(Digest.of(b"right"))


def test_refuses_two_senders_and_chunks_out_of_order(registry):
    upload = registry.uploads.start(APP, ALICE)
    incoming = registry.uploads.append(APP, upload.id)
    with pytest.raises(ConflictError):
        registry.uploads.append(APP, upload.id)
    incoming.write(b"01234")
    incoming.suspend()
    for begins_at in (0, 4, 6):
        with pytest.raises(OffsetError) as caught:
            registry.uploads.append(APP, upload.id, begins_at=begins_at)
        assert 5 == caught.value.offset


def test_an_upload_whose_bytes_are_lost_begins_anew(registry, blobs):
    upload = registry.uploads.start(APP, ALICE)
    incoming = registry.uploads.append(APP, upload.id)
    incoming.write(b"01234")
    incoming.suspend()
    blobs.drop_staged(upload.id)
    for _ in range(2):
        with pytest.raises(UploadUnknownError):
            registry.uploads.append(APP, upload.id)


def test_an_upload_cancelled_while_it_is_sent_makes_no_blob(registry, blobs):
    upload = registry.uploads.start(APP, ALICE)
    incoming = registry.uploads.append(APP, upload.id)
    incoming.write(b"01234")
    registry.uploads.cancel(APP, upload.id)
    with pytest.raises(UploadUnknownError):
        incoming.finish(Digest.of(b"01234"))
    assert {} == blobs.content


def test_refuses_blobs_that_are_too_large(registry, blobs, monkeypatch):
    monkeypatch.setattr("seawall.registry.uploads.BLOB_MAX_BYTES", 10)
    upload = registry.uploads.start(APP, ALICE)
    incoming = registry.uploads.append(APP, upload.id)
    incoming.write(b"0123456789")
    with pytest.raises(TooLargeError):
        incoming.write(b"x")
    assert {} == blobs.staged
    with pytest.raises(UploadUnknownError):
        registry.uploads.state(APP, upload.id)


def test_expired_uploads_are_dropped_with_their_bytes(registry, blobs, clock):
    old = registry.uploads.start(APP, ALICE)
    incoming = registry.uploads.append(APP, old.id)
    incoming.write(b"old")
    incoming.suspend()
    registry.uploads.whole(APP)  # a crash leaves such bytes behind
    clock.advance(dt.timedelta(hours=23))
    young = registry.uploads.start(APP, ALICE)
    registry.uploads.append(APP, young.id).suspend()
    clock.advance(dt.timedelta(hours=2))
    assert 2 == registry.uploads.drop_expired()
    assert [young.id] == list(blobs.staged)
    assert young == registry.uploads.state(APP, young.id)


def test_referrers_can_come_before_their_subject(registry):
    signature = images.artifact(artifact_type="application/sig", subject=IMAGE)
    put(registry, signature)
    (found,) = registry.referrers(APP, IMAGE.digest)
    assert (signature.digest, "application/sig") == (found.digest, found.artifact_type)
    assert signature.manifest == registry.manifest(APP, found.digest).content
    assert [] == registry.referrers(APP, IMAGE.digest, "application/other")
    assert [] == registry.referrers(RepositoryName("other"), IMAGE.digest)


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.sampled_from(
            [
                "push one", "push two", "push index", "delete one", "delete two", "delete index",
                "delete layer", "delete tag", "damage", "mount",
            ]
        ),
        max_size=12,
    )
)  # fmt: skip
def test_every_manifest_that_is_here_is_whole_or_its_damage_is_known(tmp_path_factory, steps):
    """The invariant of the room, under every order of changes."""
    blobs, database = MemoryBlobs(), fresh_database(tmp_path_factory.mktemp("order"))
    registry = Registry(database, blobs, SystemClock())
    two = images.image(LAYER, images.layer({"two": b"2"}))
    index = images.index(IMAGE, two)
    actions = {
        "push one": lambda: put(registry, IMAGE, "t"),
        "push two": lambda: put(registry, two, "t"),
        "push index": lambda: put(registry, index, "t"),
        "delete one": lambda: registry.delete_manifest(APP, IMAGE.digest, ALICE),
        "delete two": lambda: registry.delete_manifest(APP, two.digest, ALICE),
        "delete index": lambda: registry.delete_manifest(APP, index.digest, ALICE),
        "delete layer": lambda: registry.delete_blob(APP, LAYER.digest, ALICE),
        "delete tag": lambda: registry.delete_tag(APP, Tag("t"), ALICE),
        "damage": lambda: blobs.damage(LAYER.digest),
        "mount": lambda: registry.uploads.mount(APP, LAYER.digest, None, lambda _: True),
    }
    is_damaged = False
    for step in steps:
        try:
            actions[step]()
        except (NotFoundError, StillReferencedError, KeyError):
            continue
        if step == "damage":
            is_damaged = True
        elif step.startswith("push"):
            is_damaged = False
    here = []
    for digest in (IMAGE.digest, two.digest, index.digest):
        with contextlib.suppress(ManifestUnknownError):
            here.append(registry.resolve(APP, digest))
    for digest in here:
        assert [] == registry.missing_blobs(APP, digest)
        if not is_damaged:
            registry.open_blob(APP, LAYER.digest).close()
    database.close()


ONLY_SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
ONLY_POSTGRESQL = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)


@ONLY_POSTGRESQL
def test_nothing_is_kept_in_memory_where_changes_are_not_counted(registry):
    put(registry, IMAGE, "v1")
    for _ in range(2):
        registry.manifest_by_target(APP, "v1")
        assert registry.manifest_at_hand(APP, "v1") is None


@ONLY_SQLITE
def test_what_is_in_memory_is_never_older_than_the_database(registry, blobs, clock, tmp_path):
    """Another process: the same file, opened a second time."""
    other_database = Database.open_file(tmp_path / "test.sqlite")
    other = Registry(other_database, blobs, clock)
    first = put(registry, IMAGE, "v1")
    assert registry.manifest_at_hand(APP, "v1") is None
    for _ in range(2):
        assert first == registry.manifest_by_target(APP, "v1").digest
        assert first == registry.manifest_at_hand(APP, "v1").digest
    second = put(other, images.image(LAYER, command=["x"]), "v1")
    assert registry.manifest_at_hand(APP, "v1") is None
    assert second == registry.manifest_by_target(APP, "v1").digest
    assert second == registry.manifest_at_hand(APP, "v1").digest
    other.delete_tag(APP, Tag("v1"), ALICE)
    assert registry.manifest_at_hand(APP, "v1") is None
    with pytest.raises(ManifestUnknownError):
        registry.manifest_by_target(APP, "v1")
    other_database.close()


@ONLY_SQLITE
def test_what_is_in_memory_belongs_to_its_repository_and_has_a_bound(registry, monkeypatch):
    monkeypatch.setattr("seawall.registry._recent.TOTAL_MAX_BYTES", 3000)
    digest = put(registry, IMAGE, *(f"v{n}" for n in range(5)))
    for n in range(5):
        registry.manifest_by_target(APP, f"v{n}")
    at_hand = [n for n in range(5) if registry.manifest_at_hand(APP, f"v{n}") is not None]
    assert 4 in at_hand
    assert len(at_hand) < 5
    assert registry.manifest_at_hand(RepositoryName("other"), digest) is None

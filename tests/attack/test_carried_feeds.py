"""Feeds in a file that somebody carried: altered, cut, swelling, foreign, or an old state."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import io
import json
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from seawall.cli import artifact_files, artifact_writing, feed_artifacts, fingerprint_files
from seawall.cli.artifact_files import FEEDS
from seawall.core.actor import SYSTEM
from seawall.core.errors import DeniedError, InvalidInputError, SeawallError
from seawall.oci.names import RepositoryName
from seawall.scan import carried_lines, feed_files
from seawall.scan.advisories import Advisories
from seawall.scan.carried_editions import Edition
from seawall.scan.errors import BadRecordError
from seawall.scan.fingerprints import pack
from seawall.scan.refreshes import Failure, Refresh
from seawall.store import Database
from seawall.testing import artifacts, databases
from seawall.testing.clocks import FakeClock
from seawall.testing.signatures import new_key

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("keys")
    found: dict[str, Any] = {}
    for name in ("ours", "theirs"):
        found[name] = new_key()
        found[f"{name}.pub"] = folder / f"{name}.pub"
        found[f"{name}.pub"].write_bytes(found[name].public.pem)
    return found


def record(number: int) -> dict[str, object]:
    package = {"ecosystem": "PyPI", "name": f"p{number}"}
    return {"id": f"CVE-2026-{number}", "affected": [{"package": package, "versions": ["1.0"]}]}


@pytest.fixture
def there(tmp_path: Path, clock: FakeClock) -> Iterator[Advisories]:
    """The machine with a network, which has two feeds."""
    (tmp_path / "there").mkdir()
    database = databases.fresh_database(tmp_path / "there")
    advisories = Advisories(database, clock)
    for name in ("PyPI", "Own"):
        file = tmp_path / f"{name}.jsonl"
        file.write_text("".join(json.dumps(record(n)) + "\n" for n in range(5)))
        advisories.import_file(file, actor=SYSTEM)
    yield advisories
    database.close()


@pytest.fixture
def signed(there: Advisories, tmp_path: Path, keys: dict[str, Any]) -> Path:
    path = tmp_path / "feeds.tar"
    feed_artifacts.write(path, ["PyPI", "Own"], there, [keys["ours"]], quiet)
    return path


@pytest.fixture
def here(database: Database, clock: FakeClock) -> Advisories:
    return Advisories(database, clock)


def quiet(_name: str, _done: int, _total: int) -> None:
    """Show nothing."""


def bring(here: Advisories, path: Path, *keys: Path, unsigned: bool = False) -> list[object]:
    """Import a file as the command does."""
    results: list[object] = []
    with feed_artifacts.opened(path, keys, quiet, unsafe_unsigned=unsigned) as found:
        for one in found.feeds:
            with one.open() as stream:
                results.append(here.import_edition(one.edition, stream, actor=SYSTEM))
    return results


def refused(here: Advisories, path: Path, *keys: Path, unsigned: bool = False) -> SeawallError:
    """Return why a file is refused as a whole; nothing may have changed then."""
    with pytest.raises(SeawallError) as caught:
        bring(here, path, *keys, unsigned=unsigned)
    assert () == here.feeds()
    return caught.value


# -- who vouches


def test_the_file_of_a_named_key_is_taken_in(
    here: Advisories, signed: Path, keys: dict[str, Any]
) -> None:
    assert all(isinstance(one, Refresh) for one in bring(here, signed, keys["ours.pub"]))
    assert [("Own", 5), ("PyPI", 5)] == [(one.name, one.records) for one in here.feeds()]


def test_refuses_a_file_that_somebody_else_signed(
    here: Advisories, signed: Path, keys: dict[str, Any]
) -> None:
    assert isinstance(refused(here, signed, keys["theirs.pub"]), DeniedError)


def test_refuses_an_unsigned_file_unless_told(
    here: Advisories, there: Advisories, tmp_path: Path, keys: dict[str, Any]
) -> None:
    path = tmp_path / "x.tar"
    feed_artifacts.write(path, ["PyPI"], there, [], quiet)
    assert isinstance(refused(here, path, keys["ours.pub"]), DeniedError)
    assert "whose signature" in refused(here, path).message
    assert 1 == len(bring(here, path, unsigned=True))


def test_refuses_a_signature_that_was_made_for_another_name(
    here: Advisories, signed: Path, tmp_path: Path, keys: dict[str, Any]
) -> None:
    """The key signs fingerprints too: what it said about those is nothing about feeds."""
    files = artifacts.members(signed)
    manifest = artifacts.manifest_of(files, FEEDS.artifact_type)

    def blob(one: dict[str, Any]) -> artifact_writing.Blob:
        content = files[f"blobs/{one['digest'].replace(':', '/')}"]
        made = artifact_writing.Blob.of(content, one["mediaType"])
        return made if "annotations" not in one else _annotated(made, one["annotations"])

    path = tmp_path / "x.tar"
    content = artifact_writing.Content(
        kind=FEEDS,
        name="feeds",
        repository=RepositoryName("fingerprints/feeds"),
        config=blob(manifest["config"]),
        layers=[blob(one) for one in manifest["layers"]],
    )
    artifact_writing.write(path, content, [keys["ours"]])
    assert isinstance(refused(here, path, keys["ours.pub"]), DeniedError)


def _annotated(blob: artifact_writing.Blob, said: dict[str, str]) -> artifact_writing.Blob:
    return artifact_writing.Blob(
        media_type=blob.media_type, digest=blob.digest, size=blob.size, content=blob.content,
        annotations=said,
    )  # fmt: skip


# -- bytes


def layer_of(files: Files, at: int = 0) -> str:
    layers = artifacts.manifest_of(files, FEEDS.artifact_type)["layers"]
    return f"blobs/{layers[at]['digest'].replace(':', '/')}"


def _last_layer_changed(files: Files) -> Files:
    name = layer_of(files, 1)
    return files | {name: files[name][:-1] + bytes([files[name][-1] ^ 1])}


def _layer_cut(files: Files) -> Files:
    name = layer_of(files)
    return files | {name: files[name][:-1]}


def _layer_gone(files: Files) -> Files:
    gone = layer_of(files, 1)
    return {name: content for name, content in files.items() if name != gone}


def _layers_swapped(files: Files) -> Files:
    return artifacts.with_manifest(files, FEEDS.artifact_type, lambda m: m["layers"].reverse())


def _config_changed(files: Files) -> Files:
    config = artifacts.manifest_of(files, FEEDS.artifact_type)["config"]["digest"]
    name = f"blobs/{config.replace(':', '/')}"
    return files | {name: files[name].replace(b"2026", b"2036")}


def _no_signatures(files: Files) -> Files:
    index = json.loads(files["index.json"])
    alone = index | {"manifests": index["manifests"][:1]}
    return files | {"index.json": json.dumps(alone).encode()}


ALTERED = [
    _last_layer_changed, _layer_cut, _layer_gone, _layers_swapped, _config_changed, _no_signatures,
]  # fmt: skip


@pytest.mark.parametrize("alter", ALTERED)
def test_refuses_a_signed_file_that_was_altered_before_anything_changes(
    here: Advisories, signed: Path, keys: dict[str, Any], alter: Callable[[Files], Files]
) -> None:
    artifacts.rewrite(signed, alter(artifacts.members(signed)))
    refused(here, signed, keys["ours.pub"])


@pytest.mark.parametrize("kept", [0, 100, 512, 3_000, 6_000, -10_000, -512, -1])
def test_refuses_a_file_that_was_cut(
    here: Advisories, signed: Path, keys: dict[str, Any], kept: int
) -> None:
    content = signed.read_bytes().rstrip(b"\0")  # what follows is padding
    signed.write_bytes(content[:kept])
    refused(here, signed, keys["ours.pub"])


def test_refuses_bytes_that_are_exchanged_while_they_are_read(
    here: Advisories, signed: Path, keys: dict[str, Any]
) -> None:
    at = signed.read_bytes().find(artifacts.members(signed)[layer_of(artifacts.members(signed))])
    with (
        feed_artifacts.opened(signed, [keys["ours.pub"]], quiet) as found,
        found.feeds[0].open() as stream,
    ):
        with signed.open("r+b") as file:
            file.seek(at + 20)
            file.write(b"evil")
        result = here.import_edition(found.feeds[0].edition, stream, actor=SYSTEM)
    assert isinstance(result, Failure)
    assert 0 == here.feeds()[0].generation


def _linked(target: str) -> Callable[[tarfile.TarFile, str, bytes], None]:
    def add(archive: tarfile.TarFile, name: str, _content: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = tarfile.SYMTYPE, target
        archive.addfile(entry)

    return add


def _climbing(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(f"../../{name}")
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


@pytest.mark.parametrize("trick", [_linked("/etc/passwd"), _linked("../../feeds.tar"), _climbing])
def test_refuses_layers_that_lead_out_of_the_file(
    here: Advisories,
    signed: Path,
    keys: dict[str, Any],
    trick: Callable[[tarfile.TarFile, str, bytes], None],
) -> None:
    files = artifacts.members(signed)
    moved = layer_of(files)
    artifacts.rewrite(signed, {name: body for name, body in files.items() if name != moved})
    with tarfile.open(signed, "a") as archive:
        trick(archive, moved, files[moved])
    refused(here, signed, keys["ours.pub"])
    assert not (signed.parent.parent / "blobs").exists()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(0, 100_000), byte=st.integers(0, 255))
def test_refuses_or_reads_any_damage_with_a_sentence(
    signed: Path, keys: dict[str, Any], at: int, byte: int
) -> None:
    whole = signed.read_bytes()
    damaged = bytearray(whole)
    damaged[at % len(damaged)] = byte
    path = signed.with_name("damaged.tar")
    path.write_bytes(damaged)
    with (
        contextlib.suppress(SeawallError),  # nothing else may come out
        feed_artifacts.opened(path, [keys["ours.pub"]], quiet) as found,
    ):
        assert {"PyPI", "Own"} == {one.edition.name for one in found.feeds}


# -- what is not what it says


def _other_layer_type(manifest: dict[str, Any]) -> None:
    manifest["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar"


def _other_config_type(manifest: dict[str, Any]) -> None:
    manifest["config"]["mediaType"] = "application/vnd.oci.image.config.v1+json"


def _another_name(manifest: dict[str, Any]) -> None:
    manifest["layers"][0]["annotations"] = {feed_artifacts.NAME: "Debian"}


def _too_few_layers(manifest: dict[str, Any]) -> None:
    manifest["layers"].pop()


def _too_large_layer(manifest: dict[str, Any]) -> None:
    manifest["layers"][0]["size"] = feed_files.FILE_MAX_BYTES + 1


@pytest.mark.parametrize(
    "change",
    [_other_layer_type, _other_config_type, _another_name, _too_few_layers, _too_large_layer],
)
def test_refuses_an_artifact_that_is_put_together_wrongly(
    here: Advisories, signed: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    changed = artifacts.with_manifest(artifacts.members(signed), FEEDS.artifact_type, change)
    artifacts.rewrite(signed, changed)
    assert "seawall feeds export" in refused(here, signed, unsigned=True).message


def _said(path: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change what the config says of the feeds, digests and all."""
    files = artifacts.members(path)
    at = artifacts.manifest_of(files, FEEDS.artifact_type)["config"]["digest"].replace(":", "/")
    said = json.loads(files[f"blobs/{at}"])
    change(said["feeds"])
    body = json.dumps(said).encode()
    changed = artifacts.with_manifest(
        files, FEEDS.artifact_type, lambda m: m["config"].update(artifacts.described(body))
    )
    artifacts.rewrite(path, changed | {artifacts.place(body): body})


@pytest.mark.parametrize(
    "change",
    [
        list.clear,
        lambda said: said[0].update(name="../../etc/cron.d/x"),
        lambda said: said[0].update(name="Own"),
        lambda said: said[0].update(format=99),
        lambda said: said[0].update(more=1),
        lambda said: said[0].update({"\x1b[31m": 1}),
        lambda said: said[0].update(records="5"),
        lambda said: said[0].update(imported_at="0000"),
        lambda said: said.extend([said[0]] * 300),
    ],
)
def test_refuses_what_is_said_about_feeds_that_cannot_be(
    here: Advisories, signed: Path, change: Callable[[list[dict[str, Any]]], object]
) -> None:
    _said(signed, change)
    assert refused(here, signed, unsigned=True).message.isprintable()


@pytest.mark.parametrize("wrong", [{"records": 4}, {"records": 6}, {"withdrawn": 1},
    {"unpacked_bytes": 10}, {"unpacked_bytes": 10**9}, {"ecosystems": {"Go": 5}}])  # fmt: skip
def test_refuses_an_edition_that_is_not_what_it_says(
    here: Advisories, signed: Path, wrong: dict[str, Any]
) -> None:
    _said(signed, lambda said: said[0].update(wrong))
    first, second = bring(here, signed, unsigned=True)
    assert isinstance(first, Failure)
    assert "not what it says" in first.reason
    assert isinstance(second, Refresh)  # one feed's trouble is not another's
    assert [("Own", True), ("PyPI", False)] == [(f.name, f.generation > 0) for f in here.feeds()]


@pytest.mark.parametrize("is_packed", [False, True])
def test_refuses_fingerprints_and_images_in_place_of_feeds(
    here: Advisories, signed: Path, tmp_path: Path, keys: dict[str, Any], is_packed: bool
) -> None:
    path = tmp_path / "x.tar"
    fingerprint_files.write(path, "debian-12", pack.build("x", []), [keys["ours"]])
    if is_packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    error = refused(here, path, keys["ours.pub"])
    assert "holds a pack of fingerprints, not feeds" in error.message
    assert "seawall fingerprints import" in error.remedy
    with pytest.raises(InvalidInputError, match="holds feeds of advisories"):
        fingerprint_files.read(signed, [keys["ours.pub"]])


def test_refuses_a_packed_file_that_swells(here: Advisories, signed: Path) -> None:
    files = artifacts.members(signed)
    artifacts.rewrite(signed, files | {"blobs/sha256/0": bytes(80 << 20)})
    signed.write_bytes(gzip.compress(signed.read_bytes(), 1))
    assert artifact_files.is_layout(signed)
    assert "to one" in refused(here, signed, unsigned=True).message


@pytest.mark.parametrize("content", [b"", b"x" * 1_000, b"{}\n", b"PK\x03\x04" + bytes(64)])
def test_refuses_what_is_no_export(here: Advisories, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(content)
    assert not artifact_files.is_layout(path)
    refused(here, path, unsigned=True)


# -- what swells, and lines that lie


def edition_of(content: bytes, **said: Any) -> Edition:
    plain = Edition(
        name="PyPI", digest="sha256:" + "0" * 64, format=2, records=1, withdrawn=0,
        ecosystems={"PyPI": 1}, source="x", etag="", imported_at="2026-01-01T00:00:00.000000Z",
        checked_at="2026-01-01T00:00:00.000000Z", unpacked_bytes=max(1, len(content)),
    )  # fmt: skip
    return msgspec.structs.replace(plain, **said)


GOOD: list[Any] = [
    "advisory", "CVE-2026-1", False, "A" * 22 + "==", [], [], "", "high", 7.5, "x", "",
    [["PyPI", "p", "", "/w==", "2.0", "high", "x", "", "", []]],
]  # fmt: skip


def line(**changes: Any) -> bytes:
    """Return a line with some of its places changed, `at_1=…`."""
    made = list(GOOD)
    for place, value in changes.items():
        made[int(place[3:])] = value
    return json.dumps(made).encode() + b"\n"


def taken(here: Advisories, content: bytes, **said: Any) -> Refresh | Failure:
    edition = edition_of(content, **said)
    return here.import_edition(edition, io.BytesIO(zstd.compress(content)), actor=SYSTEM)


def test_a_good_line_is_taken_in(here: Advisories) -> None:
    assert isinstance(taken(here, line()), Refresh)


@pytest.mark.parametrize(
    "content",
    [
        b"\n" * (1 << 20),
        b"x" * (40 << 20),
        line() * 3,
        line()[:-1],
        b"[]\n",
        b"{}\n",
        b"null\n",
        b'["advisory"]\n',
        b"\xff\xfe\n",
        line(at_0="nothing"),
        line(at_1="CVE-2026-1\n"),
        line(at_1="\x1b[31m"),
        line(at_2=1),
        line(at_3="AAAA"),
        line(at_3="***"),
        line(at_4=["x y"]),
        line(at_6="x" * 5_000),
        line(at_6="x\0"),
        line(at_7="worst"),
        line(at_7="\x1b[31m"),
        line(at_8="9"),
        line(at_11=[["Debian:12", "p", "", "/w==", "", "high", "", "", "", []]]),
        line(at_11=[["Nobody's", "p", "", "/w==", "", "high", "", "", "", []]]),
        line(at_11=[["PyPI", "p", "", "/w=="]]),
        line(at_11=[GOOD[11][0] + ["more"]]),
        json.dumps([*GOOD, "more"]).encode() + b"\n",
        line().replace(b"7.5", b"NaN"),
        line().replace(b"7.5", b"1e999"),
        line().replace(b'"2.0"', b'"\\ud800"'),
    ],
)
def test_refuses_lines_that_are_not_of_an_edition(here: Advisories, content: bytes) -> None:
    result = taken(here, content)
    assert isinstance(result, Failure), result
    assert result.reason.isprintable()
    assert 0 == here.feeds()[0].generation


def test_refuses_what_unpacks_to_more_than_it_says(here: Advisories) -> None:
    bomb = zstd.compress(b"x" * (256 << 20))
    edition = edition_of(b"x" * 100)
    result = here.import_edition(edition, io.BytesIO(bomb), actor=SYSTEM)
    assert isinstance(result, Failure)
    assert "a line is too long" in result.reason


def test_refuses_one_advisory_twice(here: Advisories) -> None:
    result = taken(here, line() * 2, records=2)
    assert isinstance(result, Failure)
    assert "stands twice" in result.reason


def test_refuses_a_packed_layer_that_is_cut_or_followed_by_something(here: Advisories) -> None:
    packed = zstd.compress(line())
    for wrong in (packed[:-4], packed + b"more", packed[:4], b"", b"plain"):
        result = here.import_edition(edition_of(line()), io.BytesIO(wrong), actor=SYSTEM)
        assert isinstance(result, Failure), wrong


JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=12),
    max_leaves=30,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_refuses_any_other_line(content: bytes) -> None:
    with pytest.raises(BadRecordError):
        carried_lines.decode(content)


# -- an old state


def test_refuses_the_old_file_of_a_trusted_key(
    here: Advisories, there: Advisories, signed: Path, tmp_path: Path, keys: dict[str, Any],
    clock: FakeClock,
) -> None:  # fmt: skip
    clock.advance(dt.timedelta(days=1))
    newer = tmp_path / "PyPI.jsonl"
    newer.write_text("".join(json.dumps(record(n)) + "\n" for n in range(6)))
    there.import_file(newer, actor=SYSTEM)
    newest = tmp_path / "newest.tar"
    feed_artifacts.write(newest, ["PyPI", "Own"], there, [keys["ours"]], quiet)
    bring(here, newest, keys["ours.pub"])
    old, same = bring(here, signed, keys["ours.pub"])
    assert isinstance(old, Failure)
    assert "older than the one in use" in old.reason
    assert isinstance(same, Refresh)
    assert same.is_unchanged
    assert [5, 6] == [feed.records for feed in here.feeds()]

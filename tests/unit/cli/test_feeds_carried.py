"""`seawall feeds export` and `import`: from a machine with a network to one without."""

from __future__ import annotations

import json

import pytest

from seawall.testing import artifacts, running

HOLE = running.advisory("libhole", "2.0-1") + "\n"
OTHER = running.advisory("libother", "3.0-1") + "\n"


@pytest.fixture
def other(shell, tmp_path) -> str:
    """The state directory of the machine without a network."""
    return str(tmp_path / "other")


@pytest.fixture
def exported(shell) -> tuple[str, str]:
    """A file with two feeds, and the public key."""
    shell("feeds", "import", shell.file("one.jsonl", HOLE), shell.file("two.jsonl", HOLE))
    return export(shell)


def export(shell, *words: str) -> tuple[str, str]:
    public = str(shell.home / "release.pub")
    if not (shell.home / "release.pub").exists():
        shell.key()
    signing = ("--key", public.replace(".pub", ".key"), "--passphrase-file", "phrase")
    ended = shell("feeds", "export", *words, *signing)
    assert 0 == ended.code, ended.err
    return str(shell.home / "feeds.tar"), public


def listed(shell, state: str) -> list[dict[str, object]]:
    return shell.bare("feeds", "list", "--json", "--state", state).lines()


def test_the_other_machine_lists_the_same_feeds(shell, exported, other):
    file, public = exported
    ended = shell.bare("feeds", "import", file, "--key", public, "--state", other)
    assert 0 == ended.code, ended.err
    first, one, two = ended.out.splitlines()
    assert f"{file}: 2 feeds, signed by " in first
    assert (one.startswith("one: 1 "), two.startswith("two: 1 ")) == (True, True)
    assert listed(shell, str(shell.state)) == listed(shell, other)
    again = shell.bare("feeds", "import", file, "--key", public, "--state", other)
    assert 2 == again.out.count("unchanged: this edition is in use")
    (event, _) = (
        one
        for one in shell.bare("audit", "--json", "--state", other).lines()
        if one["event"] == "AdvisoriesRefreshed"
    )
    assert 1 == len(event["signed_by"])


def test_all_is_told_as_json_too(shell, exported, other):
    file, public = exported
    shell("feeds", "import", shell.file("three.jsonl", OTHER))
    signing = ("--key", public.replace(".pub", ".key"), "--passphrase-file", "phrase")
    (told,) = shell("feeds", "export", "three", "--output", "x.tar", "--json", *signing).lines()
    assert ("x.tar", ["three"]) == (told["file"], [one["name"] for one in told["feeds"]])
    (key,) = told["signed_by"]
    ended = shell.bare(
        "feeds", "import", file, "x.tar", "--key", public, "--json", "--state", other
    )
    assert ["one", "two", "three"] == [one["feed"] for one in ended.lines()]
    assert [[key]] * 3 == [one["signed_by"] for one in ended.lines()]


def test_one_feed_of_a_file_can_be_taken(shell, exported, other):
    file, public = exported
    shell.bare("feeds", "import", file, "--feed", "two", "--key", public, "--state", other)
    assert ["two"] == [one["name"] for one in listed(shell, other)]


def test_what_fails_for_one_feed_does_not_stop_the_others(shell, exported, other):
    file, public = exported
    shell.bare("feeds", "import", file, "--key", public, "--state", other)
    old = (shell.home / "feeds.tar").rename(shell.home / "old.tar")
    shell("feeds", "import", shell.file("one.jsonl", HOLE + OTHER))
    export(shell)
    shell.bare("feeds", "import", file, "--key", public, "--state", other)
    words = ("feeds", "import", str(old), "--key", public, "--state", other)
    ended = shell.bare(*words)
    assert 3 == ended.code
    assert "one: FAILED, the old edition stays in use: the edition of one is of" in ended.out
    assert "--unsafe-allow-older" in ended.out
    assert "two: 1 advisories, unchanged" in ended.out
    assert 2 == listed(shell, other)[0]["records"]
    assert 0 == shell.bare(*words, "--unsafe-allow-older").code
    assert 1 == listed(shell, other)[0]["records"]


def test_files_of_sources_and_signed_files_may_be_named_together(shell, exported, other):
    file, _ = exported
    plain = shell.file("three.jsonl", OTHER)
    ended = shell.bare("feeds", "import", plain, file, "--unsafe-unsigned", "--state", other)
    assert 0 == ended.code, ended.err
    assert "signature not looked at" in ended.out
    assert ["one", "three", "two"] == [one["name"] for one in listed(shell, other)]


def test_a_file_is_known_by_its_content_and_not_by_its_name(shell, exported, other):
    (shell.home / "feeds.tar").rename(shell.home / "Debian.zip")
    ended = shell.bare("feeds", "import", "Debian.zip", "--key", exported[1], "--state", other)
    assert 0 == ended.code, ended.err
    assert ["one", "two"] == [one["name"] for one in listed(shell, other)]


@pytest.mark.parametrize(
    ("words", "code", "said", "way_out"),
    [
        (["import", "feeds.tar"], 2, "whose signature must feeds.tar have?", "--key FILE"),
        (["import", "feeds.tar", "--key", "x.pub"], 3, "is not signed by a key", "maker"),
        (["import", "feeds.tar", "--key", "no.pub"], 3, "no.pub", ""),
        (["import", "feeds.tar", "one.jsonl", "--key", "release.pub"], 2, "nobody has", "without"),
        (
            ["import", "feeds.tar", "--key", "release.pub", "--feed", "x"],
            3,
            "no feed x",
            "one, two",
        ),
        (["import", "cut.tar", "--key", "release.pub"], 3, "is not whole", "fetch it again"),
        (["import", "bad.tar", "--key", "release.pub"], 3, "not what the digest", "fetch it again"),
        (["import", "image.tar", "--key", "release.pub"], 2, "it holds feeds of", "without --key"),
        (["import", "no.tar", "--key", "release.pub"], 3, "no.tar", ""),
        (["export", "x"], 3, "no edition of a feed x", "one, two"),
        (["export", "--output", "no/x.tar"], 3, "there is no folder no", "make it"),
    ],
)
def test_what_cannot_be_done_is_told_with_a_way_out(
    shell, exported, other, words, code, said, way_out
):
    whole = (shell.home / "feeds.tar").read_bytes()
    shell.file("cut.tar", whole.rstrip(b"\0")[:-600])
    files = artifacts.members(shell.home / "feeds.tar")
    layer = max(files, key=lambda name: files[name].startswith(b"\x28\xb5\x2f\xfd"))
    artifacts.rewrite(shell.home / "bad.tar", files | {layer: files[layer][:-1] + b"!"})
    index = json.loads(files["index.json"]) | {"manifests": []}
    artifacts.rewrite(shell.home / "image.tar", files | {"index.json": json.dumps(index).encode()})
    shell.key("x")
    if words[0] == "export":
        signing = ["--key", "release.key", "--passphrase-file", "phrase"]
        ended = shell("feeds", *words, *signing)
    else:
        ended = shell.bare("feeds", *words, "--state", other)
    assert code == ended.code, ended.err
    assert (said in ended.err, way_out in ended.err) == (True, True), ended.err
    assert [] == listed(shell, other)


def test_without_an_edition_there_is_nothing_to_export(shell):
    ended = shell("feeds", "export")
    assert 3 == ended.code
    assert "seawall feeds update" in ended.err


def test_the_feeds_that_are_known_by_name_are_listed_with_their_licences(shell):
    names = [line["name"] for line in shell("feeds", "sources", "--json").lines()]
    assert {"kev", "epss"} <= set(names)
    assert "CC0" in shell("feeds", "sources").out

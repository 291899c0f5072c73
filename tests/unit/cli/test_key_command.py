"""`seawall key`: private keys are encrypted and never overwritten; trust is by id."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

PHRASE = "correct horse battery\n"


def test_a_pair_is_made_encrypted_for_its_owner_alone(shell):
    public = shell.key()
    private = public.replace(".pub", ".key")
    assert "ENCRYPTED" in Path(private).read_text().splitlines()[0]
    assert 0 == stat.S_IMODE(Path(private).stat().st_mode) & 0o077
    assert 64 == len(shell("key", "show", public).out.strip())


def test_without_an_output_the_pair_lies_in_the_persons_own_configuration(shell):
    made = shell("key", "generate", "--json", "--passphrase-file", shell.file("p", PHRASE))
    told = json.loads(made.out)
    assert str(shell.home / ".config" / "seawall" / "keys" / "seawall.key") == told["private"]
    assert (
        told["key_id"] == json.loads(shell("key", "show", told["public"], "--json").out)["key_id"]
    )


def test_trust_is_given_for_repositories_and_taken_by_name_or_part_of_the_id(shell):
    public = shell.key()
    key_id = shell("key", "show", public).out.strip()
    shell("key", "trust", public, "--for", "prod/**", "--for", "team/app")
    assert f"{key_id}  release  prod/** team/app\n" == shell("key", "list").out
    for name in ("release", key_id[:8], key_id):
        shell("key", "trust", public)
        assert 0 == shell("key", "distrust", name).code
        assert "" == shell("key", "list").out


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (
            ("generate", "--output", "release", "--passphrase-file", "phrase"),
            3,
            "never overwritten",
        ),
        (("generate", "--output", "x", "--passphrase-file", "short"), 2, "fewer than 8 characters"),
        (("generate", "--output", "x", "--passphrase-file", "none"), 3, "cannot read none"),
        (("generate", "--output", "phrase/x", "--passphrase-file", "phrase"), 3, "phrase"),
        (("generate",), 2, "--passphrase-file FILE"),
        (("show", "none.pub"), 3, "there is no key file none.pub"),
        (("show", "release.key"), 2, "give the .pub file"),
        (("show", "phrase"), 2, ""),
        (("trust", "release.key"), 2, "give the .pub file"),
        (("trust", "none.pub"), 3, "there is no key file none.pub"),
        (("trust", "release.pub", "--for", "BAD PATTERN"), 2, "write a name such as team/app"),
        (("distrust", "zzz"), 3, "see: seawall key list"),
        (("distrust", ""), 3, "see: seawall key list"),
    ],
)
def test_refuses_what_cannot_be_and_changes_nothing(shell, words, code, why):
    shell.key()
    shell.file("short", "short\n")
    before = sorted(path.name for path in shell.home.iterdir()), shell("audit", "head").out
    done = shell("key", *words)
    assert (code, "") == (done.code, done.out), done.err
    assert why in done.err
    assert before == (
        sorted(path.name for path in shell.home.iterdir()),
        shell("audit", "head").out,
    )


def test_refuses_a_second_key_of_one_name(shell):
    assert 0 == shell("key", "trust", shell.key("one"), "--name", "same").code
    done = shell("key", "trust", shell.key("two"), "--name", "same")
    assert (3, "") == (done.code, done.out)
    assert "same" in done.err
    assert 1 == len(shell("key", "list", "--json").lines())

"""`seawall sign` and `seawall verify`: what is wrong is told before anything is asked or sent."""

from __future__ import annotations

import pytest

HERE = "localhost:5443/team/app:1"


@pytest.mark.parametrize("command", ["sign", "verify"])
def test_refuses_an_image_without_a_registry(shell, command):
    done = shell(command, "team/app:1")
    assert (2, "") == (done.code, done.out)
    assert "names no registry" in done.err
    assert "HOST/REPOSITORY:TAG" in done.err


@pytest.mark.parametrize("command", ["sign", "verify"])
def test_refuses_half_a_login(shell, command):
    key = shell.key()
    words = ("--key", key.replace(".pub", ".key"), "--passphrase-file", f"{shell.home}/phrase")
    done = shell(command, HERE, "--user", "alice", *(words if command == "sign" else ()))
    assert 2 == done.code
    assert "--user and --password-file go together" in done.err


def test_a_key_that_is_not_there_is_told_before_its_passphrase_is_asked_for(shell):
    for words in ((), ("--key", "no.key")):
        done = shell("sign", HERE, *words)
        assert (3, "") == (done.code, done.out)
        assert "there is no key " in done.err
        assert "seawall key generate" in done.err


def test_without_a_terminal_the_passphrase_is_named_and_the_option_that_gives_it(shell):
    key = shell.key().replace(".pub", ".key")
    done = shell("sign", HERE, "--key", key)
    assert 2 == done.code
    assert f"there is no terminal to ask at: Passphrase of {key}" in done.err
    assert "--passphrase-file FILE" in done.err


def test_a_wrong_passphrase_is_told(shell):
    key = shell.key().replace(".pub", ".key")
    done = shell("sign", HERE, "--key", key, "--passphrase-file", shell.file("w", "wrong one\n"))
    assert 3 == done.code
    assert "does not open this key" in done.err


def test_a_registry_that_does_not_answer_is_told(shell):
    key, nowhere = shell.key(), "localhost:9/team/app:1"
    phrase = ("--passphrase-file", f"{shell.home}/phrase")
    sign = shell("sign", nowhere, "--key", key.replace(".pub", ".key"), *phrase)
    for done in (sign, shell("verify", nowhere, "--key", key)):
        assert 3 == done.code
        assert "the registry localhost:9 does not answer" in done.err
        assert "check the address" in done.err


def test_refuses_a_private_key_where_the_public_one_is_needed(shell):
    done = shell("verify", HERE, "--key", shell.key().replace(".pub", ".key"))
    assert 2 == done.code
    assert "give the .pub file" in done.err


@pytest.mark.parametrize("count", ["0", "-1", "x"])
def test_refuses_to_need_nobody(shell, count):
    done = shell("verify", HERE, "--signers", count)
    assert 2 == done.code
    assert "--signers" in done.err


def test_a_missing_key_is_told_before_a_passphrase_is_asked_for(shell):
    done = shell("sign", HERE)
    assert (3, "") == (done.code, done.out)
    assert f"there is no key {shell.home}/.config/seawall/keys/seawall.key" in done.err
    assert "seawall key generate" in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "name the image"),
        ((HERE, "--yes"), "go together with --offline"),
        ((HERE, "-o", "signed"), "go together with --offline"),
        (("--upload", "signed", "--root", "0" * 64), "go together with --offline"),
        (("--upload", "signed", "--key", "release.key"), "--upload signs nothing"),
        (("--offline", "request"), "with -o FILE"),
        (("--offline", "request", "-o", "signed", "--attest-scan"), "does not work offline"),
        (("--offline", "request", "-o", "signed", "--root-key", "k"), "seawall trust init"),
        (("--offline", "request", "--upload", "signed"), "not allowed with argument"),
    ],
)
def test_refuses_words_that_do_not_go_together(shell, words, told):
    done = shell("sign", *words)
    assert (2, "") == (done.code, done.out)
    assert told in done.err


def test_a_file_that_is_not_there_or_is_none_is_told(shell):
    missing = shell("sign", "--offline", "request", "-o", "signed")
    assert (3, True) == (missing.code, "cannot read request" in missing.err)
    other = shell("sign", "--upload", shell.file("other", '{"mediaType":"text/plain"}'))
    assert 2 == other.code
    assert "is not a file that `seawall sign --offline` wrote" in other.err

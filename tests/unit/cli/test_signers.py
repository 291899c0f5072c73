"""Which keys a command signs with: files and names, several at once, each key only once."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from seawall import config
from seawall.cli import signers
from seawall.core.errors import InvalidInputError, NotFoundError
from seawall.trust import key_files
from seawall.trust.errors import PassphraseError

PHRASE = "correct horse battery\n"


def opened(shell, *words: str) -> list[str]:
    parser = argparse.ArgumentParser()
    signers.add_arguments(parser)
    options = parser.parse_args(words)
    found = signers.open_signers(options.keys, options, config.load(str(shell.state)))
    return [signer.public.key_id for signer in found]


def identity(public: str) -> str:
    return key_files.read_public(Path(public)).key_id


def test_keys_are_opened_in_the_order_in_which_they_are_named(shell):
    one, two = shell.key("one"), shell.key("two")
    phrase = shell.file("phrase", PHRASE)
    words = ("--key", "two.key", "--key", "one.key", "--passphrase-file", phrase)
    assert [identity(two), identity(one)] == opened(shell, *words)


def test_a_name_is_looked_up_in_the_persons_own_configuration(shell):
    phrase = shell.file("phrase", PHRASE)
    shell("key", "generate", "--passphrase-file", phrase)
    by_default = opened(shell, "--passphrase-file", phrase)
    assert by_default == opened(shell, "--key", "seawall", "--passphrase-file", phrase)


def test_each_key_may_have_its_own_passphrase_file(shell):
    shell.key("one"), shell.key("two")
    right, wrong = shell.file("right", PHRASE), shell.file("wrong", "something else\n")
    keys = ("--key", "one.key", "--key", "two.key")
    assert 2 == len(opened(shell, *keys, "--passphrase-file", right, "--passphrase-file", right))
    with pytest.raises(PassphraseError):
        opened(shell, *keys, "--passphrase-file", right, "--passphrase-file", wrong)


def test_refuses_one_key_named_twice(shell):
    shell.key("one")
    words = ("--key", "one.key", "--key", f"{shell.home}/one.key")
    with pytest.raises(InvalidInputError, match="given twice"):
        opened(shell, *words, "--passphrase-file", shell.file("phrase", PHRASE))


def test_refuses_as_many_passphrase_files_as_fit_no_rule(shell):
    shell.key("one")
    right = shell.file("right", PHRASE)
    with pytest.raises(InvalidInputError, match="2 passphrase files for 1 keys"):
        opened(shell, "--key", "one.key", "--passphrase-file", right, "--passphrase-file", right)


def test_refuses_a_key_that_is_nowhere(shell):
    with pytest.raises(NotFoundError, match="there is no key nowhere"):
        opened(shell, "--key", "nowhere")


def begun(shell, *words: str):
    """Open keys beside other work; return what `opening` gives."""
    parser = argparse.ArgumentParser()
    signers.add_arguments(parser)
    options = parser.parse_args(words)
    settings = config.load(str(shell.state))
    return signers.opening(
        lambda: signers.open_signers(options.keys, options, settings),
        options.keys,
        options,
        settings,
    )


def test_keys_are_opened_beside_other_work(shell):
    one, phrase = shell.key("one"), shell.file("phrase", PHRASE)
    with begun(shell, "--key", "one.key", "--passphrase-file", phrase) as wait:
        assert [identity(one)] == [signer.public.key_id for signer in wait()]


def test_what_is_wrong_with_a_key_is_told_before_what_failed_beside_it(shell):
    shell.key("one")
    wrong = shell.file("wrong", "something else\n")
    with pytest.raises(PassphraseError):  # noqa: SIM117 - the block is what fails
        with begun(shell, "--key", "one.key", "--passphrase-file", wrong):
            raise NotFoundError("there is no image")


def test_a_key_that_is_not_there_is_told_before_anything_else_begins(shell):
    words = ("--key", "none.key", "--passphrase-file", shell.file("phrase", PHRASE))
    with pytest.raises(NotFoundError, match=r"no key none\.key"), begun(shell, *words):
        raise AssertionError("begun")


def test_what_asks_a_person_is_opened_at_once(shell):
    shell.key("one")
    with pytest.raises(InvalidInputError, match="no terminal"), begun(shell, "--key", "one.key"):
        raise AssertionError("begun")

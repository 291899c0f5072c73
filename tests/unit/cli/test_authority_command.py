"""`seawall authority` and `seawall key certificate`: whom certificates may name, and our own."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from seawall.testing import authorities, fulcio
from seawall.trust import certificates

NOW = dt.datetime.now(dt.UTC)
RELEASE = "x509.subject: C=US, ST=WA, O=acme, CN=release"
ROOT = authorities.new_authority(NOW)


def _key_words(shell):
    return "--key", shell.key().replace(".pub", ".key"), "--passphrase-file", f"{shell.home}/phrase"


def test_an_authority_is_trusted_for_people_and_repositories_and_taken_back(shell):
    file = shell.file("ca.pem", ROOT.pem)
    done = shell("authority", "trust", "acme", file, "--identity", RELEASE, "--for", "team/*")
    assert 0 == done.code, done.err
    assert f"acme  notation  team/*\n    {RELEASE}\n" == shell("authority", "list").out
    (told,) = shell("authority", "distrust", "acme", "--json").lines()
    assert ("acme", [RELEASE], ["team/*"]) == (told["name"], told["identities"], told["patterns"])
    assert "" == shell("authority", "list").out


def test_a_trusted_root_is_known_by_what_is_in_the_file(shell):
    file = shell.file("root.json", fulcio.new(NOW).trusted_root())
    person = f"{fulcio.ISSUER} {fulcio.PERSON}"
    (told,) = shell("authority", "trust", "ci", file, "--identity", person, "--json").lines()
    assert ("sigstore", ["**"]) == (told["kind"], told["patterns"])


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("trust", "acme", "ca.pem"), 2, "--identity"),
        (("trust", "acme", "none.pem", "--identity", "*"), 3, "there is no file none.pem"),
        (("trust", "acme", "phrase", "--identity", "*"), 2, "BEGIN CERTIFICATE"),
        (("trust", "acme", "root.json", "--identity", "*"), 2, "ISSUER SUBJECT"),
        (("trust", "acme", "ca.pem", "--identity", "alice"), 2, "x509.subject:"),
        (("trust", "acme", "ca.pem", "--identity", "*", "--for", "BAD"), 2, "team/app"),
        (("distrust", "nobody"), 3, "seawall authority list"),
    ],
)
def test_refuses_what_cannot_be_and_changes_nothing(shell, words, code, why):
    shell.file("ca.pem", ROOT.pem)
    shell.file("root.json", fulcio.new(NOW).trusted_root())
    shell.file("phrase", "correct horse battery\n")
    done = shell("authority", *words)
    assert code == done.code
    assert why in done.err
    assert "" == shell("authority", "list").out


def test_the_certificate_of_a_key_is_made_once(shell):
    words = _key_words(shell)
    subject = ("--subject", "C=US, ST=WA, O=acme, CN=release")
    first = shell("key", "certificate", *words, *subject, "--days", "30")
    assert 0 == first.code, first.err
    assert "made a certificate" in first.err
    (leaf,) = certificates.parse_pem(first.out.encode())
    assert "CN=release,O=acme,ST=WA,C=US" == leaf.subject
    assert 30 == (leaf.parsed.not_valid_after_utc - leaf.parsed.not_valid_before_utc).days
    again = shell("key", "certificate", *words)
    assert (first.out, "") == (again.out, again.err)
    other = shell("key", "certificate", *words, *subject)
    assert 3 == other.code
    assert "move it away" in other.err


def test_the_certificate_is_told_as_json_with_its_file(shell):
    done = shell("key", "certificate", *_key_words(shell), "--json")
    told = json.loads(done.out)
    assert told["pem"] == Path(told["file"]).read_text()
    assert told["key_id"] == shell("key", "show", f"{shell.home}/release.pub").out.strip()
    assert f"CN={told['key_id'][:16]},O=seawall,ST=unknown,C=ZZ" == told["subject"]


@pytest.mark.parametrize(
    "more", [("--days", "0"), ("--days", "9999"), ("--subject", "CN=x"), ("--subject", "C=USA")]
)
def test_refuses_certificates_that_notation_would_refuse(shell, more):
    done = shell("key", "certificate", *_key_words(shell), *more)
    assert (2, "") == (done.code, done.out)


def test_sign_refuses_a_chain_that_is_for_none_of_its_keys(shell):
    chain = ROOT.issue(authorities.new_key(), authorities.Wanted(subject="C=US, ST=WA, O=a"), NOW)
    file = shell.file("chain.pem", b"".join(map(certificates.to_pem, chain)))
    image = ("sign", "localhost:9/team/app:1", *_key_words(shell), "--certificate-chain", file)
    done = shell(*image)
    assert 2 == done.code
    assert "for none of the keys" in done.err
    off = shell(*image, "--notation", "none")
    assert 2 == off.code
    assert "switched off" in off.err

"""`seawall key … --token`: keys on hardware, by name, and nothing secret on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seawall.cli import token_access
from seawall.testing import attestations as making
from seawall.testing import tokens as fakes
from seawall.testing.signatures import new_key
from seawall.trust import key_files, keys
from seawall.trust.tokens.cryptoki import NewKey, ObjectKind, TokenObject, Touch
from seawall.trust.tokens.key import Tokens

YUBICO = "Yubico (www.yubico.com)"
PHRASE = "correct horse battery\n"
WRONG = "987654"


@pytest.fixture
def token(monkeypatch):
    fake = fakes.FakeToken()
    tokens = Tokens(fakes.FixedModules([fakes.FakeModule(fake)]))
    monkeypatch.setattr(token_access, "tokens_of", lambda _settings: tokens)
    return fake


@pytest.fixture
def pin(shell):
    return shell.file("pin", fakes.PIN + "\n")


def made(shell, pin, *more):
    return shell(
        "key", "generate", "--token", "pkcs11:token=yubi;object=release", "--pin-file", pin, *more
    )


def test_a_key_made_on_a_token_is_used_by_its_name(shell, token, pin):
    done = made(shell, pin, "--json")
    told = json.loads(done.out)
    home = shell.home / ".config" / "seawall" / "keys"
    assert (0, str(home / "release.key")) == (done.code, told["private"])
    assert told["key_id"] == key_files.read_public(home / "release.pub").key_id
    from unit.cli.test_signers import opened

    assert [told["key_id"]] == opened(shell, "--key", "release", "--passphrase-file", pin)
    assert [told["key_id"]] == opened(shell, "--key", told["uri"], "--passphrase-file", pin)


def test_the_public_key_is_printed_and_the_pin_is_nowhere(shell, token, pin):
    done = made(shell, pin)
    assert "-----BEGIN PUBLIC KEY-----" in done.out
    written = "".join(path.read_text() for path in (shell.home / ".config").rglob("*.key"))
    assert fakes.PIN not in done.out + done.err + written


def test_a_key_file_is_never_overwritten_and_the_token_is_not_touched(shell, token, pin):
    made(shell, pin)
    before = len(token.objects)
    done = made(shell, pin)
    assert 3 == done.code
    assert "never overwritten" in done.err
    assert before == len(token.objects)


def test_tokens_and_their_keys_are_listed_without_a_pin(shell, token, pin):
    made(shell, pin)
    (line,) = shell("key", "list", "--token", "--json").lines()
    assert ("yubi", "fine") == (line["token"], line["pin"])
    assert ["release"] == [key["label"] for key in line["keys"]]
    assert "release" in shell("key", "list", "--token", "pkcs11:token=yubi").out
    assert "" == shell("key", "list", "--token", "pkcs11:token=none").out


def test_a_key_is_brought_to_a_token_after_its_backup_was_written(shell, token, pin):
    public, phrase = shell.key("old"), shell.file("phrase", PHRASE)
    words = ("key", "import", "old.key", "--token", "pkcs11:token=yubi;object=old",
             "--pin-file", pin, "--passphrase-file", phrase)  # fmt: skip
    refused = shell(*words)
    assert 2 == refused.code
    assert "lost with its token" in refused.err
    assert [] == token.objects
    done = shell(*words, "--backup", "backup.key", "--json")
    assert 0 == done.code, done.err
    from seawall.core.secret import Secret

    kept = key_files.read_private(shell.home / "backup.key", Secret(PHRASE.strip()))
    assert kept.public == key_files.read_public(Path(public))
    assert kept.public.key_id == json.loads(done.out)["key_id"]


def test_a_key_without_a_backup_is_spelled_unsafe(shell, token, pin):
    shell.key("old")
    done = shell(
        "key", "import", "old.key", "--token", "pkcs11:token=yubi", "--pin-file", pin,
        "--passphrase-file", shell.file("phrase", PHRASE), "--unsafe-no-backup",
    )  # fmt: skip
    assert 0 == done.code, done.err


def test_a_key_that_is_there_is_linked(shell, token, pin):
    key = new_key()
    token.add(key, NewKey(key_id=b"\x02", label="ready"))
    done = shell(
        "key", "link", "pkcs11:token=yubi;id=%02", "--pin-file", pin, "--output", "ready", "--json",
        "--touch", "never",
    )  # fmt: skip
    assert key.public.key_id == json.loads(done.out)["key_id"], done.err
    assert key.public == key_files.read_public(shell.home / "ready.pub")


@pytest.mark.parametrize(
    ("touch", "said"),
    [
        (Touch.ALWAYS, "touch your key now: yubi"),
        (Touch.CACHED, "touch your key now, once is enough for 15 seconds: yubi"),
        (Touch.UNKNOWN, "touch your key if it blinks: yubi"),
        (Touch.NEVER, ""),
    ],
)
def test_a_touch_is_announced_before_each_signature(shell, token, pin, touch, said):
    token.manufacturer = YUBICO
    token.add(new_key(), NewKey(key_id=b"\x02", label="release", touch=touch))
    from seawall import config
    from seawall.trust.tokens import uri

    signer = token_access.open_key(
        uri.parse("pkcs11:id=%02"), config.load(str(shell.state)), Path(pin)
    )
    for _ in range(2):
        shell.capture.readouterr()
        before = token.signatures
        assert signer.public.has_signed(signer.sign(b"message"), b"message")
        assert (said, before + 1) == (
            shell.capture.readouterr().err.partition(" (")[0], token.signatures
        )  # fmt: skip


def attested(shell, token, *, with_token=True):
    """A key on the token with its attestation; returns the files of attestation and root."""
    token.manufacturer = YUBICO
    key, root = new_key(), making.root()
    device = making.device(root)
    leaf = making.attest(key.public, device)
    token.add(key, NewKey(key_id=b"\x02", label="release"))
    for place, one in ((b"\x19", device), (b"\x1b", leaf)):
        if with_token:
            token.objects.append(
                TokenObject(
                    kind=ObjectKind.CERTIFICATE, key_id=place, label="", certificate=one.der
                )
            )
    chain = shell.file("chain.pem", leaf.pem + device.pem)
    return key.public, chain, shell.file("root.pem", root.pem)


def test_an_attestation_is_proven_from_the_token_or_from_a_file(shell, token, pin):
    public, chain, root = attested(shell, token)
    for subject in ("pkcs11:token=yubi;id=%02", chain):
        done = shell("key", "attest", subject, "--root", root, "--pin-file", pin, "--json")
        told = json.loads(done.out)
        assert (0, public.key_id) == (done.code, told["key_id"]), done.err
        assert ("1234567", "cached", "once") == tuple(
            told["hardware"][name] for name in ("serial", "touch", "pin")
        )
    done = shell("key", "attest", chain, "--root", root, "--output", "proven.pem")
    assert 3 == (shell.home / "proven.pem").read_text().count("BEGIN CERTIFICATE")
    assert "YubiKey PIV 1234567, slot 9c, touch cached, PIN once" in done.out


def test_an_attestation_under_another_root_is_a_no(shell, token, pin):
    _, chain, _ = attested(shell, token)
    other = shell.file("other.pem", making.root().pem)
    done = shell("key", "attest", chain, "--root", other)
    assert (1, "") == (done.code, done.out)
    assert "not proven: nobody among the roots" in done.err


def test_a_trusted_key_shows_the_hardware_that_keeps_it(shell, token):
    public, chain, root = attested(shell, token)
    pub = shell.file("release.pub", public.pem)
    done = shell("key", "trust", pub, "--attestation", chain, "--attestation-root", root)
    assert 0 == done.code, done.err
    (line,) = shell("key", "list", "--json").lines()
    assert "9c" == line["hardware"]["slot"]
    assert "[YubiKey PIV 1234567, slot 9c" in shell("key", "list").out


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("generate", "--touch", "always"), 2, "--token pkcs11:token=NAME"),
        (("generate", "--token", "pkcs11:token=none", "--pin-file", "pin"), 3, "no token fits"),
        (("generate", "--token", "pkcs11:pin-value=1", "--pin-file", "pin"), 2, "every process"),
        (("generate", "--token", "pkcs11:token=yubi", "--pin-file", "wrong"), 3, "few tries"),
        (("generate", "--token", "pkcs11:token=yubi"), 2, "--pin-file FILE"),
        (("import", "--token", "pkcs11:token=yubi", "--unsafe-no-backup"), 2, "which key?"),
        (("import",), 2, "--from-docker FILE"),
        (("link", "pkcs11:token=yubi;id=%09", "--pin-file", "pin"), 3, "no such key"),
        (("attest", "none.pem", "--root", "pin"), 3, "there is no file none.pem"),
        (("attest", "pin", "--root", "pin"), 2, "not certificates"),
        (("trust", "x.pub", "--attestation", "pin"), 2, "go together"),
    ],
)
def test_refuses_what_cannot_be_without_telling_a_pin(shell, token, pin, words, code, why):
    shell.file("wrong", WRONG + "\n")
    shell.file("x.pub", new_key().public.pem)
    done = shell("key", *words)
    assert (code, "") == (done.code, done.out), done.err
    assert why in done.err
    assert WRONG not in done.err
    assert [] == token.objects


def test_a_key_on_a_token_is_not_exported(shell, token, pin):
    made(shell, pin)
    done = shell("key", "export", "release", "--docker", "out.key", "--role", "root")
    assert 2 == done.code
    assert "never leaves" in done.err


def test_a_docker_key_is_brought_home_and_taken_back(shell):
    phrase = shell.file("phrase", PHRASE)
    key_id = shell("key", "show", shell.key("ours")).out.strip()
    words = ("--role", "ada", "--passphrase-file", phrase)
    done = shell("key", "export", "ours.key", "--docker", "docker.key", *words, "--json")
    assert 0 == done.code, done.err
    assert json.loads(done.out)["name"].endswith(".key")
    back = ("--from-docker", "docker.key", "--passphrase-file", phrase, "--output", "back")
    done = shell("key", "import", *back, "--json")
    assert key_id == json.loads(done.out)["key_id"], done.err


def test_the_pem_of_a_public_key_is_the_one_in_the_reference(shell, token, pin):
    made(shell, pin, "--output", "here")
    reference = key_files.find_reference(shell.home / "here.key")
    assert reference is not None
    assert keys.parse_public((shell.home / "here.pub").read_bytes()) == reference.public

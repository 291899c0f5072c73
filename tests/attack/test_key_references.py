"""A key file that says where a key is, a module, a PIN: none is turned against the signer."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.cli import token_access
from seawall.cli.main import main
from seawall.core.errors import IntegrityError, SeawallError
from seawall.core.secret import Secret
from seawall.testing import tokens as fakes
from seawall.testing.signatures import new_key
from seawall.trust import key_files
from seawall.trust.errors import KeyFormatError
from seawall.trust.tokens import references
from seawall.trust.tokens import uri as uris
from seawall.trust.tokens.cryptoki import NewKey, Touch
from seawall.trust.tokens.errors import PinError, UnsafeModuleError
from seawall.trust.tokens.key import Tokens
from seawall.trust.tokens.modules import InstalledModules
from seawall.trust.tokens.references import TokenReference

WRONG = "31415926"
ROOT = Path(__file__).resolve().parents[2]


def document(**changes):
    fields = {
        "kind": references.KIND,
        "uri": "pkcs11:token=yubi;id=%02",
        "public": new_key().public.pem.decode(),
        "touch": "never",
    }
    return json.dumps({**fields, **changes}).encode()


@pytest.mark.parametrize(
    "query",
    [
        "?module-path=/tmp/evil.so",
        "?module-name=evil",
        "?pin-source=file:/home/ada/.ssh/id_ed25519",
        "?module-name=softhsm2&pin-source=file:/etc/shadow",
    ],
)
def test_refuses_a_key_file_that_names_native_code_or_a_file_to_send_as_pin(query):
    with pytest.raises(KeyFormatError, match="must not name"):
        references.parse(document(uri=f"pkcs11:token=yubi;id=%02{query}"))


@pytest.mark.parametrize(
    "changes",
    [
        {"uri": "pkcs11:token=yubi"},
        {"uri": "pkcs11:"},
        {"uri": "vault://evil.example.org/key"},
        {"uri": "pkcs11:id=%02?pin-value=1"},
        {"uri": 7},
        {"public": "none"},
        {"public": None},
        {"touch": "sometimes"},
        {"touch": ["never"]},
        {"kind": "other"},
        {"module": "/tmp/evil.so"},
    ],
)
def test_refuses_a_key_file_of_another_shape(changes):
    with pytest.raises(SeawallError):
        references.parse(document(**changes))


def test_refuses_equal_keys_and_too_much_in_a_key_file():
    doubled = document().replace(b'"uri":', b'"uri": "pkcs11:id=%01", "uri":')
    for content in (doubled, document() + b"x", b"[" * 5000, document(touch="a" * 9000)):
        with pytest.raises(KeyFormatError):
            references.parse(content)


@given(st.binary(max_size=100) | st.text(max_size=100).map(lambda text: b"{" + text.encode()))
def test_refuses_any_rubbish_with_an_error_of_ours(content):
    with pytest.raises(SeawallError):
        references.parse(content)


def test_refuses_to_sign_with_another_key_than_the_one_in_the_file(tmp_path):
    """The file leads to a place on the token where somebody else's key is."""
    token = fakes.FakeToken()
    token.add(new_key(), NewKey(key_id=b"\x02", label="theirs"))
    reference = TokenReference(
        uri=uris.parse("pkcs11:token=yubi;id=%02"), public=new_key().public, touch=Touch.NEVER
    )
    key_files.write_reference(reference, private=tmp_path / "a.key", public=tmp_path / "a.pub")
    found = key_files.find_reference(tmp_path / "a.key")
    tokens = Tokens(fakes.FixedModules([fakes.FakeModule(token)]))
    with pytest.raises(IntegrityError):
        tokens.open_key(found.uri, ask_pin=lambda _: Secret(fakes.PIN), expected=found.public)
    assert 0 == token.signatures


def test_refuses_a_module_out_of_a_directory_where_everybody_writes(tmp_path):
    library = tmp_path / "libsofthsm2.so"
    library.write_bytes(b"")
    library.chmod(0o644)
    link = tmp_path / "sub" / "link.so"
    link.parent.mkdir(mode=0o755)
    link.symlink_to(library)
    tmp_path.chmod(0o777)
    loaded = []
    modules = InstalledModules(load=lambda path: loaded.append(path) or fakes.FakeModule())
    for path in (library, link):  # a link does not make it safe
        with pytest.raises(UnsafeModuleError):
            modules.for_uri(uris.parse(f"pkcs11:?module-path={path}"))
    tmp_path.chmod(0o755)
    assert [] == loaded


def test_refuses_to_show_a_pin_in_errors_tracebacks_or_logs(caplog):
    caplog.set_level(logging.DEBUG)
    token = fakes.FakeToken()
    token.add(new_key(), NewKey(key_id=b"\x02", label="release"))
    tokens = Tokens(fakes.FixedModules([fakes.FakeModule(token)]))
    with pytest.raises(PinError) as caught:
        tokens.open_key(uris.parse("pkcs11:id=%02"), ask_pin=lambda _: Secret(WRONG))
    shown = "".join(
        traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    )
    assert WRONG not in shown + caplog.text
    assert "Secret(…)" in shown  # the locals were really looked at


def test_refuses_to_show_a_pin_that_a_real_module_refused(tmp_path):
    if fakes.why_no_softhsm():
        pytest.skip(fakes.why_no_softhsm())
    from seawall.trust.tokens.cryptoki import Role
    from seawall.trust.tokens.pkcs11_module import Pkcs11Module

    with fakes.softhsm(tmp_path / "hsm", "yubi") as path:
        module = Pkcs11Module(path)
        (token,) = module.tokens()
        with pytest.raises(PinError) as caught:
            module.open(token, Role.USER, Secret(WRONG), is_writing=False)
        module.close()
    lines = traceback.TracebackException.from_exception(caught.value).format()
    assert WRONG not in "".join(lines)


def test_refuses_a_pin_on_the_command_line(capsys, monkeypatch):
    monkeypatch.setattr(token_access, "tokens_of", lambda _: pytest.fail("it was not refused"))
    for words in (
        ("sign", "localhost:5000/a:1", "--key", f"pkcs11:token=a?pin-value={WRONG}"),
        ("key", "generate", "--token", f"pkcs11:token=a?pin-value={WRONG}"),
        ("key", "list", "--token", f"pkcs11:?pin-value={WRONG}"),
    ):
        assert 2 == main(words)
        said = capsys.readouterr()
        assert WRONG not in said.out + said.err
        assert "every process" in said.err


def test_refuses_to_put_the_pin_into_the_arguments_of_any_process(tmp_path):
    """While a signature is made, no process of the machine shows the PIN in its command line."""
    pin = tmp_path / "pin"
    pin.write_text(WRONG + "\n")
    code = (
        "import sys, pathlib, subprocess\n"
        "started = []\n"
        "subprocess.Popen.__init__ = lambda self, words, *a, **k: started.append(words)\n"
        "from seawall.cli.main import main\n"
        "main(['key', 'list', '--token'])\n"
        "words = ['sign', 'localhost:5000/a:1', '--key', 'pkcs11:id=%02']\n"
        f"main([*words, '--passphrase-file', {str(pin)!r}])\n"
        "assert started == [], started\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    assert WRONG not in done.stdout + done.stderr

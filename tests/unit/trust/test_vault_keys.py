"""Keys at a signing service: over TLS alone, once, and checked before they are believed."""

from __future__ import annotations

import base64
import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import (
    DeniedError,
    IntegrityError,
    InvalidInputError,
    LimitError,
    NotFoundError,
    SeawallError,
    UnavailableError,
)
from seawall.testing import vault_server
from seawall.testing.signatures import new_key
from seawall.trust import vault
from seawall.trust.errors import KeyFormatError
from seawall.trust.vault import VaultUri

MESSAGE = b"message"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with vault_server.serving(tmp_path_factory.mktemp("vault")) as found:
        yield found


@pytest.fixture
def service(served):
    fresh = vault_server.FakeVault()
    for name in ("keys", "key_type", "namespace", "requests", "answer"):
        setattr(served, name, getattr(fresh, name))
    return served


@pytest.fixture
def token(tmp_path):
    path = tmp_path / "token"
    path.write_text(vault_server.TOKEN + "\n")
    return path


def opened(service, token, name="release", **more):
    uri = VaultUri(host=service.address, name=name, ca_file=service.ca_file, **more)
    return vault.open_key(uri, default_token_file=token)


def test_the_key_signs_and_only_its_digest_travels(service, token):
    key = opened(service, token)
    assert key.public.has_signed(key.sign(MESSAGE), MESSAGE)
    assert [
        ("GET", "/v1/transit/keys/release"),
        ("POST", "/v1/transit/sign/release/sha2-256"),
    ] == service.requests


def test_the_newest_version_signs_unless_another_is_named(service, token):
    service.keys["release"].append(new_key())
    first, second = (key.public for key in service.keys["release"])
    assert second == opened(service, token).public
    old = opened(service, token, version=1)
    assert first == old.public
    assert first.has_signed(old.sign(MESSAGE), MESSAGE)
    with pytest.raises(NotFoundError, match="no version 3"):
        opened(service, token, version=3)


def test_a_rotation_in_between_does_not_change_who_signs(service, token):
    key = opened(service, token)
    service.keys["release"].append(new_key())
    assert key.public.has_signed(key.sign(MESSAGE), MESSAGE)


def test_a_namespace_is_told(service, token):
    service.namespace = "team/release"
    assert opened(service, token, namespace="team/release").sign(MESSAGE)
    with pytest.raises(NotFoundError):
        opened(service, token)


def test_refuses_a_wrong_token_without_telling_it(service, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("hvs.wrong-token")
    with pytest.raises(DeniedError, match="permission denied") as caught:
        opened(service, wrong)
    assert "hvs.wrong" not in f"{caught.value}{caught.value.__cause__}"


@pytest.mark.parametrize("content", ["", "two words", "a\nb", "ü", "x" * 5000])
def test_refuses_a_file_that_holds_no_token(service, tmp_path, content):
    (tmp_path / "token").write_text(content)
    with pytest.raises(InvalidInputError, match="holds no token"):
        opened(service, tmp_path / "token")
    assert [] == service.requests


def test_refuses_what_is_not_there_or_of_another_kind(service, token, tmp_path):
    with pytest.raises(NotFoundError, match="has no key") as caught:
        opened(service, token, name="none")
    assert "vault write transit/keys/none" in caught.value.remedy
    with pytest.raises(NotFoundError, match="cannot read the token"):
        opened(service, tmp_path / "none")
    service.key_type = "ed25519"
    with pytest.raises(KeyFormatError, match="another kind"):
        opened(service, token)


def test_refuses_a_service_whose_certificate_nobody_vouches_for(service, token):
    uri = VaultUri(host=service.address, name="release")
    with pytest.raises(UnavailableError, match="does not answer"):
        vault.open_key(uri, default_token_file=token)
    assert [] == service.requests


def test_refuses_a_redirect_and_takes_the_token_nowhere(service, token):
    place = f"https://{service.address}/v1/transit/keys/other"
    service.answer = lambda *_: (307, {"Location": place}, b"")
    with pytest.raises(UnavailableError, match="answers 307"):
        opened(service, token)
    assert 1 == len(service.requests)


def test_refuses_another_keys_signature(service, token):
    key = opened(service, token)
    service.keys["release"] = [new_key()]
    with pytest.raises(IntegrityError):
        key.sign(MESSAGE)


def said(**data):
    return 200, {}, json.dumps({"data": data}).encode()


@pytest.mark.parametrize(
    "answer",
    [
        said(signature="vault:v2:" + base64.b64encode(b"x" * 70).decode()),
        said(signature="vault:v1:" + base64.b64encode(b"x" * 70).decode()),
        said(signature="vault:v1:===="),
        said(signature=7),
        said(),
        (200, {}, b'{"data": 1}'),
        (200, {}, b'{"data": {}, "data": {}}'),
        (200, {}, b"<html>"),
        (204, {}, b""),
        (503, {}, b'{"errors": ["Vault is sealed"]}'),
        (500, {}, b'{"errors": "\\u001b[2J"}'),
    ],
)
def test_refuses_answers_of_another_shape_and_asks_once(service, token, answer):
    key = opened(service, token)
    before = len(service.requests)
    service.answer = lambda *_: answer
    with pytest.raises(UnavailableError):
        key.sign(MESSAGE)
    assert before + 1 == len(service.requests)


def test_refuses_an_answer_without_end(service, token):
    service.answer = lambda *_: (200, {}, b" " * (vault.ANSWER_MAX_BYTES + 1))
    with pytest.raises(LimitError):
        opened(service, token)


def test_the_uri_names_service_mount_and_key():
    found = vault.parse(
        "vault://vault.example.org:8200/signing/release"
        "?token-file=/run/token&ca-file=/etc/ca.pem&namespace=team/a&version=3"
    )
    assert found == VaultUri(
        host="vault.example.org:8200", mount="signing", name="release",
        token_file=Path("/run/token"), ca_file=Path("/etc/ca.pem"), namespace="team/a", version=3,
    )  # fmt: skip
    plain = vault.parse("vault://vault/release")
    assert replace(found, host="vault", mount="transit") != plain
    assert VaultUri(host="vault", name="release") == plain


@pytest.mark.parametrize(
    "text",
    [
        "vault:release",
        "vault:///release",
        "https://vault/release",
        "vault://hvs.secret@vault/release",
        "vault://vault/",
        "vault://vault/a/b/c",
        "vault://vault/../sys/raw",
        "vault://vault/transit/a%2fb",
        "vault://vault/release?token=hvs.secret",
        "vault://vault/release?version=1&version=2",
        "vault://vault/release?version=0",
        "vault://vault/release?namespace=a//b",
        "vault://vault/release?token-file=relative",
        "vault://vault/release?token-file",
        "vault://vault/release#hvs.secret",
        "vault://vault/release\n",
        "vault://" + "a" * 2000 + "/release",
    ],
)
def test_refuses_other_uris_without_repeating_them(text):
    with pytest.raises(InvalidInputError) as caught:
        vault.parse(text)
    assert "hvs.secret" not in str(caught.value)


@given(st.text(max_size=60).map(lambda text: "vault://" + text) | st.text(max_size=60))
def test_any_text_is_a_uri_or_an_error_of_ours(text):
    with contextlib.suppress(SeawallError):
        assert vault.parse(text).name

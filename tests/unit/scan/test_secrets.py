"""Secrets are found where they are, not where something looks like one, and never shown."""

from __future__ import annotations

import base64
import json
import random
import string
import zlib

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from seawall.scan import secrets
from seawall.scan.severity import Severity

RANDOM = random.Random(7)
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def chars(count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(RANDOM.choices(alphabet, k=count))


def checked(prefix: str) -> str:
    """Make a token as GitHub and npm do: 30 characters and their CRC-32 in base 62."""
    body = chars(30)
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        digits = BASE62[rest] + digits
    return prefix + body + digits


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


TOKENS = {
    "aws-access-key": f"AKIA{chars(16, string.ascii_uppercase + '234567')}",
    "aws-secret-key": f"aws_secret_access_key = {chars(40)}",
    "github-token": checked("ghp_"),
    "npm-token": checked("npm_"),
    "gitlab-token": f"glpat-{chars(20)}",
    "pypi-token": f"pypi-AgEIcHlwaS5vcmc{chars(80)}",
    "slack-token": f"xoxb-{chars(12, string.digits)}-{chars(12, string.digits)}-{chars(24)}",
    "slack-webhook": "https://hooks.slack.com/services/"
    f"T{chars(9, string.ascii_uppercase)}/B{chars(9, string.ascii_uppercase)}/{chars(24)}",
    "google-key": f"AIza{chars(35)}",
    "stripe-key": f"sk_live_{chars(30)}",
    "sendgrid-key": f"SG.{chars(22)}.{chars(43)}",
    "openai-key": f"sk-proj-{chars(60)}",
    "anthropic-key": f"sk-ant-api03-{chars(93)}AA",
    "huggingface-token": f"hf_{chars(34, string.ascii_letters)}",
    "digitalocean-token": f"dop_v1_{chars(64, '0123456789abcdef')}",
    "shopify-token": f"shpat_{chars(32, '0123456789abcdef')}",
    "databricks-token": f"dapi{chars(32, '0123456789abcdef')}",
    "vault-token": f"hvs.{chars(95)}",
    "age-key": f"AGE-SECRET-KEY-1{chars(58, string.ascii_uppercase + string.digits)}",
    "azure-storage-key": f"AccountName=a;AccountKey={chars(86)}==",
    "web-token": f"{packed({'alg': 'RS256'})}.{packed({'iss': 'a', 'sub': 'b'})}.{chars(86)}",
    "npm-login": f"//registry.example/:_authToken={chars(40)}",
    "url-password": "postgresql://app:h8Kq-2vTz_m@db.internal/app",
    "kubernetes-key": "client-key-data: "
    + base64.b64encode(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    ).decode(),
    "netrc-password": "machine git.example login app password h8Kq2vTzm",
}


def found(text: str, path: str = "/app/settings.conf") -> list[str]:
    return [one.rule for one in secrets.find(text.encode(), path)]


def pem(kind: str, *, password: bytes | None = None) -> str:
    forms = {
        "PKCS8": serialization.PrivateFormat.PKCS8,
        "OpenSSH": serialization.PrivateFormat.OpenSSH,
        "Traditional": serialization.PrivateFormat.TraditionalOpenSSL,
    }
    key = ed25519.Ed25519PrivateKey.generate() if kind == "OpenSSH" else ec.generate_private_key(
        ec.SECP256R1()
    )  # fmt: skip
    hidden = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, forms[kind], hidden).decode()


@pytest.mark.parametrize("rule", TOKENS)
def test_a_secret_is_found_and_told_by_its_line(rule):
    (one,) = secrets.find(f"# settings\n\nkey: {TOKENS[rule]}\n".encode(), "/app/x")
    assert (rule, 3, "/app/x") == (one.rule, one.line, one.path)


@pytest.mark.parametrize("rule", TOKENS)
def test_a_secret_is_never_shown(rule):
    (one,) = secrets.find(TOKENS[rule].encode(), "/app/x")
    told = " ".join((one.title, one.evidence, one.remedy, one.rule))
    secret = max(TOKENS[rule].replace("/", " ").replace("=", " ").split(), key=len)
    assert not any(secret[at : at + 9] in told for at in range(8, max(9, len(secret) - 9)))


@pytest.mark.parametrize("kind", ["PKCS8", "OpenSSH", "Traditional"])
def test_a_private_key_is_found(kind):
    key = pem(kind)
    (one,) = secrets.find(f"x\n{key}".encode(), "/root/.ssh/id")
    assert ("private-key", Severity.HIGH, 2) == (one.rule, one.severity, one.line)
    assert key[60:80] not in one.evidence
    in_json = json.dumps({"type": "service_account", "private_key": key})
    assert ["private-key"] == found(in_json)


def test_an_encrypted_key_is_less_bad():
    for kind in ("PKCS8", "Traditional"):
        (one,) = secrets.find(pem(kind, password=b"password").encode(), "/a")
        assert Severity.MEDIUM is one.severity
        assert "encrypted" in one.title


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n" + "A" * 64 + "\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n<your key, in PEM form>\n-----END PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\n" + chars(64) + "\n-----END PUBLIC KEY-----",
        "if line == '-----BEGIN PRIVATE KEY-----': start()",
        "AKIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "ghp_" + "x" * 36,
        "ghp_" + "a1b2" * 9,
        "npm_" + "0" * 36,
        "glpat-xxxxxxxxxxxxxxxxxxxx",
        "AIza" + "A" * 35,
        "sk_live_" + "1" * 30,
        "postgresql://user:password@localhost/db",
        "postgresql://user:${DB_PASSWORD}@localhost/db",
        "https://user:<password>@host.example",
        "https://example.com:8443/path@2",
        "git@github.com:team/app.git",
        "machine m login l password example",
        f"{packed({'alg': 'none'})}.{packed({'iss': 'a'})}.{chars(40)}",
        f"{packed({'alg': 'HS256'})}.{packed([1, 2, 3, 4, 5, 6])}.{chars(40)}",
        "eyJhbGciOi.eyJhbGciOi." + chars(40),
        "password = 'hunter2hunter2'",
        "//registry.example/:_authToken=${NPM_TOKEN}",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_secret_is_none(text):
    assert [] == found(text)


def test_a_right_checksum_counts_more_than_a_look():
    token = checked("ghp_")
    assert secrets.has_checksum(token.encode())
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert not secrets.has_checksum(wrong.encode())


def test_logins_of_registries_are_found_in_their_file_only():
    auth = base64.b64encode(b"robot:h8Kq2vTzm").decode()
    text = json.dumps({"auths": {"registry.example": {"auth": auth}}})
    assert ["docker-login"] == found(text, "/root/.docker/config.json")
    assert [] == found(text, "/app/other.json")
    empty = json.dumps({"auths": {"registry.example": {"auth": ""}}})
    assert [] == found(empty, "/root/.docker/config.json")


def test_variables_of_env_files_are_judged_by_name_and_value():
    text = "DB_PASSWORD=h8Kq2vTzm\nAPI_KEY=changeme\nDEBUG=true\nTOKEN_FILE=/run/secrets/token\n"
    assert ["variable"] == found(text, "/app/.env")
    assert ["variable"] == found(text, "/app/.env.production")
    assert [] == found(text, "/app/readme")
    (one,) = secrets.find(text.encode(), "/app/.env")
    assert "h8Kq" not in one.evidence


def test_variables_of_an_image_are_judged():
    found_ = secrets.in_variables(
        ["PATH=/bin", "MYSQL_ROOT_PASSWORD=h8Kq2vTzm", f"GH={checked('ghp_')}", "SECRET=$OTHER"]
    )
    assert ["variable", "github-token"] == [one.rule for one in found_]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("etc/ssl/private/key.pem", True),
        ("root/.ssh/id_rsa", True),
        ("app/.env", True),
        ("srv/app/settings.py", True),
        ("usr/local/etc/app.conf", True),
        ("usr/share/doc/x/key", False),
        ("usr/lib/python3/dist-packages/x.py", False),
        ("app/node_modules/x/test.pem", False),
        ("app/venv/lib/python3.11/site-packages/x.py", False),
        ("app/tests/key.pem", False),
        ("app/README.md", False),
        ("app/logo.PNG", False),
    ],
)
def test_files_of_packages_tests_and_documents_are_passed_over(path, expected):
    assert expected is secrets.is_candidate(path, 1000)
    assert expected is secrets.is_candidate(f"/{path}", 1000)
    assert not secrets.is_candidate(path, secrets.MAX_FILE_BYTES + 1)


def test_binary_content_is_passed_over():
    assert [] == found("\0" + TOKENS["github-token"])


def test_not_more_is_told_than_a_reader_reads():
    text = "\n".join(checked("ghp_") for _ in range(200))
    assert secrets.MAX_FOUND == len(found(text))


def test_hostile_content_takes_no_time():
    """Quadratic patterns would take minutes here."""
    size = secrets.MAX_FILE_BYTES
    for piece in (
        b"-----BEGIN PRIVATE KEY-----", b"eyJ", b"a://b:", b"aws secret ", b"AKIA", b"machine a ",
        b"A_PASSWORD", b"_authToken = ", b"ghp_", b"a" * 64 + b"\n", b"AccountKey=A", b"-",
    ):  # fmt: skip
        content = (piece * (size // len(piece) + 1))[: size // 4]
        secrets.find(content, "/app/.env")


@given(st.binary(max_size=200), st.sampled_from(sorted(TOKENS)))
def test_no_bytes_around_a_secret_break_the_search(noise, rule):
    content = noise + b"\n" + TOKENS[rule].encode() + b"\n" + noise
    told = secrets.find(content, "/app/.env")
    assert b"\0" in content or rule in {one.rule for one in told}

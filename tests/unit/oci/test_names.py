import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError
from seawall.oci.digest import Digest
from seawall.oci.names import Reference, RepositoryName, Tag

SHA = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag", "digest"),
    [
        ("app", None, "app", "latest", None),
        ("team/app:1.0", None, "team/app", "1.0", None),
        ("localhost:5443/app", "localhost:5443", "app", "latest", None),
        ("localhost/app:1", "localhost", "app", "1", None),
        ("reg.example.org/a/b:1", "reg.example.org", "a/b", "1", None),
        (f"app@{SHA}", None, "app", None, SHA),
        (f"[::1]:5000/app:1@{SHA}", "[::1]:5000", "app", "1", SHA),
    ],
)
def test_reads_references(text, host, repository, tag, digest):
    parsed = Reference.parse(text)
    assert (host, repository, tag, digest) == (
        parsed.host,
        parsed.repository,
        parsed.tag,
        parsed.digest,
    )


@pytest.mark.parametrize(
    "text",
    [
        "", "App", "a//b", "/a", "a/", "a/../b", "a:", "a:b:c", "a@sha256:zz", "a\n", "ä",
        "a/b\x00", "host.example/", "a" * 201, "a___b", "-a", "a@" + SHA.upper(),
    ],
)  # fmt: skip
def test_refuses_malformed_references(text):
    with pytest.raises(InvalidInputError):
        Reference.parse(text)


@pytest.mark.parametrize("text", ["sha256:" + "0" * 63, SHA + "\n", "sha512:" + "0" * 64, "md5:0"])
def test_refuses_malformed_digests(text):
    with pytest.raises(InvalidInputError):
        Digest.parse(text)


@given(st.binary())
def test_a_digest_is_of_its_bytes_alone(content):
    digest = Digest.of(content)
    assert digest.is_of(content)
    assert not digest.is_of(content + b"x")
    assert Digest.parse(str(digest)) == digest


@given(st.text())
def test_names_never_hold_a_path_escape(text):
    try:
        name = RepositoryName.parse(text)
    except InvalidInputError:
        return
    assert not {"", ".", ".."} & set(name.split("/"))


def test_tags_are_bounded():
    assert Tag.parse("v" * 128)
    with pytest.raises(InvalidInputError):
        Tag.parse("v" * 129)

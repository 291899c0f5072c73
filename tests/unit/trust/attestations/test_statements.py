"""The in-toto statement: what is written is read, and what could be read in two ways is not."""

import contextlib
import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError, LimitError, SeawallError
from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.testing import signatures
from seawall.trust import bundle
from seawall.trust.attestations import envelope, kinds, plan, statement
from seawall.trust.attestations.statement import Statement

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
DIGEST = Digest.of(b"image")
IMAGE = Reference.parse("localhost:5443/team/app:1")
URI = "https://example.com/my/type/v1"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=20,
)


def document(**changes):
    payload = statement.build(DIGEST, IMAGE, URI, {"a": 1}, NOW)
    return json.loads(payload) | changes


def parsed(document):
    return statement.parse(json.dumps(document).encode())


@given(json_values)
def test_reads_what_it_wrote(predicate):
    said = statement.parse(statement.build(DIGEST, IMAGE, URI, predicate, NOW))
    assert isinstance(said, Statement)
    assert (DIGEST, URI, predicate, NOW) == (
        said.digest, said.predicate_type, said.predicate, said.signed_at,
    )  # fmt: skip
    assert ("localhost:5443", "team/app", None) == (
        said.image.host, said.image.repository, said.image.tag,
    )  # fmt: skip


def test_reads_the_older_statement_of_stock_cosign():
    assert DIGEST == parsed(document(_type="https://in-toto.io/Statement/v0.1")).digest


@pytest.mark.parametrize(
    "changes",
    [
        {"_type": "https://in-toto.io/Statement/v2"},
        {"_type": None},
        {"subject": []},
        {"subject": None},
        {"subject": [{"digest": {"sha256": DIGEST.hex}}] * 2},
        {"subject": [{"digest": {"sha256": DIGEST.hex, "sha512": "0" * 128}}]},
        {"subject": [{"digest": {}}]},
        {"subject": [{"digest": {"sha256": DIGEST.hex.upper()}}]},
        {"subject": [{"digest": {"sha256": 7}}]},
        {"subject": [{"name": 7, "digest": {"sha256": DIGEST.hex}}]},
        {"subject": [{"name": "a" * 600, "digest": {"sha256": DIGEST.hex}}]},
        {"subject": [{"digest": {"sha256": DIGEST.hex}, "annotations": []}]},
        {"subject": [
            {"digest": {"sha256": DIGEST.hex}, "annotations": {bundle.TIME_ANNOTATION: "today"}}
        ]},
        {"predicateType": None},
        {"predicateType": "no uri"},
        {"predicateType": bundle.SIGN_PREDICATE},
        {"predicateType": kinds.CYCLONEDX, "predicate": {"bomFormat": "SPDX"}},
        {"predicateType": kinds.SLSA_PROVENANCE, "predicate": {"buildDefinition": {}}},
        {"predicateType": kinds.VULNERABILITIES, "predicate": []},
    ],
)  # fmt: skip
def test_refuses_what_is_not_one_statement_about_one_image(changes):
    with pytest.raises(InvalidInputError):
        parsed(document(**changes))


@pytest.mark.parametrize("name", ["app.tar.gz", "pkg:docker/app@1", "a b", "team/app", ""])
def test_a_name_that_is_no_image_of_a_registry_binds_nothing(name):
    subject = {"name": name, "digest": {"sha256": DIGEST.hex}}
    assert parsed(document(subject=[subject])).image is None


def test_refuses_a_predicate_nested_too_deep():
    deep = json.loads("[" * 60 + "]" * 60)
    assert deep == parsed(document(predicate=deep)).predicate
    with pytest.raises(LimitError):
        parsed(document(predicate=[[[[[[deep]]]]]]))


def test_refuses_a_predicate_that_is_too_large():
    with pytest.raises(LimitError):
        statement.parse_predicate(b'"' + b"x" * statement.PREDICATE_MAX_BYTES + b'"')


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_read_and_nothing_else(content):
    for reader in (statement.parse, envelope.parse, statement.parse_predicate):
        with contextlib.suppress(SeawallError):
            reader(content)


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_no_changed_byte_of_an_envelope_leaves_another_signed_statement(at, change):
    key = signatures.new_key()
    payload = statement.build(DIGEST, IMAGE, URI, {"a": 1}, NOW)
    content = bytearray(envelope.build(payload, plan.sign(payload, URI, key).signature))
    content[at % len(content)] ^= change
    try:
        opened = envelope.parse(bytes(content))
    except SeawallError:
        return
    holds = key.public.has_signed(opened.signature, opened.signed_bytes)
    assert not holds or opened.payload == payload


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
        ("slsaprovenance", "https://slsa.dev/provenance/v1"),
        ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
        ("cyclonedx", "https://cyclonedx.org/bom"),
        ("spdx", "https://spdx.dev/Document"),
        ("spdxjson", "https://spdx.dev/Document"),
        ("openvex", "https://openvex.dev/ns"),
        (URI, URI),
    ],
)
def test_types_have_the_short_names_of_cosign(name, uri):
    assert uri == kinds.parse(name)
    assert uri == kinds.parse(kinds.name_of(uri))


@pytest.mark.parametrize("text", ["", "vulns", "no uri", "HTTPS://x", "a:" + "b" * 600, "x:\u00e4"])
def test_refuses_what_is_no_type(text):
    with pytest.raises(InvalidInputError):
        kinds.parse(text)


def test_a_signature_is_no_type_of_attestation():
    with pytest.raises(InvalidInputError, match="signature"):
        kinds.parse(bundle.SIGN_PREDICATE)


def test_stock_cosign_writes_spdx_as_text_and_it_is_read():
    said = parsed(document(predicateType=kinds.SPDX, predicate="SPDXVersion: SPDX-2.3"))
    assert "SPDXVersion: SPDX-2.3" == said.predicate

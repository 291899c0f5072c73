"""Bodies of the log: one spelling each, and nothing else parses."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core import strictjson
from seawall.core.errors import InvalidInputError, SeawallError
from seawall.oci.digest import Digest
from seawall.testing import logs, signatures
from seawall.trust import bundle
from seawall.trust.log import entries

KEY = signatures.new_key()
SIGNED = logs.envelope(KEY)
BODY = entries.signature_body(SIGNED, KEY.public)

texts = st.text(max_size=40)
facts = st.one_of(
    st.builds(
        entries.TagMove,
        repository=texts, event=st.integers(0, 2**60), time=texts, blind=texts,
        tag=texts, digest=st.none() | texts, previous=st.none() | texts,
    ),
    st.builds(
        entries.KeyUse,
        repository=texts, event=st.integers(0, 2**60), time=texts, blind=texts,
        digest=texts, tag=st.none() | texts, key_id=texts,
    ),
    st.builds(
        entries.Referral,
        repository=texts, event=st.integers(0, 2**60), time=texts, blind=texts,
        digest=texts, subject=texts, artifact_type=texts,
    ),
)  # fmt: skip


@given(fact=facts)
def test_a_fact_parses_back_to_itself(fact: entries.Fact) -> None:
    assert fact == entries.parse(entries.fact_body(fact))


def test_a_signature_has_the_body_that_rekor_gives_it() -> None:
    document = json.loads(BODY)
    assert ("0.0.1", "dsse") == (document["apiVersion"], document["kind"])
    spec = document["spec"]
    compact = json.dumps(
        {
            "payload": bundle.encode_base64(SIGNED.payload),
            "payloadType": bundle.PAYLOAD_TYPE,
            "signatures": [{"sig": bundle.encode_base64(SIGNED.signature)}],
        },
        separators=(",", ":"),
    ).encode()
    assert Digest.of(compact).hex == spec["envelopeHash"]["value"]
    assert Digest.of(SIGNED.payload).hex == spec["payloadHash"]["value"]
    (one,) = spec["signatures"]
    assert bundle.encode_base64(KEY.public.pem) == one["verifier"]


def test_a_body_is_of_its_envelope_and_signer_alone() -> None:
    entry = entries.parse(BODY)
    assert isinstance(entry, entries.SignatureEntry)
    assert entry.is_of(SIGNED, KEY.public)
    other = signatures.new_key()
    assert not entry.is_of(SIGNED, other.public)
    assert not entry.is_of(logs.envelope(KEY, "host.example/team/app:v2"), KEY.public)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_an_entry_or_refused(content: bytes) -> None:
    with pytest.raises(SeawallError):
        entries.parse(content)


@given(at=st.integers(0, len(BODY) - 1), bit=st.integers(0, 7))
def test_no_changed_bit_is_the_entry_of_the_envelope(at: int, bit: int) -> None:
    changed = bytearray(BODY)
    changed[at] ^= 1 << bit
    try:
        entry = entries.parse(bytes(changed))
    except SeawallError:
        return
    assert isinstance(entry, entries.SignatureEntry)
    assert not entry.is_of(SIGNED, KEY.public)


def _changed(**fields: object) -> bytes:
    return strictjson.encode(json.loads(BODY) | fields)


TAG = msgspec.to_builtins(logs.tag_move(1))


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(json.loads(BODY)).encode(),
        BODY + b"\n",
        _changed(apiVersion="0.0.2"),
        _changed(kind="hashedrekord"),
        _changed(kind=["dsse"]),
        _changed(more=1),
        _changed(spec={}),
        _changed(kind="seawall.tag"),
        strictjson.encode({"apiVersion": "0.0.1", "kind": "seawall.tag", "spec": TAG | {"x": 1}}),
        strictjson.encode(
            {"apiVersion": "0.0.1", "kind": "seawall.tag", "spec": TAG | {"event": "1"}}
        ),
        strictjson.encode(
            {"apiVersion": "0.0.1", "kind": "seawall.tag", "spec": TAG | {"event": 1.0}}
        ),
        strictjson.encode({"apiVersion": "0.0.1", "kind": "seawall.signature", "spec": TAG}),
    ],
)
def test_refuses_any_other_spelling(body: bytes) -> None:
    with pytest.raises(InvalidInputError):
        entries.parse(body)


@pytest.mark.parametrize(
    "envelope",
    [
        None,
        [],
        {"payload": "", "payloadType": "t", "signatures": [{"sig": "AA=="}]},
        {"payload": "AA==", "payloadType": "", "signatures": [{"sig": "AA=="}]},
        {"payload": "AA==", "payloadType": "t", "signatures": []},
        {"payload": "AA==", "payloadType": "t", "signatures": [{"sig": "AA=="}] * 2},
        {"payload": "AA==", "payloadType": "t", "signatures": [{"sig": "A"}]},
        {"payload": "AA==", "payloadType": "t", "signatures": [{"sig": "AA==", "cert": "x"}]},
        {"payload": "AA==", "payloadType": "t", "signatures": [{"sig": "AA=="}], "x": 1},
    ],
)
def test_refuses_what_is_no_envelope_with_one_signature(envelope: object) -> None:
    with pytest.raises(InvalidInputError):
        entries.parse_envelope(envelope)  # type: ignore[arg-type]


def test_a_statement_says_what_it_is_about() -> None:
    about = entries.named(SIGNED.payload)
    assert (Digest.of(b"image"),) == about.digests
    assert about.image is not None
    assert "team/app" == about.image.repository

"""Notation's signatures, forged, edited and replayed: every way ends in a step that says no."""

import base64
import contextlib
import dataclasses
import datetime as dt
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import SeawallError
from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference, RepositoryName, Tag
from seawall.testing import authorities, signatures
from seawall.testing.authorities import DAY, Wanted
from seawall.trust import proof, signing
from seawall.trust.keys import PrivateKey
from seawall.trust.model import (
    AuthorityKind,
    SignatureFormat,
    TrustedAuthority,
    UnverifiedSignature,
)
from seawall.trust.notation import cbor, cose, envelopes, jws, payload

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
DIGEST, OTHER = Digest.of(b"image"), Digest.of(b"evil image")
IMAGE = "localhost:5000/team/app:v1"
JWS, COSE = SignatureFormat.NOTATION_JWS, SignatureFormat.NOTATION_COSE
RELEASE = "C=US, ST=WA, O=acme, CN=release"
ROOT = authorities.new_authority(NOW)
EC_KEY = authorities.new_key()
KEY = PrivateKey(EC_KEY)

both = pytest.mark.parametrize("kind", [JWS, COSE])


def trusted(identity=f"x509.subject: {RELEASE}", pem=ROOT.pem, patterns=("team/*",)):
    return TrustedAuthority(
        name="acme", kind=AuthorityKind.NOTATION, content=pem,
        identities=(identity,) if identity else (), patterns=patterns,
    )  # fmt: skip


def prove(*artifacts, authority=None, now=NOW, **more):
    return proof.verify(
        more.pop("digest", DIGEST),
        repository=RepositoryName(more.pop("repository", "team/app")),
        tag=Tag(more.pop("tag", "v1")),
        artifacts=artifacts,
        keys=more.pop("keys", []),
        authorities=[authority or trusted()],
        now=now,
        **more,
    )


def refused_at(step, *artifacts, **more):
    result = prove(*artifacts, **more)
    assert not result.is_valid
    assert not result.signatures
    return step in {one.number for one in result.failures}


def content(image=IMAGE, digest=DIGEST):
    descriptor = Descriptor(media_type=media.OCI_MANIFEST, digest=digest, size=7)
    return payload.build(descriptor, Reference.parse(image))


def chain(wanted=None, root=ROOT, key=EC_KEY):
    return root.issue(key, wanted or Wanted(subject=RELEASE), NOW)


def signed(kind=JWS, certificates=None, at=NOW, expires_at=None, body=None, key=KEY):
    shown = chain() if certificates is None else certificates
    return signatures.sign_envelope(
        key, kind, content() if body is None else body, at, chain=shown, expires_at=expires_at
    )


@both
def test_refuses_nothing_that_the_authority_vouches_for(kind):
    result = prove(signed(kind))
    assert result.is_valid, result.steps
    assert "acme" == result.signatures[0].authority
    assert KEY.public.key_id == result.signatures[0].public_key_id
    below = ROOT.below("C=US, ST=WA, O=acme, CN=issuer", NOW, path_length=0)
    assert prove(signed(kind, chain(root=below))).is_valid


# -- who


@both
def test_refuses_another_identity(kind):
    for subject in ("C=US, ST=WA, O=acme, CN=evil", "C=US, ST=WA, O=evil, CN=release"):
        assert refused_at(5, signed(kind, chain(Wanted(subject=subject))))


@both
def test_refuses_everybody_when_no_identity_is_named(kind):
    assert refused_at(5, signed(kind), authority=trusted(""))


@both
def test_refuses_the_same_name_under_another_authority(kind):
    twin = authorities.new_authority(NOW)
    assert refused_at(5, signed(kind, chain(root=twin)))
    assert refused_at(5, signed(kind), authority=trusted(pem=twin.pem))


@both
def test_refuses_a_certificate_that_signs_itself_with_a_trusted_name(kind):
    alone = (authorities.self_signed(EC_KEY, Wanted(subject=RELEASE), NOW),)
    assert refused_at(5, signed(kind, alone))
    with_root = (*alone, *ROOT.chain)
    assert refused_at(5, signed(kind, with_root))


@both
def test_refuses_a_swapped_chain(kind):
    somebody = authorities.new_key()
    artifact = signed(kind, chain(key=somebody))  # signed by KEY, shown under another leaf
    assert refused_at(5, artifact)
    assert refused_at(5, signed(kind, tuple(reversed(chain()))), keys=[signatures.trusted(KEY)])
    assert refused_at(5, signed(kind, chain()[:1]))  # not whole


@both
def test_refuses_a_leaf_that_issues(kind):
    inner = authorities.new_key()
    leaf = chain()
    made = authorities.certify(
        inner, Wanted(subject=RELEASE), issuer_key=EC_KEY, issuer=leaf[0].parsed.subject, now=NOW
    )
    assert refused_at(5, signed(kind, (made, *leaf), key=PrivateKey(inner)))


@both
def test_refuses_a_chain_longer_than_its_authority_allows(kind):
    root = authorities.new_authority(NOW, path_length=0)
    below = root.below("C=US, ST=WA, O=acme, CN=issuer", NOW)
    assert refused_at(5, signed(kind, chain(root=below)), authority=trusted(pem=root.pem))


@both
@pytest.mark.parametrize(
    "change",
    [
        {"is_authority": True, "usages": frozenset({"digital_signature", "key_cert_sign"})},
        {"usages": frozenset()},
        {"usages": frozenset({"content_commitment"})},
        {"is_usage_critical": False},
        *(
            {"usages": frozenset({"digital_signature", more})}
            for more in (
                "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
                "crl_sign",
            )
        ),
        *(
            {"extended": (usage,)}
            for usage in (
                ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, ExtendedKeyUsageOID.SERVER_AUTH,
                ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION,
                ExtendedKeyUsageOID.TIME_STAMPING,
            )
        ),
    ],
)  # fmt: skip
def test_refuses_a_certificate_for_anything_else(kind, change):
    wanted = dataclasses.replace(Wanted(subject=RELEASE), **change)
    assert refused_at(5, signed(kind, chain(wanted)))


@both
def test_refuses_one_key_under_two_names_as_two_signers(kind):
    other = "C=US, ST=WA, O=acme, CN=another"
    two = [signed(kind), signed(kind, chain(Wanted(subject=other)))]
    result = prove(*two, authority=trusted("*"), required_signers=2)
    assert not result.is_valid
    assert 1 == len(result.signatures)


@both
def test_refuses_one_person_with_two_keys_as_two_signers(kind):
    key = authorities.new_key()
    two = [signed(kind), signed(kind, chain(key=key), key=PrivateKey(key))]
    result = prove(*two, required_signers=2)
    assert not result.is_valid
    assert 1 == len(result.signatures)


# -- what


@both
def test_refuses_another_digest_repository_tag_and_registry(kind):
    assert refused_at(7, signed(kind), digest=OTHER)
    assert refused_at(8, signed(kind), repository="team/copy")
    assert refused_at(9, signed(kind), tag="v2")
    assert refused_at(8, signed(kind), hosts=frozenset({"registry.example"}))


@both
def test_refuses_a_repository_for_which_the_authority_is_not_trusted(kind):
    body = content("localhost:5000/other/app:v1")
    assert refused_at(1, signed(kind, body=body), repository="other/app")


@both
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b"null",
        json.dumps({"targetArtifact": {"mediaType": "m", "digest": DIGEST}}).encode(),
        json.dumps({"targetArtifact": {"digest": DIGEST, "size": 1}}).encode(),
        json.dumps({"targetArtifact": {"mediaType": "m", "digest": DIGEST, "size": True}}).encode(),
        json.dumps({"targetArtifact": {"mediaType": "m", "digest": "x", "size": 1}}).encode(),
        b'{"targetArtifact":{"mediaType":"m","digest":"%s","size":1},"targetArtifact":{}}'
        % DIGEST.encode(),
        json.dumps({
            "targetArtifact": {"mediaType": "m", "digest": DIGEST, "size": 1}, "more": 1
        }).encode(),
        json.dumps({"targetArtifact": {
            "mediaType": "m", "digest": DIGEST, "size": 1,
            "annotations": {"dev.seawall.docker-reference": 5},
        }}).encode(),
    ],
)  # fmt: skip
def test_refuses_a_payload_that_is_not_one_descriptor(kind, body):
    result = prove(signed(kind, body=body))
    assert not result.is_valid
    assert {3, 6} & {one.number for one in result.failures}


# -- when


@both
def test_refuses_what_has_expired(kind):
    ending = signed(kind, expires_at=NOW + DAY)
    assert prove(ending).is_valid
    assert refused_at(10, ending, now=NOW + DAY)
    assert refused_at(3, signed(kind, expires_at=NOW))  # before it was made


@both
def test_refuses_certificates_out_of_their_time(kind):
    short = Wanted(subject=RELEASE, ends=DAY)
    assert prove(signed(kind, chain(short))).is_valid
    assert refused_at(5, signed(kind, chain(short)), now=NOW + 2 * DAY)
    early = chain(Wanted(subject=RELEASE, starts=-DAY))
    assert refused_at(5, signed(kind, early, at=NOW - 2 * DAY))
    assert refused_at(5, signed(kind, chain(Wanted(subject=RELEASE, starts=DAY))))


@both
def test_refuses_a_signature_from_the_future(kind):
    assert refused_at(10, signed(kind, at=NOW + DAY))


# -- algorithms and headers


def edited_jws(header=None, document=None, artifact=None):
    """Return a JWS whose signed header was edited and signed again, or whose rest was."""
    whole = json.loads((artifact or signed(JWS)).content)
    if header:
        fields = json.loads(_unb64(whole["protected"]))
        header(fields)
        whole["protected"] = _b64(json.dumps(fields).encode())
        message = f"{whole['protected']}.{whole['payload']}".encode()
        whole["signature"] = _b64(signing.raw_of(KEY.sign(message)))
    if document:
        document(whole)
    return UnverifiedSignature(format=JWS, content=json.dumps(whole).encode())


def edited_cose(header=None, message=None, tag=18):
    protected, unsigned, body, signature = cbor.decode(
        signed(COSE).content, max_bytes=100_000
    ).value
    if header:
        fields = cbor.decode(protected, max_bytes=100_000)
        header(fields)
        protected = cbor.encode(fields)
        structure = cbor.encode(["Signature1", protected, b"", body])
        signature = signing.raw_of(KEY.sign(structure))
    parts = [protected, unsigned, body, signature]
    if message:
        message(parts)
    made = parts if tag is None else cbor.Tag(tag, parts)
    return UnverifiedSignature(format=COSE, content=cbor.encode(made))


def _b64(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_refuses_nothing_when_nothing_was_edited():
    assert prove(edited_jws(lambda header: None)).is_valid
    assert prove(edited_cose(lambda header: None)).is_valid


@pytest.mark.parametrize("name", ["none", "None", "HS256", "RS256", "EdDSA", "ES256K", "", 1, None])
def test_refuses_an_algorithm_that_is_not_in_the_table(name):
    assert refused_at(3, edited_jws(lambda header: header.update(alg=name)))


@pytest.mark.parametrize("name", ["ES384", "ES512", "PS256", "PS512"])
def test_refuses_an_algorithm_that_is_not_the_keys(name):
    assert refused_at(4, edited_jws(lambda header: header.update(alg=name)))


@pytest.mark.parametrize("number", [0, 5, -8, -257, True, "ES256", None, b"\x26"])
def test_refuses_a_number_of_cose_that_is_not_in_the_table(number):
    assert refused_at(3, edited_cose(lambda header: header.update({1: number})))


@pytest.mark.parametrize("number", [-35, -36, -37, -39])
def test_refuses_a_number_of_cose_that_is_not_the_keys(number):
    assert refused_at(4, edited_cose(lambda header: header.update({1: number})))


def test_refuses_hmac_with_the_certificate_as_its_secret():
    import hmac

    def forge(whole):
        header = json.loads(_unb64(whole["protected"]))
        whole["protected"] = _b64(json.dumps(header | {"alg": "HS256"}).encode())
        message = f"{whole['protected']}.{whole['payload']}".encode()
        secret = base64.b64decode(whole["header"]["x5c"][0])
        whole["signature"] = _b64(hmac.digest(secret, message, "sha256"))

    assert refused_at(3, edited_jws(document=forge))


def test_refuses_rsa_without_pss():
    key = rsa.generate_private_key(65537, 2048)
    shown = chain(key=key)
    artifact = edited_jws(lambda header: header.update(alg="PS256"), artifact=signed(JWS, shown))
    whole = json.loads(artifact.content)
    message = f"{whole['protected']}.{whole['payload']}".encode()
    salted = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    for scheme, expected in ((padding.PKCS1v15(), False), (salted, True)):
        whole["signature"] = _b64(key.sign(message, scheme, hashes.SHA256()))
        one = UnverifiedSignature(format=JWS, content=json.dumps(whole).encode())
        assert expected == prove(one).is_valid


def test_refuses_weak_and_foreign_keys():
    for key in (rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP256K1())):
        assert refused_at(4, signed(JWS, chain(key=key)))


UNKNOWN_CRITICAL = [
    ["io.cncf.notary.signingScheme", "com.example.new"],
    ["com.example.new"], [], ["io.cncf.notary.signingScheme"] * 2,
    ["io.cncf.notary.signingScheme", "io.cncf.notary.expiry"], ["alg"],
]  # fmt: skip


@pytest.mark.parametrize("names", [*UNKNOWN_CRITICAL, None, "io.cncf.notary.signingScheme", [1]])
def test_refuses_critical_headers_that_it_does_not_understand(names):
    assert refused_at(3, edited_jws(lambda header: header.update(crit=names)))
    assert refused_at(3, edited_cose(lambda header: header.update({2: names})))


def test_refuses_an_expiry_that_is_not_critical():
    def add(header):
        header["io.cncf.notary.expiry"] = "2027-01-01T00:00:00Z"

    def add_number(header):
        header["io.cncf.notary.expiry"] = cbor.Tag(1, 1798761600)

    assert refused_at(3, edited_jws(add))
    assert refused_at(3, edited_cose(add_number))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cty", "application/json"), ("cty", None),
        ("io.cncf.notary.signingScheme", "notary.x509.signingAuthority"),
        ("io.cncf.notary.signingScheme", None),
        ("io.cncf.notary.signingTime", "2026-01-01T12:00:00"),
        ("io.cncf.notary.signingTime", "2026-01-01 12:00:00Z"),
        ("io.cncf.notary.signingTime", "2026-02-30T12:00:00Z"),
        ("io.cncf.notary.signingTime", 1767268800), ("io.cncf.notary.signingTime", None),
        ("io.cncf.notary.signingTime", "0001-01-01T00:00:00+23:59"),
        ("b64", False),
    ],
)  # fmt: skip
def test_refuses_signed_headers_that_say_something_else(name, value):
    assert refused_at(3, edited_jws(lambda header: header.update({name: value})))


@pytest.mark.parametrize("value", [1767268800, cbor.Tag(1, -1), cbor.Tag(1, 2**63), cbor.Tag(0, 1)])
def test_refuses_times_of_cose_in_another_form(value):
    name = "io.cncf.notary.signingTime"
    assert refused_at(3, edited_cose(lambda header: header.update({name: value})))


@pytest.mark.parametrize("tag", [None, 17, 97, 98, 61])
def test_refuses_cose_without_its_tag(tag):
    assert refused_at(3, edited_cose(tag=tag))


@pytest.mark.parametrize(
    "edit",
    [
        lambda parts: parts.append(b""),
        lambda parts: parts.pop(),
        lambda parts: parts.__setitem__(2, None),  # detached
        lambda parts: parts.__setitem__(1, {33: []}),
        lambda parts: parts.__setitem__(1, {}),
        lambda parts: parts.__setitem__(1, parts[1] | {4: b"kid"}),
        lambda parts: parts.__setitem__(0, b""),
        lambda parts: parts.__setitem__(3, parts[3] + b"\0"),
        lambda parts: parts.__setitem__(3, b"\0" * 64),
    ],
)
def test_refuses_cose_messages_of_another_form(edit):
    assert {3, 4, 5} & {one.number for one in prove(edited_cose(message=edit)).failures}
    assert not prove(edited_cose(message=edit)).is_valid


@pytest.mark.parametrize(
    "edit",
    [
        lambda whole: whole.update(signatures=[]),
        lambda whole: whole.pop("header"),
        lambda whole: whole["header"].update(x5c=[]),
        lambda whole: whole["header"].update(jku="https://evil.example"),
        lambda whole: whole.update(payload=whole["payload"] + "="),
        lambda whole: whole.update(signature=whole["signature"] + "AA"),
        lambda whole: whole.update(signature=_b64(b"\0" * 64)),
        lambda whole: whole.update(signature=_b64(KEY.sign(b"DER, another form"))),
        lambda whole: whole["header"].update(x5c=whole["header"]["x5c"] * 5),
    ],
)
def test_refuses_jws_of_another_form(edit):
    assert not prove(edited_jws(document=edit)).is_valid


def test_refuses_one_envelope_as_the_other():
    for kind, other in ((JWS, COSE), (COSE, JWS)):
        assert refused_at(3, dataclasses.replace(signed(kind), format=other))


# -- any bytes


@both
@given(st.data())
def test_refuses_one_changed_byte_anywhere(kind, data):
    artifact = SAMPLES[kind]
    place = data.draw(st.integers(0, len(artifact.content) - 1))
    byte = data.draw(st.integers(1, 255))
    changed = bytearray(artifact.content)
    changed[place] ^= byte
    assert not prove(dataclasses.replace(artifact, content=bytes(changed))).is_valid


@both
@given(st.data())
def test_refuses_with_its_own_errors_alone(kind, data):
    whole = SAMPLES[kind].content
    at = data.draw(st.integers(0, len(whole)))
    until = data.draw(st.integers(at, min(len(whole), at + 30)))
    bytes_given = whole[:at] + data.draw(st.binary(max_size=30)) + whole[until:]
    with contextlib.suppress(SeawallError):  # anything else fails the test
        envelopes.parse(kind, bytes_given)


@given(st.binary(max_size=300))
def test_refuses_any_bytes_with_its_own_errors(noise):
    for parse in (jws.parse, cose.parse, payload.parse):
        with pytest.raises(SeawallError):
            parse(noise)


SAMPLES = {kind: signed(kind) for kind in (JWS, COSE)}

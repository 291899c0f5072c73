"""cosign's signatures by named people, forged and replayed: a step says no each time."""

import base64
import dataclasses
import datetime as dt
import json

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import SeawallError
from seawall.oci.digest import Digest
from seawall.oci.names import Reference, RepositoryName, Tag
from seawall.testing import fulcio, signatures
from seawall.trust import authorities, bundle, certificates, proof, simple_signing
from seawall.trust.model import AuthorityKind, TrustedAuthority
from seawall.trust.sigstore import identity, trusted_root

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=30)
DIGEST, OTHER = Digest.of(b"image"), Digest.of(b"evil image")
ALICE = f"{fulcio.ISSUER} {fulcio.PERSON}"
SIGSTORE, TWIN = fulcio.new(NOW), fulcio.new(NOW)
KEY = signatures.new_key()
LEAF = SIGSTORE.certify(KEY, NOW)


def trusted(*identities, root=None):
    return authorities.checked(
        TrustedAuthority(
            name="people", kind=AuthorityKind.SIGSTORE, content=root or SIGSTORE.trusted_root(),
            identities=identities or (ALICE,), patterns=("team/*",),
        )
    )  # fmt: skip


def statement(digest=DIGEST, image="localhost:5000/team/app:v1"):
    return bundle.build_statement(digest, Reference.parse(image), NOW)


def signed(sigstore=SIGSTORE, *, key=KEY, leaf=LEAF, content=None, at=NOW, **more):
    return sigstore.sign(content or statement(), at, key=key, leaf=leaf, **more)


def prove(artifact, authority=None, now=LATER, **more):
    return proof.verify(
        more.pop("digest", DIGEST), repository=RepositoryName(more.pop("repository", "team/app")),
        tag=Tag("v1"), artifacts=[artifact], keys=more.pop("keys", []),
        authorities=[authority or trusted()], now=now, **more,
    )  # fmt: skip


def refused(step, why, artifact, **more):
    result = prove(artifact, **more)
    assert not result.is_valid
    failed = next(one for one in result.failures if one.number == step)
    assert why in failed.detail, failed.detail
    return True


def edited(edit, artifact=None):
    document = json.loads((artifact or signed()).content)
    edit(document)
    return dataclasses.replace(signed(), content=json.dumps(document).encode())


def test_refuses_nothing_of_a_person_who_is_trusted_long_after_the_certificate_ended():
    result = prove(signed())
    assert result.is_valid, result.steps
    assert f"{fulcio.PERSON} ({fulcio.ISSUER})" == result.signatures[0].key_name
    assert "people" == result.signatures[0].authority
    workflow = "https://git.example/acme/app/release.yml@refs/tags/"
    leaf = SIGSTORE.certify(KEY, NOW, person=x509.UniformResourceIdentifier(f"{workflow}v1"))
    authority = trusted(f"{fulcio.ISSUER} {workflow}*")
    assert prove(signed(leaf=leaf), authority).is_valid


def test_refuses_somebody_else_and_the_same_name_by_another_issuer():
    for text in (f"{fulcio.ISSUER} bob@acme.example", f"https://evil.example {fulcio.PERSON}"):
        assert refused(5, "not an identity", signed(), authority=trusted(text))
    evil = SIGSTORE.certify(KEY, NOW, issuer="https://evil.example")
    assert refused(5, "not an identity", signed(leaf=evil))


def test_refuses_a_certificate_that_names_nobody_or_no_issuer():
    name = x509.DNSName("acme.example")
    assert refused(5, "names nobody", signed(leaf=SIGSTORE.certify(KEY, NOW, person=name)))
    assert refused(5, "printable", signed(leaf=SIGSTORE.certify(KEY, NOW, issuer="")))


def test_refuses_the_certificate_of_another_authority():
    assert refused(5, "not issued by", signed(leaf=TWIN.certify(KEY, NOW)))
    root = TWIN.trusted_root()
    assert refused(5, "no log took", signed(), authority=trusted(root=root))


def test_refuses_a_certificate_that_was_over_or_not_yet_valid_when_it_was_used():
    for distance in (dt.timedelta(minutes=11), dt.timedelta(minutes=-1)):
        assert refused(5, "not at the time of signing", signed(entered_at=NOW + distance))


def test_refuses_an_authority_and_a_log_outside_of_their_time():
    document = json.loads(SIGSTORE.trusted_root())
    for edit in (
        lambda doc: doc["certificateAuthorities"][0].update(
            validFor={"start": "2020-01-01T00:00:00Z", "end": "2025-01-01T00:00:00Z"}
        ),
        lambda doc: doc["tlogs"][0]["publicKey"].update(validFor={"start": "2026-01-02T00:00:00Z"}),
        lambda doc: doc["ctlogs"][0]["publicKey"].update(
            validFor={"start": "2020-01-01T00:00:00Z", "end": "2025-01-01T00:00:00Z"}
        ),
    ):
        changed = json.loads(json.dumps(document))
        edit(changed)
        root = json.dumps(changed).encode()
        assert not prove(signed(), trusted(root=root)).is_valid


def test_refuses_a_certificate_that_no_log_was_shown():
    hidden = SIGSTORE.certify(KEY, NOW, has_stamp=False)
    assert refused(5, "no trusted log was shown", signed(leaf=hidden))
    foreign = dataclasses.replace(SIGSTORE, certificate_log=signatures.new_key())
    assert refused(5, "no trusted log was shown", signed(leaf=foreign.certify(KEY, NOW)))
    lax = trusted(root=SIGSTORE.trusted_root(ctlogs=[]))
    assert prove(signed(leaf=hidden), lax).is_valid


def test_refuses_a_list_of_certificate_logs_of_which_none_can_be_read():
    log = json.loads(SIGSTORE.trusted_root())["ctlogs"][0]
    log["publicKey"]["keyDetails"] = "PKIX_ED25519"
    authority = trusted(root=SIGSTORE.trusted_root(ctlogs=[log]))
    assert refused(5, "no trusted log was shown", signed(), authority=authority)


def test_refuses_a_certificate_for_something_else():
    server = SIGSTORE.certify(KEY, NOW, extended=ExtendedKeyUsageOID.SERVER_AUTH)
    assert refused(5, "not for signing code", signed(leaf=server))


def test_refuses_another_key_than_the_certificates():
    assert refused(5, "under the certificate", signed(key=signatures.new_key()))


def test_refuses_a_bundle_without_its_entry_or_with_that_of_another():
    def strip(document):
        del document["verificationMaterial"]["tlogEntries"]

    def swap(document):
        other = json.loads(signed(content=statement(OTHER)).content)
        document["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"][
            "tlogEntries"
        ]

    assert refused(5, "no log took", edited(strip))
    assert refused(5, "another payload", edited(swap))
    again = edited(lambda document: swap_entry(document, signed()))  # of a second signature
    assert refused(5, "another signature", again)
    renewed = SIGSTORE.certify(KEY, NOW)
    assert refused(5, "another certificate", edited(lambda document: swap_leaf(document, renewed)))


def swap_entry(document, artifact):
    entries = json.loads(artifact.content)["verificationMaterial"]["tlogEntries"]
    document["verificationMaterial"]["tlogEntries"] = entries


def swap_leaf(document, leaf):
    raw = base64.b64encode(leaf.der).decode()
    document["verificationMaterial"]["certificate"] = {"rawBytes": raw}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("inclusionPromise", "signedEntryTimestamp"), base64.b64encode(b"0" * 70).decode()),
        (("inclusionProof", "rootHash"), base64.b64encode(b"0" * 32).decode()),
        (("inclusionProof", "treeSize"), "2"),
        (("inclusionProof", "checkpoint", "envelope"), "log.example\n1\nAAAA\n"),
        (("integratedTime",), str(int(NOW.timestamp()) + 1)),
        (("logIndex",), "7"),
    ],
)
def test_refuses_an_entry_whose_proof_was_changed(path, value):
    def edit(document):
        item = document["verificationMaterial"]["tlogEntries"][0]
        for name in path[:-1]:
            item = item[name]
        item[path[-1]] = value

    assert refused(5, "", edited(edit))


def test_refuses_an_entry_from_the_future():
    assert refused(5, "future", signed(), now=NOW - dt.timedelta(hours=1))


def test_refuses_another_digest_and_repository():
    assert refused(7, OTHER, signed(), digest=OTHER)
    assert refused(8, "team/copy", signed(), repository="team/copy")
    assert refused(1, "no key", signed(), repository="other/app")


def test_refuses_a_bundle_that_shows_a_key_beside_its_certificate():
    def add(document):
        document["verificationMaterial"]["publicKey"] = {"hint": "x"}

    assert refused(3, "something else", edited(add))


def test_refuses_one_person_with_two_certificates_as_two_signers():
    second = signatures.new_key()
    two = [signed(), signed(key=second, leaf=SIGSTORE.certify(second, NOW))]
    result = proof.verify(
        DIGEST, repository=RepositoryName("team/app"), tag=Tag("v1"), artifacts=two, keys=[],
        authorities=[trusted()], now=LATER, required_signers=2,
    )  # fmt: skip
    assert not result.is_valid
    assert 1 == len(result.signatures)


# -- the old format: annotations beside the payload


def signed_old(*, key=KEY, leaf=LEAF, digest=DIGEST, sigstore=SIGSTORE, **more):
    payload = simple_signing.build(digest, Reference.parse("localhost:5000/team/app:v1"), NOW)
    return sigstore.sign_payload(payload, NOW, key=key, leaf=leaf, **more)


def promise_of(artifact, **edits):
    """Return the artifact with its promise changed."""
    document = json.loads(artifact.log_promise)
    document["Payload"] |= edits
    return dataclasses.replace(artifact, log_promise=json.dumps(document))


def test_refuses_nothing_of_a_trusted_person_in_the_old_format():
    result = prove(signed_old())
    assert result.is_valid, result.steps
    assert f"{fulcio.PERSON} ({fulcio.ISSUER})" == result.signatures[0].key_name


def test_refuses_the_old_format_without_its_certificate_or_its_promise():
    whole = signed_old()
    assert refused(5, "any key", dataclasses.replace(whole, certificate=""))
    assert refused(5, "no log took", dataclasses.replace(whole, log_promise=""))
    assert refused(3, "no certificates", dataclasses.replace(whole, certificate="x"))
    assert refused(3, "exactly one", dataclasses.replace(whole, certificate=whole.certificate * 2))
    assert refused(3, "", dataclasses.replace(whole, log_promise="{}"))


def test_refuses_a_promise_for_another_signature_time_or_log():
    whole = signed_old()
    other = signed_old(digest=OTHER)
    assert refused(5, "another payload", dataclasses.replace(whole, log_promise=other.log_promise))
    again = signed_old()
    assert refused(
        5, "another signature", dataclasses.replace(whole, log_promise=again.log_promise)
    )
    renewed = SIGSTORE.certify(KEY, NOW)
    with_renewed = dataclasses.replace(whole, certificate=certificates.to_pem(renewed).decode())
    assert refused(5, "another certificate", with_renewed)
    later = int(NOW.timestamp()) + 1
    for edits in ({"integratedTime": later}, {"logIndex": 6}):
        assert refused(5, "did not sign", promise_of(whole, **edits))
    for edits in ({"logIndex": -1}, {"integratedTime": True}, {"logID": 5}, {"body": ""}):
        assert refused(3, "", promise_of(whole, **edits))
    assert refused(5, "no log took", promise_of(whole, logID="00" * 32))
    assert refused(5, "future", whole, now=NOW - dt.timedelta(hours=1))
    late = signed_old(entered_at=NOW + dt.timedelta(minutes=11))
    assert refused(5, "not at the time of signing", late)
    foreign = signed_old(sigstore=TWIN, leaf=TWIN.certify(KEY, NOW))
    assert refused(5, "no log took", foreign)


@pytest.mark.parametrize(
    "text",
    [
        "", "*", f"{fulcio.ISSUER} *", f"{fulcio.ISSUER} a*", fulcio.ISSUER, f"* {fulcio.PERSON}",
        f"{fulcio.ISSUER}  {fulcio.PERSON}", f"{fulcio.ISSUER} https://git.example/*/x",
        f"{fulcio.ISSUER} alice@acme.example\n", f"{fulcio.ISSUER} {'a' * 2000}",
    ],
)  # fmt: skip
def test_refuses_identities_that_name_nobody_or_everybody(text):
    with pytest.raises(SeawallError):
        identity.parse(text)


@pytest.mark.parametrize(
    "edits",
    [
        {"certificateAuthorities": []}, {"tlogs": []}, {"tlogs": {}}, {"mediaType": "x"},
        {"certificateAuthorities": [{}]}, {"ctlogs": [{"publicKey": {}}, 1]},
        {"tlogs": [{}] * 100},
    ],
)  # fmt: skip
def test_refuses_a_trusted_root_that_trusts_nobody_or_does_not_parse(edits):
    with pytest.raises(SeawallError):
        trusted_root.parse(SIGSTORE.trusted_root(**edits))


@given(st.data())
def test_refuses_one_changed_byte_anywhere_in_what_is_signed(data):
    """Names of unsigned fields may change; whom and what it names may not."""
    place = data.draw(st.integers(0, len(SAMPLE.content) - 1))
    changed = bytearray(SAMPLE.content)
    changed[place] ^= data.draw(st.integers(1, 255))
    result = prove(dataclasses.replace(SAMPLE, content=bytes(changed)))
    assert not result.is_valid or (DIGEST, fulcio.PERSON) == (
        result.signatures[0].digest, result.signatures[0].key_name.split()[0]
    )  # fmt: skip


SAMPLE = signed()

"""Signatures that are carried: made without a registry, checked before they are pushed."""

import dataclasses
import datetime as dt

import msgspec
import pytest

from seawall.core.errors import IntegrityError, InvalidInputError
from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference
from seawall.testing import signatures
from seawall.trust import bundle, detached, proof
from seawall.trust.cosign import ManifestUpload
from seawall.trust.detached import Beside, Wanted
from seawall.trust.model import SignatureFormat
from seawall.trust.notation.envelope import EnvelopeType
from seawall.trust.notation.signatures import Identity

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
KEY = signatures.new_key()
IMAGE = Descriptor(media_type=media.OCI_MANIFEST, digest=Digest.of(b"image"), size=5)
NAME = Reference.parse("registry.test/team/app:v1")
WANTED = Wanted(digest=IMAGE.digest, reference=NAME, key=KEY.public)


def made(key=KEY, image=IMAGE, name=NAME, kind=EnvelopeType.JWS):
    chain = (signatures.certificate(key, NOW),)
    identity = Identity(signer=key, chain=chain, kind=kind)
    return detached.make(image, name, key, NOW, identity=identity)


def uploads(signed, existing=(), log=None):
    beside = Beside(existing=existing)
    return detached.uploads(signed, IMAGE, WANTED, NOW, beside=beside, log=log)


@pytest.mark.parametrize("kind", list(EnvelopeType))
def test_what_was_made_holds_and_the_proof_accepts_it(kind):
    signed = made(kind=kind)
    detached.check(signed, WANTED)
    outcome = proof.verify(
        IMAGE.digest, repository=NAME.repository, tag=NAME.tag, artifacts=signed,
        keys=[signatures.trusted(KEY)], now=NOW, hosts=frozenset({"registry.test"}),
    )  # fmt: skip
    assert outcome.is_valid
    assert 3 == len({step.signature for step in outcome.steps if step.signature})


def test_all_of_it_is_pushed_and_what_is_there_is_not():
    signed = made()
    assert 3 == sum(isinstance(one, ManifestUpload) for one in uploads(signed))
    for there in signed:
        left = uploads(signed, [there])
        assert 2 == sum(isinstance(one, ManifestUpload) for one in left)
    assert [] == uploads(signed, signed)


def test_a_signature_of_another_day_by_the_same_key_counts_as_there():
    chain = (signatures.certificate(KEY, NOW),)
    identity = Identity(signer=KEY, chain=chain)
    older = detached.make(IMAGE, NAME, KEY, NOW, identity=identity)
    newer = detached.make(IMAGE, NAME, KEY, NOW + dt.timedelta(seconds=9), identity=identity)
    assert [] == uploads(newer, older)


def test_the_bundle_is_entered_into_the_log_when_it_is_pushed():
    entered = []

    def log(envelope, public):
        entered.append((envelope, public))
        return [{"logIndex": "1"}]

    signed = made()
    pushed = uploads(signed, signed, log)  # one without the log's proof is not there
    assert [KEY.public] == [public for _, public in entered]
    [content] = [
        one.content for one in pushed if getattr(one, "media_type", "") == bundle.MEDIA_TYPE
    ]
    assert ({"logIndex": "1"},) == bundle.log_entries(content)
    logged = dataclasses.replace(signed[1], content=content)
    assert [] == uploads(signed, [signed[0], logged, signed[2]], log)


@pytest.mark.parametrize(
    "wanted",
    [
        dataclasses.replace(WANTED, digest=Digest.of(b"other")),
        dataclasses.replace(WANTED, reference=Reference.parse("registry.test/team/app:v2")),
        dataclasses.replace(WANTED, reference=Reference.parse("registry.test/team/other:v1")),
        dataclasses.replace(WANTED, reference=Reference.parse("elsewhere.test/team/app:v1")),
        dataclasses.replace(WANTED, key=signatures.new_key().public),
    ],
)
def test_refuses_another_image_and_another_key_for_each_format(wanted):
    cosigns, notation = made()[:2], made()[2]
    for one in (*cosigns, notation):
        rest = [other for other in made() if other.format is not one.format]
        with pytest.raises(IntegrityError):
            detached.check([one, *rest], wanted)


def test_refuses_a_set_from_which_one_was_taken_or_that_has_one_twice():
    signed = made()
    for wrong in (signed[1:], signed[:1], (), (*signed, signed[0]), (*signed[:2], signed[1])):
        with pytest.raises(IntegrityError):
            detached.check(wrong, WANTED)


def test_refuses_a_bundle_that_holds_more_than_the_envelope():
    signed = made()
    more = bundle.entered(signed[1].content, KEY.public, lambda *_: [{"logIndex": "7"}])
    with pytest.raises(IntegrityError, match="more than the signed envelope"):
        detached.check([signed[0], dataclasses.replace(signed[1], content=more)], WANTED)


def test_refuses_an_envelope_of_another_keys_certificate():
    other = signatures.new_key()
    [*ours, _], theirs = made(), made(other)[2]
    with pytest.raises(IntegrityError, match="notation-jws"):
        detached.check([*ours, theirs], WANTED)


def test_refuses_a_digest_that_cosign_cannot_name():
    image = msgspec.structs.replace(IMAGE, digest=Digest.parse("sha512:" + "a" * 128))
    with pytest.raises(InvalidInputError):
        detached.make(image, NAME, KEY, NOW)


def test_without_an_identity_nothing_is_made_for_notation():
    signed = detached.make(IMAGE, NAME, KEY, NOW)
    kinds = [SignatureFormat.COSIGN_TAG, SignatureFormat.SIGSTORE_BUNDLE]
    assert kinds == [one.format for one in signed]
    detached.check(signed, WANTED)

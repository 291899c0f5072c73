"""Images that no key vouches for, but somebody whom a trusted authority names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.core import strictjson
from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.oci import media
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference
from seawall.testing import authorities, fulcio, signatures
from seawall.testing.authorities import Wanted
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import OPERATOR, SHOP, Stage, image
from seawall.testing.images import Image
from seawall.trust import bundle
from seawall.trust.cosign import BlobUpload, ManifestUpload
from seawall.trust.keys import PrivateKey
from seawall.trust.model import AuthorityKind, TrustedAuthority
from seawall.trust.notation import signatures as notation
from seawall.trust.notation.envelope import EnvelopeType

RELEASE = "C=US, ST=WA, O=acme, CN=release"
MADE = image(pillow="11.0")


@pytest.fixture
def stage(tmp_path: Path, clock: FakeClock) -> Iterator[Stage]:
    with Stage.opened(tmp_path, clock) as stage:
        stage.import_feeds()
        stage.push(SHOP, MADE, "1")
        yield stage


def reference(stage: Stage) -> Reference:
    return Reference.parse(f"{stage.house.settings.registry_hosts[0]}/{SHOP}:1")


def descriptor(made: Image) -> Descriptor:
    return Descriptor(media_type=made.media_type, digest=made.digest, size=len(made.manifest))


def trust(stage: Stage, kind: AuthorityKind, content: bytes, identity: str) -> None:
    authority = TrustedAuthority(
        name="acme", kind=kind, content=content, identities=(identity,), patterns=("shop/*",)
    )
    stage.house.signatures.authorities.trust(authority, actor=OPERATOR)
    stage.work()


def allowed(stage: Stage) -> bool:
    """Tell what the gate says now, and that the log says the same."""
    answer = stage.may_run("shop/app:1")
    assert isinstance(answer, Admitted | Refusal)
    stage.work()
    assert isinstance(answer, Admitted) == stage.events("VerdictGiven")[-1].details()["allowed"]
    return isinstance(answer, Admitted)


@pytest.mark.parametrize("kind", list(EnvelopeType))
def test_an_image_signed_for_notation_alone_runs_as_long_as_its_authority_is_trusted(
    stage: Stage, kind: EnvelopeType
) -> None:
    now = stage.house.clock.now()
    root, key = authorities.new_authority(now), authorities.new_key()
    chain = root.issue(key, Wanted(subject=RELEASE), now)
    identity = notation.Identity(signer=PrivateKey(key), chain=chain, kind=kind)
    stage.push_uploads(SHOP, notation.plan(descriptor(MADE), reference(stage), identity, now))
    assert not allowed(stage)
    trust(stage, AuthorityKind.NOTATION, root.pem, f"x509.subject: {RELEASE}")
    assert allowed(stage)
    trust(stage, AuthorityKind.NOTATION, root.pem, "x509.subject: C=US, ST=WA, O=acme, CN=other")
    assert not allowed(stage)
    trust(stage, AuthorityKind.NOTATION, root.pem, "*")
    assert allowed(stage)
    stage.house.signatures.authorities.distrust("acme", actor=OPERATOR)
    assert not allowed(stage)


def test_an_image_signed_by_a_person_certified_for_minutes_runs(stage: Stage) -> None:
    now = stage.house.clock.now()
    sigstore = fulcio.new(now)
    statement = bundle.build_statement(MADE.digest, reference(stage), now)
    artifact = sigstore.sign(statement, now, key=signatures.new_key())
    content, empty = artifact.content, b"{}"
    layer, config = (
        BlobUpload(content=content, media_type=bundle.MEDIA_TYPE),
        BlobUpload(content=empty, media_type=media.OCI_EMPTY),
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "artifactType": bundle.MEDIA_TYPE,
        "config": {"mediaType": media.OCI_EMPTY, "size": 2, "digest": config.digest},
        "layers": [
            {"mediaType": bundle.MEDIA_TYPE, "size": len(content), "digest": layer.digest}
        ],
        "subject": {
            "mediaType": MADE.media_type, "size": len(MADE.manifest), "digest": MADE.digest
        },
    }  # fmt: skip
    pushed = ManifestUpload(content=strictjson.encode(manifest), media_type=media.OCI_MANIFEST)
    stage.push_uploads(SHOP, (config, layer, pushed))
    assert not allowed(stage)
    person = f"{fulcio.ISSUER} {fulcio.PERSON}"
    trust(stage, AuthorityKind.SIGSTORE, sigstore.trusted_root(), person)
    assert allowed(stage)

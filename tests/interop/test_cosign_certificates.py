"""Stock cosign and Seawall agree on signatures by named people, offline, under a supplied root.

The small Sigstore of `seawall.testing.fulcio` makes them: what stock cosign accepts of it is what
the format is, so what Seawall is tested with elsewhere is not of its own making alone.
"""

import datetime as dt
import json
import subprocess
from pathlib import Path

import pytest

from interop import registries
from seawall.cli import image_signatures
from seawall.core import strictjson
from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.testing import fulcio, images, signatures, warm
from seawall.trust import bundle, simple_signing
from seawall.trust import cosign as cosign_formats
from seawall.trust.cosign import BlobUpload, ManifestUpload

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / ".cache" / "clients"
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=2)
IMAGE = images.image(images.layer({"motd": b"by a person"}))
EMPTY = b"{}"


@pytest.fixture(scope="module")
def cosign():
    done = subprocess.run(
        [ROOT / "tools" / "clients.sh", CLIENTS, "cosign3"],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"needs cosign 3: {done.stderr.strip()}")
    return CLIENTS / "bin" / "cosign3"


@pytest.fixture(scope="module")
def place(tmp_path_factory, need):
    need("docker-registry")
    with registries.debians_registry(tmp_path_factory.mktemp("registry")) as place:
        yield place


@pytest.fixture(scope="module")
def sigstore():
    return fulcio.new(NOW)


@pytest.fixture
def verdicts(cosign, place, tmp_path):
    """Return what both programs say of an image, given a root and whom to trust: (cosign, ours)."""

    def ask(name, root, person=fulcio.PERSON, issuer=fulcio.ISSUER):
        (tmp_path / "root.json").write_bytes(root)
        theirs = subprocess.run(
            [
                cosign, "verify", "--trusted-root", "root.json", "--certificate-identity", person,
                "--certificate-oidc-issuer", issuer, "--allow-http-registry", place.image(name),
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=60,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin",
                 "HTTPS_PROXY": "http://127.0.0.1:9"},
        )  # fmt: skip
        ours = warm.seawall(
            "verify", place.image(name), "--authority", "root.json", "--identity",
            f"{issuer} {person}", "--unsafe-plain-http", "--json",
            cwd=tmp_path, env={"HOME": str(tmp_path)},
        )  # fmt: skip
        assert ours.returncode in (0, 1), ours.stderr
        print(theirs.stderr, ours.stdout)
        return theirs.returncode == 0, json.loads(ours.stdout)["is_valid"]

    return ask


def publish(place, name, artifact):
    """Push the image, and the bundle as its referrer."""
    reference = Reference.parse(place.image(name))
    digest = place.push(name, IMAGE)
    subject = {"mediaType": IMAGE.media_type, "size": len(IMAGE.manifest), "digest": digest}
    manifest = {
        "schemaVersion": 2, "mediaType": media.OCI_MANIFEST, "artifactType": bundle.MEDIA_TYPE,
        "config": _descriptor(EMPTY, media.OCI_EMPTY),
        "layers": [_descriptor(artifact.content, bundle.MEDIA_TYPE)], "subject": subject,
        "annotations": {"dev.sigstore.bundle.content": "dsse-envelope",
                        "dev.sigstore.bundle.predicateType": bundle.SIGN_PREDICATE},
    }  # fmt: skip
    uploads = [
        BlobUpload(content=EMPTY, media_type=media.OCI_EMPTY),
        BlobUpload(content=artifact.content, media_type=bundle.MEDIA_TYPE),
        ManifestUpload(
            content=strictjson.encode(manifest), media_type=media.OCI_MANIFEST, subject=digest,
            artifact_type=bundle.MEDIA_TYPE,
            annotations=tuple(manifest["annotations"].items()),
        ),
    ]  # fmt: skip
    with place.client() as client:
        image_signatures.push(client, reference.repository, uploads)


def publish_old(place, name, artifact):
    """Push the image, and the signature behind the tag of the old format."""
    reference = Reference.parse(place.image(name))
    digest = place.push(name, IMAGE)
    layer = _descriptor(artifact.content, simple_signing.MEDIA_TYPE) | {
        "annotations": {
            cosign_formats.SIGNATURE_ANNOTATION: artifact.signature,
            cosign_formats.CERTIFICATE_ANNOTATION: artifact.certificate,
            cosign_formats.LOG_ANNOTATION: artifact.log_promise,
        }
    }
    config = strictjson.encode({
        "architecture": "", "os": "", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    })  # fmt: skip
    manifest = {
        "schemaVersion": 2, "mediaType": media.OCI_MANIFEST,
        "config": _descriptor(config, media.OCI_CONFIG), "layers": [layer],
    }  # fmt: skip
    uploads = [
        BlobUpload(content=config, media_type=media.OCI_CONFIG),
        BlobUpload(content=artifact.content, media_type=simple_signing.MEDIA_TYPE),
        ManifestUpload(
            content=strictjson.encode(manifest), media_type=media.OCI_MANIFEST,
            tag=cosign_formats.signature_tag(digest),
        ),
    ]  # fmt: skip
    with place.client() as client:
        image_signatures.push(client, reference.repository, uploads)


def payload(place, name):
    return simple_signing.build(Digest.of(IMAGE.manifest), Reference.parse(place.image(name)), NOW)


def _descriptor(content, kind):
    return {"mediaType": kind, "size": len(content), "digest": Digest.of(content)}


def statement(place, name):
    return bundle.build_statement(
        Digest.of(IMAGE.manifest), Reference.parse(place.image(name)), NOW
    )


def test_both_accept_a_person_whom_the_supplied_root_certifies(place, sigstore, verdicts):
    publish(place, "person:v1", sigstore.sign(statement(place, "person:v1"), NOW))
    assert (True, True) == verdicts("person:v1", sigstore.trusted_root())


def test_both_refuse_another_person_another_issuer_and_another_root(place, sigstore, verdicts):
    publish(place, "other:v1", sigstore.sign(statement(place, "other:v1"), NOW))
    root = sigstore.trusted_root()
    assert (False, False) == verdicts("other:v1", root, person="bob@acme.example")
    assert (False, False) == verdicts("other:v1", root, issuer="https://evil.example")
    assert (False, False) == verdicts("other:v1", fulcio.new(NOW).trusted_root())


def test_both_refuse_a_certificate_that_was_over_when_it_was_used(place, sigstore, verdicts):
    late = sigstore.sign(
        statement(place, "late:v1"), NOW, entered_at=NOW + dt.timedelta(minutes=11)
    )
    publish(place, "late:v1", late)
    assert (False, False) == verdicts("late:v1", sigstore.trusted_root())


def test_both_refuse_a_certificate_that_no_log_was_shown(place, sigstore, verdicts):
    key = signatures.new_key()
    hidden = sigstore.certify(key, NOW, has_stamp=False)
    artifact = sigstore.sign(statement(place, "hidden:v1"), NOW, key=key, leaf=hidden)
    publish(place, "hidden:v1", artifact)
    assert (False, False) == verdicts("hidden:v1", sigstore.trusted_root())


def test_both_accept_and_refuse_the_same_in_the_old_format(place, sigstore, verdicts):
    publish_old(place, "old:v1", sigstore.sign_payload(payload(place, "old:v1"), NOW))
    root = sigstore.trusted_root()
    assert (True, True) == verdicts("old:v1", root)
    assert (False, False) == verdicts("old:v1", root, person="bob@acme.example")
    assert (False, False) == verdicts("old:v1", fulcio.new(NOW).trusted_root())


def test_both_refuse_the_old_format_when_its_certificate_was_over(place, sigstore, verdicts):
    late = sigstore.sign_payload(
        payload(place, "old-late:v1"), NOW, entered_at=NOW + dt.timedelta(minutes=11)
    )
    publish_old(place, "old-late:v1", late)
    assert (False, False) == verdicts("old-late:v1", sigstore.trusted_root())

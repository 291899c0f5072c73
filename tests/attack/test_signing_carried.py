"""The files that go between a machine with network and one with the key, in hostile hands."""

import base64
import json

import pytest

from seawall.cli import image_signatures
from seawall.oci.names import RepositoryName
from seawall.testing import images, offline_signing

IMAGE, EVIL = images.image(env=("A=good",)), images.image(env=("A=evil",))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with offline_signing.machines(tmp_path_factory.mktemp("carried")) as machines:
        yield machines


@pytest.fixture(scope="module")
def shop(place):
    """A repository with a tree, its root pinned at the machine with the key, and an older state."""
    image = place.push("shop/app:1", IMAGE)
    gun = image.rpartition(":")[0]
    made = place.online("trust", "init", gun, *place.key("owner"))
    older = place.export(image, "older")
    place.push("shop/app:0", EVIL)
    signed = place.online("sign", f"{gun}:0", *place.key("owner"))
    assert 0 == signed.code, signed.err
    request = place.export(image)
    shown = place.offline("sign", "--offline", request, "-o", "x", "--root", made.fingerprint)
    assert 1 == shown.code, shown.err
    return image, request, older


def altered(place, path, change):
    """Return a copy of a file in which `change` was made."""
    with open(path, "rb") as file:
        document = json.load(file)
    change(document)
    copy = place.directory / "altered"
    copy.write_text(json.dumps(document))
    return str(copy)


def refused(place, request, *words):
    """Sign what was brought; nothing must come of it."""
    (place.directory / "never").unlink(missing_ok=True)
    done = place.sign(request, *words, *place.key("owner"), name="never")
    assert done.code in (2, 3), done.out
    assert not (place.directory / "never").exists()
    return done.err


def beside(place, repository, digest):
    with place.client() as client:
        return image_signatures.collect(client, RepositoryName(repository), digest).artifacts


def test_refuses_a_request_whose_manifest_is_not_its_digest(place, shop):
    image, request, _ = shop

    def swap(document):
        document["manifest"]["content"] = base64.b64encode(EVIL.manifest).decode()

    assert "is not what sha256:" in refused(place, altered(place, request, swap))
    assert 0 == place.sign(request, image, *place.key("owner")).code  # the true one is signed


def test_refuses_a_request_about_another_image_than_the_person_names(place, shop):
    image, request, _ = shop
    for other in ("shop/app:2", "shop/other:1"):
        change = lambda document, other=other: document.update(image=f"{place.address}/{other}")  # noqa: E731
        assert "not about" in refused(place, altered(place, request, change), image)


def test_refuses_a_request_whose_tree_was_tampered_with(place, shop):
    _, request, _ = shop

    def drop_tag(document):
        content = base64.b64decode(document["tree"]["targets"]["targets"])
        changed = content.replace(b'"0"', b'"9"')
        assert content != changed
        document["tree"]["targets"]["targets"] = base64.b64encode(changed).decode()

    def no_tree(document):
        document["tree"] = None

    def no_root(document):
        document["tree"]["roots"] = []

    for change in (drop_tag, no_tree, no_root):
        assert "does not hold" in refused(place, altered(place, request, change))


def test_refuses_a_request_with_the_older_tree_that_was_seen_already(place, shop):
    _, _, older = shop
    assert "step 7 (remembered)" in refused(place, older)


def test_refuses_the_tree_of_another_owner(place, shop):
    _, request, _ = shop
    other = place.push("evil/app:1", EVIL)
    place.online("trust", "init", other.rpartition(":")[0], *place.key("mallory"))
    with open(place.export(other, "foreign"), "rb") as file:
        theirs = json.load(file)["tree"]
    assert "does not hold" in refused(
        place, altered(place, request, lambda document: document.update(tree=theirs))
    )


@pytest.fixture(scope="module")
def signed(place, shop):
    image, request, _ = shop
    done = place.sign(request, image, *place.key("owner"))
    assert 0 == done.code, done.err
    return place.file("signed")


def never_uploaded(place, path, *words):
    before = beside(place, "shop/app", IMAGE.digest)
    done = place.online("sign", "--upload", path, *words)
    assert done.code in (2, 3), done.out
    assert before == beside(place, "shop/app", IMAGE.digest)
    return done.err


def test_refuses_to_upload_to_another_repository(place, signed):
    place.push("evil/copy:1", IMAGE)
    elsewhere = f"{place.address}/evil/copy:1"
    assert "not about" in never_uploaded(place, signed, elsewhere)

    def rename(document):
        document["image"] = elsewhere

    def rename_without_proof(document):
        rename(document)
        document["signers"] = []

    assert "names another image" in never_uploaded(place, altered(place, signed, rename))
    assert never_uploaded(place, altered(place, signed, rename_without_proof))
    assert () == beside(place, "evil/copy", IMAGE.digest)


def test_refuses_a_signed_file_that_was_altered(place, signed):
    def other_digest(document):
        document["digest"] = str(EVIL.digest)

    def other_tag(document):
        document["image"] = f"{place.address}/shop/app:0"

    def other_key(document):
        place.key("mallory")
        with open(place.file("mallory.pub")) as file:
            document["signers"][0]["publicKey"] = file.read()

    def broken_signature(document):
        one = document["signers"][0]["signed"][0]["signatures"][0]
        one["signature"] = one["signature"][:-8] + "AAAAAAA="

    def lost_signature(document):
        document["signers"][0]["signed"][0]["signatures"].pop(1)

    def tree_of_another_tag(document):
        content = base64.b64decode(document["tree"]["targets"])
        changed = content.replace(b'"1":', b'"7":')
        assert content != changed
        document["tree"]["targets"] = base64.b64encode(changed).decode()

    changes = (
        other_digest, other_tag, other_key, broken_signature, lost_signature, tree_of_another_tag,
    )  # fmt: skip
    for change in changes:
        assert never_uploaded(place, altered(place, signed, change)), change


def test_refuses_signatures_of_an_index_without_those_of_its_members(place, shop):
    index = place.push("shop/many:1", images.index(IMAGE, EVIL))
    request = place.export(index, "many")
    done = place.sign(request, "--no-tree", *place.key("owner"), name="many-signed")
    assert 0 == done.code, done.err

    def drop_member(document):
        document["signers"][0]["signed"].pop()

    changed = altered(place, place.file("many-signed"), drop_member)
    assert "and its platforms" in never_uploaded(place, changed)

"""The look at an image's content: every byte that its manifests name, and nothing that is no byte
of this registry's."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from seawall.cli import image_content
from seawall.cli.registry_client import Fetched
from seawall.core.errors import IntegrityError, NotFoundError, UnavailableError
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.testing import images
from seawall.testing.images import Image

APP = RepositoryName("team/app")
ONE = images.image(images.layer({"motd": b"one"}))
TWO = images.image(images.layer({"motd": b"two"}))


@dataclass(slots=True, kw_only=True)
class FakeRegistry:
    """Has the bytes of some images."""

    manifests: dict[Digest, Fetched] = field(default_factory=dict)
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    asked: list[tuple[Digest, int]] = field(default_factory=list)
    is_up: bool = True

    def add(self, made: Image) -> Fetched:
        for one in images.walk(made):
            self.blobs |= one.blobs
            found = Fetched(content=one.manifest, media_type=one.media_type, digest=one.digest)
            self.manifests[one.digest] = found
        return self.manifests[made.digest]

    def get_manifest(self, _repository: RepositoryName, reference: str) -> Fetched:
        try:
            return self.manifests[Digest.parse(reference)]
        except KeyError as error:
            raise NotFoundError(f"there is no image {reference}") from error

    def check_blob(self, _repository: RepositoryName, digest: Digest, size: int) -> None:
        if not self.is_up:
            raise UnavailableError("the registry does not answer")
        self.asked.append((digest, size))
        if not digest.is_of(self.blobs[digest]):
            raise IntegrityError(f"the registry's blob is not what {digest} names")


def check(registry: FakeRegistry, image: Fetched) -> image_content.ContentProof:
    return image_content.check(registry, APP, image)  # type: ignore[arg-type]


def test_every_blob_of_every_member_is_looked_at_once() -> None:
    registry = FakeRegistry()
    found = check(registry, registry.add(images.index(ONE, TWO, ONE)))
    assert found.is_valid
    blobs = {**ONE.blobs, **TWO.blobs}
    assert sorted((one, len(content)) for one, content in blobs.items()) == sorted(registry.asked)
    assert ["3 manifests", f"{len(blobs)} blobs"] == [
        step.detail.partition(",")[0] for step in found.steps
    ]


@pytest.mark.parametrize("number", range(len(ONE.blobs)))
def test_one_changed_blob_is_named(number: int) -> None:
    registry = FakeRegistry()
    image, digest = registry.add(ONE), list(ONE.blobs)[number]
    registry.blobs[digest] += b"x"
    found = check(registry, image)
    assert (False, f"the registry's blob is not what {digest} names") == (
        found.is_valid,
        found.steps[-1].detail,
    )
    assert found.remedy


def test_a_member_that_is_missing_or_of_another_size_ends_it_before_the_blobs() -> None:
    registry = FakeRegistry()
    whole = json.loads(images.index(ONE).manifest)
    registry.add(ONE)
    whole["manifests"][0]["size"] += 1
    content = json.dumps(whole).encode()
    media_type = images.index(ONE).media_type
    wrong = Fetched(content=content, media_type=media_type, digest=Digest.of(content))
    assert "another size than the index says" in check(registry, wrong).steps[-1].detail
    other = registry.add(images.index(ONE, TWO))
    del registry.manifests[TWO.digest]
    assert "there is no image" in check(registry, other).steps[-1].detail
    assert [] == registry.asked


def test_a_blob_that_two_manifests_give_two_sizes_is_refused() -> None:
    registry = FakeRegistry()
    document = json.loads(ONE.manifest)
    document["layers"].append({**document["layers"][0], "size": 1})
    content = json.dumps(document).encode()
    image = Fetched(content=content, media_type=ONE.media_type, digest=Digest.of(content))
    assert "two sizes" in check(registry, image).steps[-1].detail


def test_layers_that_are_kept_elsewhere_are_not_asked_for() -> None:
    registry = FakeRegistry()
    registry.add(ONE)
    document = json.loads(ONE.manifest)
    document["layers"][0]["urls"] = ["https://elsewhere.example/layer"]
    content = json.dumps(document).encode()
    image = Fetched(content=content, media_type=ONE.media_type, digest=Digest.of(content))
    assert check(registry, image).is_valid
    assert [Digest.parse(document["config"]["digest"])] == [one for one, _ in registry.asked]


def test_an_index_in_an_index_is_followed_only_so_far() -> None:
    registry, made = FakeRegistry(), ONE
    for _ in range(image_content.MAX_DEPTH):
        made = images.index(made)
    assert check(registry, registry.add(made)).is_valid
    found = check(registry, registry.add(images.index(made)))
    assert (False, "members") == (found.is_valid, found.steps[-1].name)


def test_a_registry_that_does_not_answer_is_no_verdict() -> None:
    registry = FakeRegistry()
    image = registry.add(ONE)
    registry.is_up = False
    with pytest.raises(UnavailableError):
        check(registry, image)

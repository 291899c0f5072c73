"""From a hole to the images that hold it, as a viewer may see them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from seawall.oci.names import RepositoryName
from seawall.scan import whereabouts
from seawall.testing import houses
from seawall.testing.houses import ADA, LIN, SHOP, Stage

OTHER = RepositoryName("other/app")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage.opened(tmp_path_factory.mktemp("where")) as opened:
        opened.with_signed_shop()
        opened.push(OTHER, houses.image(), "1")
        opened.push(SHOP, houses.image(pillow="11.0"), "clean")
        opened.work()
        yield opened


@pytest.mark.parametrize("name", ["PYSEC-2026-1"])
def test_every_image_with_the_hole_is_found(stage: Stage, name: str) -> None:
    page = stage.pages.vulnerability(ADA, name)
    assert page.is_known
    assert {"shop/app", "other/app"} == {one.repository for one in page.holders}
    assert {"9.0"} == {one.version for one in page.holders}
    assert {"10.0"} == {one.fixed for one in page.holders}
    assert "critical" == page.severity
    assert (2, 0) == (page.images, page.running)


def test_refuses_to_tell_of_images_that_the_viewer_may_not_pull(stage: Stage) -> None:
    page = stage.pages.vulnerability(LIN, "PYSEC-2026-1")
    assert {"other/app"} == {one.repository for one in page.holders}
    assert 1 == page.images


def test_a_hole_that_nobody_knows_is_told_as_that(stage: Stage) -> None:
    assert not stage.pages.vulnerability(ADA, "CVE-1999-0001").is_known


def test_a_known_hole_that_no_image_has_is_no_warning(stage: Stage) -> None:
    found = whereabouts.of_hole(stage.house.database, "DSA-1-1")
    assert found.ids
    page = stage.pages.vulnerability(ADA, "DSA-1-1")
    assert page.is_known
    assert {one.digest for one in page.holders} == {str(one.digest) for one in found.holders}

"""Content by digest, bounded."""

from __future__ import annotations

from seawall.cli._seen_content import SeenContent
from seawall.oci.names import RepositoryName

ONE, TWO = RepositoryName("one"), RepositoryName("two")


def test_is_found_in_its_repository_only() -> None:
    seen: SeenContent[bytes] = SeenContent()
    seen.keep(ONE, "d", b"x", 1)
    assert (b"x", None) == (seen.find(ONE, "d"), seen.find(TWO, "d"))


def test_the_oldest_is_forgotten_when_the_bound_is_reached() -> None:
    seen: SeenContent[int] = SeenContent(max_bytes=10)
    for number in range(5):
        seen.keep(ONE, str(number), number, 3)
    seen.keep(ONE, "4", 4, 3)
    assert [None, None, 2, 3, 4] == [seen.find(ONE, str(number)) for number in range(5)]

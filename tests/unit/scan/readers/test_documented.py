"""The page of what is found names every format that is read, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from seawall.scan.readers import all as formats

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "what-is-found.md"


def test_the_page_names_every_format() -> None:
    section = PAGE.read_text().partition("## Packages of languages")[2].partition("\nLock files")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("|")]
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row[2])}
    assert {reader.format for reader in formats.READERS} == named

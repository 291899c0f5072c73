"""Every dependency has a stated reason, and nothing says where packages come from."""

from __future__ import annotations

import re
import tomllib

import pytest

from house import repository

# In pieces, so that this file does not hold them itself.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs"), ("deb", "debian", "org"),
        ("security", "debian", "org"), ("archive", "ubuntu", "com"), ("proxy", "golang", "org"),
        ("crates", "io"), ("rubygems", "org"), ("conda", "anaconda"),
    )
]  # fmt: skip


def project() -> dict[str, object]:
    return tomllib.loads((repository.ROOT / "pyproject.toml").read_text())["project"]


def dependencies() -> list[str]:
    found = project()["dependencies"]
    assert isinstance(found, list)
    return [re.match(r"[A-Za-z0-9._-]+", line)[0].lower() for line in found]


@pytest.mark.parametrize("name", dependencies())
def test_a_decision_gives_the_reason_for(name: str) -> None:
    decisions = (path.read_text().lower() for path in (repository.DOCS / "adr").glob("*.md"))
    word = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")
    assert any(word.search(text) for text in decisions)


def test_locks_hold_exact_versions_and_hashes_and_no_address() -> None:
    locks = sorted((repository.ROOT / "requirements").glob("*.lock"))
    assert ["dev.lock", "runtime.lock"] == [path.name for path in locks]
    for path in locks:
        text = path.read_text()
        assert not re.search(r"://|--index|--find-links|--extra", text), path.name
        for block in re.split(r"\n(?=\S)", text.strip()):
            if not block.startswith("#"):
                assert "==" in block, block.splitlines()[0]
                assert "--hash=sha256:" in block, block.splitlines()[0]


def test_the_runtime_lock_holds_every_dependency() -> None:
    text = (repository.ROOT / "requirements" / "runtime.lock").read_text().lower()
    locked = {name.replace("_", "-") for name in re.findall(r"^([a-z0-9._-]+)==", text, re.M)}
    wanted = {name.replace("_", "-").replace(".", "-") for name in dependencies()}
    assert wanted <= {name.replace(".", "-") for name in locked}


def test_no_file_names_a_package_registry() -> None:
    found = [
        f"{path.relative_to(repository.ROOT)}: {host}"
        for path in repository.tracked_files()
        for host in REGISTRIES
        if host.encode() in path.read_bytes()
    ]
    assert [] == found

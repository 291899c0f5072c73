"""`seawall scan` of images that lie in the file system: layouts and archives of `docker save`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seawall.testing import images

CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
MEDIUM = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N"
STATUS = "".join(
    f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n"
    for name, version in (("libhole", "1.0-1"), ("libdent", "1.0-1"), ("libfine", "3"))
)
SYSTEM = {
    "etc/os-release": b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian \x1b[31m12"\n',
    "var/lib/dpkg/status": STATUS.encode(),
}


def advisory(name: str, package: str, vector: str) -> str:
    record = {
        "id": name,
        "modified": "2026-01-01T00:00:00Z",
        "severity": [{"type": "CVSS_V3", "score": vector}],
        "affected": [
            {
                "package": {"ecosystem": "Debian:12", "name": package},
                "ranges": [
                    {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0-1"}]}
                ],
            }
        ],
    }
    return json.dumps(record) + "\n"


@pytest.fixture
def image() -> images.Image:
    return images.image(images.layer(SYSTEM, compressed=False))


@pytest.fixture(params=["layout", "archive"])
def path(request: pytest.FixtureRequest, image: images.Image, shell) -> str:
    if request.param == "layout":
        return str(images.write_layout(shell.home / "layout", image, tag="1"))
    return str(images.write_docker_archive(shell.home / "saved.tar", image, name="team/app:1"))


@pytest.fixture
def advised(shell):
    """A shell whose installation knows a critical and a medium hole."""
    content = advisory("CVE-2026-1", "libhole", CRITICAL)
    content += advisory("CVE-2026-2", "libdent", MEDIUM)
    done = shell("feeds", "import", shell.file("holes.jsonl", content))
    assert 0 == done.code, done.err
    return shell


def test_a_local_image_is_shown_worst_first_with_its_fixes(advised, path):
    done = advised("scan", path)
    assert (0, "") == (done.code, done.err)
    lines = done.out.splitlines()
    assert lines[0].endswith("2 findings in 3 components: 1 critical, 1 medium; 2 fixable")
    assert lines.index("CRITICAL (1)") < lines.index("MEDIUM (1)")
    row = next(line for line in lines if "CVE-2026-1" in line)
    assert ["CVE-2026-1", "libhole", "1.0-1", "2.0-1"] == row.split()[:4]


def test_hostile_names_do_not_move_the_cursor(advised, path):
    assert "\x1b" not in advised("scan", path).out


def test_the_summary_is_one_line(advised, path):
    assert 1 == len(advised("scan", path, "--summary").out.splitlines())


def test_the_report_is_told_as_json(advised, path, image):
    done = advised("scan", path, "--json")
    assert 0 == done.code, done.err
    report = json.loads(done.out)
    assert ["CVE-2026-1", "CVE-2026-2"] == [one["id"] for one in report["findings"]]
    assert 3 == len(report["inventory"]["components"])
    assert report["digest"].startswith("sha256:")
    if Path(path).is_dir():
        assert image.digest == report["digest"]


def test_the_bill_of_materials_names_packages_and_their_holes(advised, path):
    done = advised("scan", path, "--sbom")
    assert 0 == done.code, done.err
    document = json.loads(done.out)
    assert ("CycloneDX", "1.6") == (document["bomFormat"], document["specVersion"])
    names = {one["name"] for one in document["components"]}
    assert {"libhole", "libdent", "libfine"} <= names
    assert {"CVE-2026-1", "CVE-2026-2"} == {one["id"] for one in document["vulnerabilities"]}
    holed = document["vulnerabilities"][0]["affects"][0]["ref"]
    assert holed in {one["bom-ref"] for one in document["components"]}


def test_findings_at_or_above_a_severity_end_with_one(advised, path):
    for least in ("negligible", "low", "medium", "high", "critical"):
        assert 1 == advised("scan", path, "--fail-on", least).code
    for form in ("--json", "--sbom", "--summary"):
        done = advised("scan", path, "--fail-on", "high", form)
        assert 1 == done.code
        assert done.out, "what was found is shown all the same"


def test_findings_below_the_severity_end_with_zero(shell, path):
    content = advisory("CVE-2026-2", "libdent", MEDIUM)
    assert 0 == shell("feeds", "import", shell.file("holes.jsonl", content)).code
    for least, code in (("low", 1), ("medium", 1), ("high", 0), ("critical", 0)):
        assert code == shell("scan", path, "--fail-on", least).code


def test_an_image_that_nothing_is_known_about_is_not_called_clean(shell, path):
    done = shell("scan", path)
    assert 0 == done.code
    assert "NOT JUDGED" in done.out
    assert "no feed of Debian:12 advisories" in done.out


def test_refuses_to_pass_an_image_that_could_not_be_judged(shell, path):
    done = shell("scan", path, "--fail-on", "critical")
    assert 3 == done.code
    assert "not all of the image could be judged" in done.err
    assert "seawall feeds update" in done.err


def test_a_severity_that_nobody_stated_counts_as_high(shell, path):
    record = json.loads(advisory("CVE-2026-3", "libhole", CRITICAL))
    del record["severity"]
    assert 0 == shell("feeds", "import", shell.file("holes.jsonl", json.dumps(record))).code
    for least, code in (("low", 1), ("high", 1), ("critical", 0)):
        assert code == shell("scan", path, "--fail-on", least).code


def test_what_was_scanned_here_is_not_stored(advised, path):
    before = advised("audit", "head").out
    advised("scan", path)
    assert before == advised("audit", "head").out


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"not a tar" * 200, bytes(10240)])
def test_refuses_a_file_that_is_no_archive(shell, content):
    done = shell("scan", shell.file("bad.tar", content))
    assert (2, "") == (done.code, done.out)
    assert done.err.startswith("seawall: ")


def test_refuses_a_folder_that_is_no_layout(shell):
    done = shell("scan", str(shell.home))
    assert 2 == done.code
    assert "is not an OCI layout" in done.err
    assert "skopeo copy" in done.err


def test_refuses_a_layer_with_a_flipped_byte(advised, image):
    layout = images.write_layout(advised.home / "layout", image, tag="1")
    layer = max((layout / "blobs/sha256").iterdir(), key=lambda file: file.stat().st_size)
    content = bytearray(layer.read_bytes())
    content[1000] ^= 1
    layer.write_bytes(content)
    done = advised("scan", str(layout))
    assert 3 == done.code
    assert f"the bytes of sha256:{layer.name} are not what the digest says" in done.err


@pytest.mark.parametrize("name", ["/no/such", "./no/such", "../no/such"])
def test_a_path_where_nothing_is_is_not_taken_for_an_image_name(shell, name):
    done = shell("scan", name)
    assert 3 == done.code
    assert "there is no" in done.err
    assert "docker save" in done.err


@pytest.mark.parametrize("words", [("scan",), ("explain",)])
def test_an_image_that_is_not_here_can_be_pushed(shell, words):
    for name in ("team/app:1", "localhost:5443/team/app:1"):
        done = shell(*words, name)
        assert (3, "") == (done.code, done.out)
        assert "no manifest '1' in team/app" in done.err
        assert "push it to localhost:5443/team/app" in done.err


@pytest.mark.parametrize("words", [("scan",), ("explain",)])
def test_refuses_an_image_of_another_registry(shell, words):
    done = shell(*words, "example.com/team/app:1")
    assert 2 == done.code
    assert "push it to localhost:5443/… first" in done.err

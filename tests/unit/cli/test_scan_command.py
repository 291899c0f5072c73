"""`seawall scan` of images that lie in the file system: layouts and archives of `docker save`."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import socketserver
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
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


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers GET by the path."""

    answers: Mapping[str, tuple[str, bytes]]

    def do_GET(self) -> None:
        kind, body = self.answers.get(self.path, ("", b""))
        self.send_response(200 if kind else 404)
        self.send_header("Content-Type", kind or "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Be quiet."""


class UnixServer(socketserver.ThreadingUnixStreamServer):
    def get_request(self):
        request, _ = super().get_request()
        return request, ("engine", 0)


@contextlib.contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def engine_with(tmp_path) -> Callable[..., object]:
    """An engine that answers with these bodies."""

    @contextlib.contextmanager
    def run(bodies: Mapping[str, bytes]) -> Iterator[Path]:
        answers = {
            path: ("application/json" if path.endswith("/json") else "application/x-tar", body)
            for path, body in bodies.items()
        }
        handler = type("Engine", (Answering,), {"answers": answers})
        (tmp_path / "engine.sock").unlink(missing_ok=True)
        with serving(UnixServer(str(tmp_path / "engine.sock"), handler)):
            yield tmp_path / "engine.sock"

    return run


@pytest.fixture
def registry_with() -> Callable[..., object]:
    """A registry without TLS and without logins that holds one image."""

    @contextlib.contextmanager
    def run(repository: str, tag: str, image: images.Image) -> Iterator[str]:
        base, answers = f"/v2/{repository}", {}
        for one in (image, *image.children):
            found = (one.media_type, one.manifest)
            answers[f"{base}/manifests/{one.digest}"] = found
            for digest, content in one.blobs.items():
                answers[f"{base}/blobs/{digest}"] = ("application/octet-stream", content)
        answers[f"{base}/manifests/{tag}"] = (image.media_type, image.manifest)
        handler = type("Registry", (Answering,), {"answers": answers})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        with serving(server):
            yield f"127.0.0.1:{server.server_address[1]}"

    return run


def test_a_local_image_is_shown_worst_first_with_its_fixes(advised, path):
    done = advised("scan", path)
    assert (0, "") == (done.code, done.err)
    lines = done.out.splitlines()
    assert lines[0].endswith("2 findings in 3 components: 1 critical, 1 medium; 2 fixable")
    headings = [line for line in lines if line.startswith(("CRITICAL (1)", "MEDIUM (1)"))]
    assert ["CRITICAL", "MEDIUM"] == [line.split()[0] for line in headings]
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


def test_refuses_to_explain_an_image_of_another_registry(shell):
    done = shell("explain", "example.com/team/app:1")
    assert 2 == done.code
    assert "push it to localhost:5443/… first" in done.err


def test_every_format_is_written_to_a_file(advised, path):
    for name in ("sarif", "spdx", "spdx3", "junit", "html", "markdown", "gitlab", "openvex"):
        target = advised.home / name
        done = advised("scan", path, "--format", name, "--output", str(target))
        assert (0, "") == (done.code, done.out), done.err
        assert b"CVE-2026-1" in target.read_bytes()


def test_findings_can_be_left_out_by_severity_and_by_fix(advised, path):
    only = advised("scan", path, "--severity", "critical")
    assert "CVE-2026-1" in only.out
    assert "CVE-2026-2" not in only.out
    record = json.loads(advisory("CVE-2026-9", "libfine", CRITICAL))
    record["affected"][0]["ranges"][0]["events"] = [{"introduced": "0"}]
    assert 0 == advised("feeds", "import", advised.file("open.jsonl", json.dumps(record))).code
    assert "CVE-2026-9" in advised("scan", path).out
    for option in ("--only-fixed", "--ignore-unfixed"):
        assert "CVE-2026-9" not in advised("scan", path, option).out


def test_a_filter_of_severity_does_not_hide_from_the_exit_code(advised, path):
    assert 1 == advised("scan", path, "--severity", "critical", "--fail-on", "medium").code


def test_a_statement_that_somebody_believes_takes_a_finding_out(advised, path):
    digest = json.loads(advised("scan", path, "--json").out)["digest"]
    document = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "author": "us",
        "timestamp": "2026-01-01T00:00:00Z",
        "statements": [
            {
                "vulnerability": {"name": "CVE-2026-1"},
                "products": [{"@id": f"pkg:oci/app@{digest}"}],
                "status": "not_affected",
                "justification": "vulnerable_code_not_present",
            }
        ],
    }
    file = advised.file("vex.json", json.dumps(document))
    done = advised("scan", path, "--vex", file, "--fail-on", "critical")
    assert (0, "") == (done.code, done.err)
    assert "ANSWERED FOR (1)" in done.out
    assert "vulnerable_code_not_present" in done.out
    assert 1 == advised("scan", path, "--vex", file, "--fail-on", "medium").code


def test_refuses_a_document_that_is_no_vex(advised, path):
    file = advised.file("x.json", "{}")
    done = advised("scan", path, "--vex", file)
    assert 2 == done.code
    assert "not a VEX document" in done.err


@pytest.fixture
def older(advised, tmp_path) -> str:
    """The same image with an older package and one that is no longer there."""
    before = SYSTEM["var/lib/dpkg/status"].replace(b"libfine", b"libgone")
    files = SYSTEM | {"var/lib/dpkg/status": before.replace(b"Version: 1.0-1", b"Version: 0.9-1")}
    made = images.image(images.layer(files, compressed=False))
    return str(images.write_layout(tmp_path / "older", made, tag="0"))


def test_two_images_are_compared(advised, path, older):
    done = advised("scan", path, "--against", older)
    assert 0 == done.code, done.err
    assert "CHANGED (2)" in done.out
    assert "version 0.9-1 → 1.0-1" in done.out
    assert "libgone  3 → —" in done.out
    assert "libfine  — → 3" in done.out
    assert done.out.endswith("0 new, 0 gone, 2 changed, 0 as before\n")
    told = json.loads(advised("scan", path, "--against", older, "--json").out)
    assert 2 == len(told["changed"])
    assert ["libdent", "libfine", "libgone", "libhole"] == [one["name"] for one in told["packages"]]


def test_only_new_findings_fail_a_comparison(advised, path, older):
    assert 0 == advised("scan", path, "--against", older, "--fail-on", "low").code
    clean = images.image(images.layer(SYSTEM | {"var/lib/dpkg/status": b""}, compressed=False))
    layout = str(images.write_layout(advised.home / "clean", clean, tag="1"))
    assert 1 == advised("scan", path, "--against", layout, "--fail-on", "critical").code
    assert 0 == advised("scan", layout, "--against", path, "--fail-on", "low").code


def test_refuses_to_compare_in_a_format_for_one_image(advised, path, older):
    assert 2 == advised("scan", path, "--against", older, "--format", "sarif").code


def test_a_root_file_system_is_scanned(advised):
    root = advised.home / "root"
    for name, content in SYSTEM.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "etc/loop").symlink_to("../etc")
    done = advised("scan", str(root), "--fail-on", "critical")
    assert 1 == done.code
    assert "CVE-2026-1" in done.out


def test_a_layout_in_an_archive_is_scanned(advised, image):
    layout = images.write_layout(advised.home / "layout", image, tag="1")
    archive = advised.home / "layout.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(layout, arcname=".")
    report = json.loads(advised("scan", str(archive), "--json").out)
    assert image.digest == report["digest"]
    assert ["CVE-2026-1", "CVE-2026-2"] == [one["id"] for one in report["findings"]]


def test_advisories_and_scans_need_no_server(newcomer, image):
    layout = str(images.write_layout(newcomer.home / "layout", image, tag="1"))
    done = newcomer("scan", layout)
    assert 0 == done.code
    assert "there are no advisories" in done.err
    assert "seawall feeds update" in done.err
    assert "3 components" in done.out
    assert ["scan"] == [path.name for path in newcomer.state.iterdir()], "only its memory"
    content = advisory("CVE-2026-1", "libhole", CRITICAL)
    imported = newcomer("feeds", "import", newcomer.file("holes.jsonl", content))
    assert 0 == imported.code, imported.err
    assert "CVE-2026-1" in newcomer("scan", layout).out


def test_an_image_of_the_engine_is_asked_for_by_name(shell, image, engine_with):
    archive = images.write_docker_archive(shell.home / "saved.tar", image, name="team/app:1")
    engine = {
        "/images/team%2Fapp%3A1/json": json.dumps({"Id": f"sha256:{'a' * 64}"}).encode(),
        f"/images/sha256%3A{'a' * 64}/get": archive.read_bytes(),
    }
    with engine_with(engine) as socket:
        shell.file("x", "")
        (shell.state / "seawall.toml").write_text(f'[engine]\nsocket = "{socket}"\n')
        done = shell("scan", "docker:team/app:1", "--summary")
        assert 0 == done.code, done.err
        assert done.out.startswith("team/app:1")
        assert "3 components" in done.out
        missing = shell("scan", "docker:other")
        assert 3 == missing.code
        assert "the engine has no image other" in missing.err
        del engine[f"/images/sha256%3A{'a' * 64}/get"]
    with engine_with(engine) as socket:
        assert done == shell("scan", "docker:team/app:1", "--summary"), "a known one is not saved"


def test_an_image_of_another_registry_is_fetched_and_scanned(shell, image, registry_with):
    with registry_with("team/app", "1", images.index(image)) as host:
        target = f"{host}/team/app:1"
        done = shell("scan", target, "--unsafe-plain-http", "--json")
        assert 0 == done.code, done.err
        assert image.digest == json.loads(done.out)["digest"]
        absent = shell("scan", f"{host}/team/app:2", "--unsafe-plain-http")
        assert 3 == absent.code
        other = shell("scan", target, "--unsafe-plain-http", "--platform", "linux/s390x")
        assert 3 == other.code
        assert "nothing for linux/s390x" in other.err


def test_refuses_a_layer_that_the_registry_changed(shell, image, registry_with):
    layer = max((d for d in image.blobs), key=lambda digest: len(image.blobs[digest]))
    blobs = image.blobs | {layer: image.blobs[layer][:-1] + b"x"}
    with registry_with("team/app", "1", dataclasses.replace(image, blobs=blobs)) as host:
        done = shell("scan", f"{host}/team/app:1", "--unsafe-plain-http")
    assert (3, "") == (done.code, done.out)
    assert "is not what" in done.err


@pytest.mark.parametrize("word", ["--malware", "--fingerprints=some.pack"])
def test_refuses_to_look_for_programs_in_a_dockerfile(shell, word):
    done = shell("scan", shell.file("Dockerfile", "FROM debian\n"), word)
    assert (2, "") == (done.code, done.out)
    assert "build it" in done.err


def test_a_dockerfile_is_judged_by_itself(shell):
    file = shell.file("Dockerfile", "FROM debian\nRUN curl https://x.example/a | sh\n")
    done = shell("scan", file)
    assert 0 == done.code, done.err
    assert "HIGH configuration: a script from the network is run unseen" in done.out
    assert f"{file}:2" in done.out
    assert 1 == shell("scan", file, "--fail-on-weakness", "high").code
    assert 0 == shell("scan", file, "--fail-on-weakness", "critical").code


def test_mistakes_of_the_image_itself_are_told(shell, path):
    done = shell("scan", path)
    assert "MEDIUM configuration: processes run as root (CIS 4.1)" in done.out
    assert 1 == shell("scan", path, "--fail-on-weakness", "medium").code
    assert 0 == shell("scan", path, "--fail-on-weakness", "high").code

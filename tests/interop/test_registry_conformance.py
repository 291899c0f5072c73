"""The conformance suite of the OCI distribution-spec, where somebody built it.

It is the program of the specification's folder `conformance`, on the PATH as `oci-conformance`.
"""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ET

import pytest

from seawall.testing.registry_server import PASSWORD, USER, registry_process

pytestmark = pytest.mark.interop

STRICT = {
    "OCI_API_BLOBS_DIGEST_HEADER": "true",
    "OCI_API_MANIFESTS_DIGEST_HEADER": "true",
    "OCI_API_BLOBS_UPLOAD_CANCEL": "true",
}


@pytest.mark.parametrize("version", ["1.1", "dev"])
@pytest.mark.parametrize("cached", ["true", "false"])
def test_passes_the_conformance_suite_without_a_skip(tmp_path, need, version, cached):
    need("oci-conformance")
    with registry_process(tmp_path / "registry") as registry:
        settings = {
            "OCI_REGISTRY": registry.address,
            "OCI_TLS": "disabled",
            "OCI_USERNAME": USER,
            "OCI_PASSWORD": PASSWORD,
            "OCI_CACHE_AUTH": cached,
            "OCI_VERSION": version,
            "OCI_RESULTS_DIR": str(tmp_path),
            **STRICT,
        }
        done = subprocess.run(
            ["oci-conformance"],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=250,
        )
    suite = ET.parse(tmp_path / "junit.xml").getroot()
    assert int(suite.get("tests", "0")) > 800, done.stdout
    assert 0 == sum(int(suite.get(kind, "0")) for kind in ("failures", "errors", "disabled"))

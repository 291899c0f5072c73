import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError
from seawall.distribution.paths import Endpoint, parse
from seawall.oci.names import RepositoryName


@pytest.mark.parametrize(
    ("path", "endpoint", "name", "item"),
    [
        ("/v2/", Endpoint.PING, "", ""),
        ("/v2", Endpoint.PING, "", ""),
        ("/v2/_catalog", Endpoint.CATALOG, "", ""),
        ("/v2/a/tags/list", Endpoint.TAGS, "a", ""),
        ("/v2/a/b/manifests/v1", Endpoint.MANIFEST, "a/b", "v1"),
        ("/v2/manifests/manifests/manifests", Endpoint.MANIFEST, "manifests", "manifests"),
        ("/v2/tags/list/tags/list", Endpoint.TAGS, "tags/list", ""),
        ("/v2/blobs/uploads/blobs/uploads/", Endpoint.UPLOADS, "blobs/uploads", ""),
        ("/v2/a/blobs/uploads", Endpoint.UPLOADS, "a", ""),
        ("/v2/a/blobs/uploads/x", Endpoint.UPLOAD, "a", "x"),
        ("/v2/a/blobs/sha256:0", Endpoint.BLOB, "a", "sha256:0"),
        ("/v2/a/referrers/sha256:0", Endpoint.REFERRERS, "a", "sha256:0"),
    ],
)
def test_reads_paths_from_their_end(path, endpoint, name, item):
    target = parse(path)
    assert target is not None
    assert (endpoint, name, item) == (target.endpoint, target.name, target.item)


@given(st.text(alphabet="av2/.-_%:blobsuploadsmanifeststagslist", max_size=60))
def test_whatever_is_accepted_has_a_valid_name(rest):
    try:
        target = parse("/v2/" + rest)
    except InvalidInputError:
        return
    if target is not None and target.name:
        assert RepositoryName.parse(target.name) == target.name
        assert "/" not in target.item

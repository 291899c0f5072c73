"""Has the registry pin the root that this person pinned, so that its gate demands the tree."""

from __future__ import annotations

from typing import Final

from seawall.cli.own_trees import Site
from seawall.core import strictjson
from seawall.core.errors import NotFoundError, SeawallError

ANSWER_MAX_BYTES: Final = 64 * 1024


def enrol(site: Site, root_key_ids: frozenset[str]) -> str:
    """Return what became of it, for people; empty where the registry has no gate of ours."""
    body = strictjson.encode({"rootKeys": sorted(root_key_ids)})
    try:
        site.http.call_api(
            "PUT",
            f"/api/trust/{site.repository}/pin",
            scope=f"repository:{site.repository}:pull,push",
            body=body,
            max_bytes=ANSWER_MAX_BYTES,
        )
    except NotFoundError:
        return ""
    except SeawallError as error:
        return f"NOT PINNED AT THE REGISTRY: {error.message}"
    return "pinned at the registry too: its gate runs what this tree names, and nothing older"

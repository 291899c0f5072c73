import pytest

from seawall.blobs.filesystem import FilesystemBlobs
from seawall.identity.model import ALL_ACTIONS
from seawall.testing.registry_doors import serve_door

REPOSITORIES = ("team/app", "team/other", "a")


@pytest.fixture
def blobs(tmp_path, clock):
    return FilesystemBlobs(tmp_path / "store", clock=clock)


@pytest.fixture
async def door(database, blobs, clock):
    async with serve_door(database, blobs, clock) as door:
        door.callers.add("alice", dict.fromkeys(REPOSITORIES, ALL_ACTIONS))
        yield door

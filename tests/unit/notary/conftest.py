from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seawall.ingress.access import Action
from seawall.testing.notary_doors import NotaryDoor, serve_notary
from seawall.testing.tree_servers import TreeServer


@pytest.fixture
def server(tmp_path: Path) -> TreeServer:
    return TreeServer.in_folder(tmp_path)


@pytest.fixture
async def door(server: TreeServer) -> AsyncIterator[NotaryDoor]:
    """A door before which `ada` may everything, `lin` may push, `guest` may pull."""
    everything = {Action.PULL, Action.PUSH, Action.DELETE}
    async with serve_notary(server.trees()) as door:
        door.callers.add("ada", {"team/app": everything})
        door.callers.add("lin", {"team/app": {Action.PULL, Action.PUSH}})
        door.callers.add("guest", {"team/app": {Action.PULL}})
        door.callers.add("root", {}, is_administrator=True)
        yield door

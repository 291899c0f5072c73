"""Debian's docker-registry in a process of its own: a registry that is not ours, without referrers.

It keeps everything, asks for nothing, and so stands for "another registry" in tests.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from seawall.testing import programs
from seawall.testing.registry_server import free_port

PROGRAM: Final = "docker-registry"

_CONFIGURATION: Final = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: 127.0.0.1:{port}}}
"""


@contextlib.contextmanager
def running(home: Path) -> Iterator[str]:
    """Run it over `home` until the block ends, and give its `host:port`."""
    port = free_port()
    home.mkdir(parents=True, exist_ok=True)
    (home / "conf.yml").write_text(_CONFIGURATION.format(root=home / "data", port=port))
    with programs.serving(PROGRAM, "serve", "conf.yml", home=home, port=port):
        yield f"localhost:{port}"

"""Where the engine of this machine is, by the settings."""

from __future__ import annotations

from pathlib import Path

from seawall.config import Settings
from seawall.engine import docker


def find(settings: Settings) -> Path | None:
    """Return the socket that the settings name, or the first usual one where an engine answers."""
    named = settings.options.engine.socket
    return Path(named) if named else docker.find()

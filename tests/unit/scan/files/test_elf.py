"""ELF headers are read as binutils and pyelftools read them; wrecks never raise."""

from __future__ import annotations

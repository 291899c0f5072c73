"""Somebody who runs `seawall verify`, in this process, with a home of their own."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from seawall.cli import main, pin_files
from seawall.trust.tuf.chain import Pin
from seawall.trust.tuf.names import Gun


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """How a run of `verify` ended. `failed` is the first step that did, `said` its detail."""

    code: int
    failed: str
    said: str
    document: Mapping[str, Any]

    @property
    def is_valid(self) -> bool:
        return self.code == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """`state` may be that of an installation, or of none."""

    home: Path
    state: Path

    @property
    def pins(self) -> Path:
        return self.home / "pins"

    def pin(self, gun: Gun, pin: Pin) -> None:
        """Pin a root, in place of what was pinned and seen."""
        pin_files.replace(self.pins, gun, pin)

    def verify(self, image: str, *words: str) -> Verified:
        """Run the command. One that was refused before any step has no name in `failed`."""
        out, err = io.StringIO(), io.StringIO()
        home = {"SEAWALL_CONFIG_HOME": str(self.home), "DOCKER_CONFIG": str(self.home / "docker")}
        with (
            mock.patch.dict(os.environ, home),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main.main(("verify", image, "--state", str(self.state), "--json", *words))
        if not out.getvalue():
            return Verified(code=code, failed="", said=err.getvalue(), document={})
        document = json.loads(out.getvalue())
        assert document["is_valid"] == (code == 0)
        steps = [step for step in document["steps"] if not step["is_passed"]]
        first = steps[0] if steps and code else {"name": "", "detail": ""}
        return Verified(code=code, failed=first["name"], said=first["detail"], document=document)

"""What `docker login` left behind: names and passwords for registries."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path

from seawall.core import limits, strictjson
from seawall.core.errors import InvalidInputError
from seawall.core.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A name and a password (or token) for one registry."""

    user: str
    password: Secret

    @property
    def basic(self) -> str:
        return (
            "Basic " + base64.b64encode(f"{self.user}:{self.password.reveal()}".encode()).decode()
        )


def read_docker_credentials(docker_home: Path, host: str) -> Credentials | None:
    """Return what `docker login HOST` stored in `docker_home/config.json`; None when nothing.

    Passwords in a credential helper (`credsStore`) are not looked up. Raises InvalidInputError
    when the file does not parse.
    """
    path = docker_home / "config.json"
    try:
        with path.open("rb") as file:
            content = file.read(limits.MIB + 1)
    except OSError:
        return None
    auths = strictjson.decode_object(content, max_bytes=limits.MIB).get("auths")
    if not isinstance(auths, dict):
        return None
    for name in (host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/"):
        entry = auths.get(name)
        if isinstance(entry, dict) and isinstance(entry.get("auth"), str) and entry["auth"]:
            return _credentials(str(entry["auth"]), path)
    return None


def _credentials(auth: str, path: Path) -> Credentials:
    try:
        user, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path}: a login does not parse") from error
    if not colon:
        raise InvalidInputError(f"{path}: a login does not parse")
    return Credentials(user=user, password=Secret(password.rstrip("\0")))

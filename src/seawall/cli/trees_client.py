"""A client of the Notary protocol (`/v2/GUN/_trust/…`), for one repository.

It fetches and uploads; it proves nothing: `trust.tuf.chain` does. Every read is bounded, by what
the parent says of a file where there is one. What a hostile server gets wrong ends the fetching and
is left for the proof to name; only a server that does not answer is an error here.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from seawall.cli._seen_content import SeenContent
from seawall.cli.registry_client import RegistryClient
from seawall.core import limits
from seawall.core.errors import InvalidInputError, LimitError, NotFoundError
from seawall.trust.tuf import keys, metadata, roots, walk
from seawall.trust.tuf.chain import Pin, Tree
from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.model import File, FileMeta, Snapshot, Targets, Timestamp
from seawall.trust.tuf.names import ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Gun, Role

TIMESTAMP_MAX_BYTES: Final = limits.MIB
KEY_MAX_BYTES: Final = 64 * limits.KIB
TREE_MAX_BYTES: Final = 64 * limits.MIB
"""Of all files of one tree together."""


class TreesClient:
    """Speaks to the trust server of one repository, over the registry client's connection."""

    def __init__(self, http: RegistryClient, gun: Gun) -> None:
        self.gun = gun
        self._http = http
        self._path = f"/v2/{gun}/_trust/tuf/"
        self._seen: SeenContent[bytes] = SeenContent()

    def fetch(self, pin: Pin | None) -> Tree | None:
        """Return the tree with the roots that follow the pinned one; None when there is none.

        Nothing in it is verified, and it ends where the server showed what does not parse.
        """
        return self._fetch(lambda root: _first_needed(pin, root))

    def fetch_with_all_roots(self) -> Tree | None:
        """Like `fetch`, with every root that the server still has."""
        return self._fetch(lambda _root: 1)

    def publish(self, files: Mapping[Role, bytes]) -> None:
        """Upload files together. Raises ConflictError with what the server says against them."""
        body, content_type = _multipart(files)
        self._http.exchange(
            "POST",
            self._path,
            scope=self._scope("pull,push"),
            max_bytes=KEY_MAX_BYTES,
            headers={"Content-Type": content_type},
            body=body,
        )
        for role, content in files.items():
            self._keep(role, content)

    def server_key(self, role: Role) -> TufKey:
        """Return the key with which the server signs, or would sign, snapshots or timestamps.

        Raises NotFoundError when there is no trust server.
        """
        content = self._get(f"{role}.key", KEY_MAX_BYTES, actions="pull,push")
        return keys.parse_public_file(content)

    def new_server_key(self, role: Role) -> TufKey:
        """Let the server make another key; it is used once a root names it."""
        content = self._http.exchange(
            "POST", f"{self._path}{role}.key", scope=self._scope("*"), max_bytes=KEY_MAX_BYTES
        )
        return keys.parse_public_file(content)

    def _fetch(self, first_root: Callable[[File], int]) -> Tree | None:
        try:
            timestamp = self._get("timestamp.json", TIMESTAMP_MAX_BYTES)
        except NotFoundError:
            return None
        found = _Found()
        with contextlib.suppress(InvalidInputError, LimitError, NotFoundError):
            self._collect(found, timestamp, first_root)
        return Tree(
            roots=tuple(found.roots),
            timestamp=timestamp,
            snapshot=found.snapshot,
            targets=found.targets,
        )

    def _collect(self, found: _Found, timestamp: bytes, first_root: Callable[[File], int]) -> None:
        meta = metadata.parse(TIMESTAMP, timestamp).said(Timestamp).snapshot
        found.snapshot = self._by_hash(found, SNAPSHOT, meta)
        named = metadata.parse(SNAPSHOT, found.snapshot).said(Snapshot).meta
        root = metadata.parse(ROOT, self._by_hash(found, ROOT, named[ROOT]))
        found.roots = [root.content]
        self._older_roots(found, root, first_root(root))
        waiting = [TARGETS]
        while waiting:
            role = waiting.pop(0)
            content = self._by_hash(found, role, named[role])
            found.targets[role] = content
            for one in metadata.parse(role, content).said(Targets).delegations:
                if one.role in named and one.role not in found.targets:
                    waiting.append(one.role)
            if len(waiting) > walk.MAX_ROLES:
                raise LimitError(f"more than {walk.MAX_ROLES} roles")

    def _older_roots(self, found: _Found, root: File, first: int) -> None:
        """Fetch the roots before `root`, down to the version `first` or to where there is none."""
        if root.version - first > roots.MAX_ROOTS:
            raise LimitError(f"more than {roots.MAX_ROOTS} roots to follow")
        with contextlib.suppress(NotFoundError):
            for number in range(root.version - 1, first - 1, -1):
                content = self._get(f"{number}.root.json", metadata.FILE_MAX_BYTES)
                found.roots.insert(0, found.counted(content))

    def _by_hash(self, found: _Found, role: Role, meta: FileMeta) -> bytes:
        if meta.length > metadata.FILE_MAX_BYTES:
            raise LimitError(f"{role} is said to be {meta.length} bytes")
        seen = self._seen.find(self.gun.repository, f"{role}.{meta.sha256.hex()}")
        if seen is not None and len(seen) <= meta.length:
            return found.counted(seen)
        content = found.counted(self._get(f"{role}.{meta.sha256.hex()}.json", meta.length))
        self._keep(role, content)
        return content

    def _keep(self, role: Role, content: bytes) -> None:
        """Keep a file under its own hash, so that it is not fetched again."""
        name = f"{role}.{hashlib.sha256(content).hexdigest()}"
        self._seen.keep(self.gun.repository, name, content, len(content))

    def _get(self, name: str, max_bytes: int, *, actions: str = "pull") -> bytes:
        return self._http.exchange(
            "GET", self._path + name, scope=self._scope(actions), max_bytes=max_bytes
        )

    def _scope(self, actions: str) -> str:
        return f"repository:{self.gun}:{actions}"


def _multipart(files: Mapping[Role, bytes]) -> tuple[bytes, str]:
    """Return the files as a form (RFC 7578), parents first, and the form's Content-Type.

    Names of roles need no escape.
    """
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{role}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + files[role]
        + b"\r\n"
        for role in sorted(files, key=lambda role: role.depth)
    ]
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def _first_needed(pin: Pin | None, root: File) -> int:
    """Return the first root that leads from the pinned one to `root`; from the very first, where
    only a fingerprint is pinned that `root` does not carry."""
    if pin is None or (pin.root is None and pin.root_key_ids <= roots.key_ids(root)):
        return root.version
    return 1 if pin.root is None else metadata.parse(ROOT, pin.root).version + 1


@dataclass(slots=True)
class _Found:
    roots: list[bytes] = field(default_factory=list)
    snapshot: bytes = b""
    targets: dict[Role, bytes] = field(default_factory=dict)
    size: int = 0

    def counted(self, content: bytes) -> bytes:
        self.size += len(content)
        if self.size > TREE_MAX_BYTES:
            raise LimitError(f"a tree of more than {TREE_MAX_BYTES} bytes")
        return content

"""What metadata files of Notary v1 say, as values. `metadata.parse` makes them."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.names import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature beside a file's content. Unverified."""

    key_id: str
    method: str
    value: bytes

    def to_json(self) -> dict[str, Json]:
        return {
            "keyid": self.key_id,
            "method": self.method,
            "sig": base64.b64encode(self.value).decode("ascii"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleKeys:
    """Who may sign a role: so many different ones of these keys."""

    key_ids: tuple[str, ...]
    threshold: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The keys of all base roles. The only file that names its own signers."""

    version: int
    expires: dt.datetime
    keys: Mapping[str, TufKey]
    roles: Mapping[Role, RoleKeys]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a tag stands for: digest and size (bytes) of its manifest or index."""

    digest: Digest
    length: int
    sha512: bytes | None = None
    custom: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """A role that a targets file hands names to: those that begin with one of `paths`."""

    role: Role
    keys: RoleKeys
    paths: tuple[str, ...]

    def may_name(self, target: str) -> bool:
        return any(target.startswith(path) for path in self.paths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Tags, and the roles that may name more of them."""

    version: int
    expires: dt.datetime
    targets: Mapping[str, Target] = field(default_factory=dict)
    keys: Mapping[str, TufKey] = field(default_factory=dict)
    delegations: tuple[Delegation, ...] = ()

    def delegation(self, role: Role) -> Delegation | None:
        return next((one for one in self.delegations if one.role == role), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMeta:
    """Length (bytes) and hashes of another file."""

    length: int
    sha256: bytes
    sha512: bytes | None = None

    @classmethod
    def of(cls, content: bytes) -> FileMeta:
        return cls(
            length=len(content),
            sha256=hashlib.sha256(content).digest(),
            sha512=hashlib.sha512(content).digest(),
        )

    def fits(self, content: bytes) -> bool:
        """Tell whether `content` is the file that this describes."""
        return (
            len(content) == self.length
            and hashlib.sha256(content).digest() == self.sha256
            and (self.sha512 is None or hashlib.sha512(content).digest() == self.sha512)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One consistent set of files; versions are not part of it."""

    version: int
    expires: dt.datetime
    meta: Mapping[Role, FileMeta]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timestamp:
    """The newest snapshot, for a short time."""

    version: int
    expires: dt.datetime
    snapshot: FileMeta


Body: TypeAlias = "Root | Targets | Snapshot | Timestamp"
B = TypeVar("B", Root, Targets, Snapshot, Timestamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A metadata file: its bytes, what it says, and who claims to have signed it."""

    role: Role
    content: bytes = field(repr=False)
    body: Body
    signed_bytes: bytes = field(repr=False)
    signatures: tuple[Signature, ...]

    @property
    def version(self) -> int:
        return self.body.version

    @property
    def sha256(self) -> str:
        """Lower-case hex of the whole file's hash."""
        return hashlib.sha256(self.content).hexdigest()

    def said(self, kind: type[B]) -> B:
        """Return the body, of which the role leaves no doubt."""
        if not isinstance(self.body, kind):
            raise TypeError(f"{self.role} is not a {kind.__name__}")
        return self.body

"""What the page of a repository's trust shows: plain values, made by `reading.trust`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from seawall.web.views import Outcome, ProofStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key and how people know it. `hardware` is empty when nobody proved where it is kept."""

    key_id: str
    name: str  # under which it is trusted; empty: it is not
    hardware: str = ""
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Somebody whose certificates say who signed."""

    name: str
    kind: str
    identities: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role of the tree: who may sign it, how many must, until when it is good."""

    name: str
    version: int | None  # None: it has signed nothing yet
    threshold: int
    keys: tuple[Key, ...]
    expires: dt.datetime | None
    is_expired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The root that the gate believes, and who said so."""

    root_keys: tuple[str, ...]
    pinned_by: str
    pinned_at: dt.datetime
    seen: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag, what it stands for in the registry, and who vouches for that."""

    name: str
    digest: str
    outcome: Outcome  # of the tree; PENDING where it is not asked
    note: str
    signers: tuple[str, ...]
    forms: tuple[str, ...]
    newest: dt.datetime | None  # of what the signers say of their own time


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A change that lacks signatures: who has signed, who still may."""

    role: str
    version: int
    missing: int
    have_signed: tuple[Key, ...]
    may_sign: tuple[Key, ...]
    started_by: str
    started_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """An entry of the transparency log about the repository."""

    number: int
    kind: str
    tag: str
    digest: str
    key: str
    at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPage:
    """Everything about who vouches for a repository."""

    registry: str
    repository: str
    keys: tuple[Key, ...]
    authorities: tuple[Authority, ...]
    pin: Pin | None
    tree: Outcome  # PENDING: there is no pin, so it is not asked
    tree_note: str
    steps: tuple[ProofStep, ...]
    refreshed_at: dt.datetime | None
    expires: dt.datetime | None
    roles: tuple[Role, ...]
    tags: tuple[Tag, ...]
    tags_total: int
    waiting: tuple[Waiting, ...]
    log: tuple[LogEntry, ...]
    log_size: int

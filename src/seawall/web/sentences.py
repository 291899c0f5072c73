"""What happened, as one sentence without its subject: the page puts the actor before it.

Every kind of event has its sentence here; a test of the house holds it to that. Texts inside come
from clients and feeds, so they are cut, and the templates escape them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from seawall import audit
from seawall.fleet.events import ContainerCreated
from seawall.identity import events as identity
from seawall.policy.events import AdmissionRefused, VerdictGiven
from seawall.registry import events as registry
from seawall.scan.events import (
    AdvisoriesRefreshed,
    FeedFailed,
    FindingsChanged,
    FingerprintsAdded,
    FingerprintsRemoved,
    ReportMade,
    VexAccepted,
    VexRemoved,
)
from seawall.trust.events import (
    AuthorityDistrusted,
    AuthorityTrusted,
    CheckpointCosigned,
    ImageSigned,
    KeyDistrusted,
    KeyTrusted,
    RootPinned,
    RootUnpinned,
    SignatureLogged,
    TreeAdvanced,
    TreeChangeWithdrawn,
    TreeDeleted,
    TreeKeyIssued,
    TreePublished,
    TreeRefreshed,
    TreeRefused,
    TreeSignatureAdded,
    TreeTagsChanged,
    WitnessAccepted,
    WitnessDropped,
)

TEXT_MAX_CHARACTERS: Final = 200

_SIGNATURES: Final = re.compile(r"sha256-[0-9a-f]{64}\.sig", re.ASCII)


def of_entry(entry: audit.Entry) -> str:
    """Return the sentence for a line of the log.

    A line that an older or newer version wrote in another form is named, not left out.
    """
    kind = kinds().get(entry.kind)
    if kind is None:
        return f"caused {entry.kind}"
    try:
        return of(msgspec.json.decode(entry.body, type=kind))
    except msgspec.DecodeError:
        return f"caused {entry.kind}, written in a form that this version does not read"


@functools.cache
def kinds() -> Mapping[str, type[audit.Event]]:
    """Return every kind of event that has a sentence, by its name in the log."""
    found = (kind for kind in of.registry if issubclass(kind, audit.Event))
    return {kind.kind(): kind for kind in found if kind is not audit.Event}


@functools.singledispatch
def of(event: object) -> str:
    """Return the sentence for an event. Raises TypeError for one that has none."""
    raise TypeError(f"no sentence for {type(event).__name__}")


# -- registry


@of.register
def _(event: registry.ManifestPushed) -> str:
    what = "an image" if event.is_image else "an index"
    signed = [tag for tag in event.tags if _SIGNATURES.fullmatch(tag)]
    if signed:
        return f"pushed signatures of {signed[0][7:19]}"
    if event.subject:
        what = f"{_cut(event.artifact_type) or 'an artifact'} about {_short(event.subject)}"
    elif event.artifact_type:
        what = f"an artifact ({_cut(event.artifact_type)})"
    return f"pushed {what}" + (f" as {_listed(event.tags)}" if event.tags else "")


@of.register
def _(event: registry.TagMoved) -> str:
    tag = _tag(event.tag)
    if event.previous is None:
        return f"made the tag {tag}"
    return f"moved the tag {tag} away from {_short(event.previous)}"


@of.register
def _(event: registry.TagDeleted) -> str:
    return f"deleted the tag {_tag(event.tag)}"


@of.register
def _(event: registry.ManifestDeleted) -> str:
    return "deleted the manifest with all its tags"


@of.register
def _(event: registry.BlobDeleted) -> str:
    return "deleted a blob"


@of.register
def _(event: registry.BlobCorrupted) -> str:
    return "found bytes that are not what their digest says, and put them into quarantine"


# -- scan


@of.register
def _(event: ReportMade) -> str:
    found = [f"{number} {level}" for level, number in event.findings_by_severity.items() if number]
    said = f"{', '.join(found)}; {event.fixable} can be fixed" if found else "no findings"
    partial = ", but a part could not be read" if event.is_partial else ""
    return f"scanned {_count(event.components, 'package')}: {said}{partial}"


@of.register
def _(event: FindingsChanged) -> str:
    found = (
        ("newly vulnerable", event.newly_vulnerable),
        ("newly fixed", event.newly_fixed),
        ("withdrawn", event.withdrawn),
    )
    said = [f"{word}: {_cut(', '.join(names))}" for word, names in found if names]
    return f"new advisories: {'; '.join(said) or 'the same holes, rated otherwise'}"


@of.register
def _(event: AdvisoriesRefreshed) -> str:
    changes = f"{event.added} new, {event.changed} changed, {event.withdrawn} withdrawn"
    by = f", signed by {len(event.signed_by)} keys" if event.signed_by else ""
    said = f"{event.records} records, {changes}{by}"
    return f"imported the advisories of {_cut(event.feed)}: {said}"


@of.register
def _(event: FeedFailed) -> str:
    return f"could not refresh the advisories of {_cut(event.feed)}: {_cut(event.reason)}"


@of.register
def _(event: FingerprintsAdded) -> str:
    by = f", signed by {len(event.signed_by)} keys" if event.signed_by else ", learned here"
    return f"let in fingerprints {_cut(event.name)} of {event.packages} packages{by}"


@of.register
def _(event: FingerprintsRemoved) -> str:
    return f"took the fingerprints {_cut(event.name)} away"


@of.register
def _(event: VexAccepted) -> str:
    count = event.statements
    statements = "1 statement" if count == 1 else f"{count} statements"
    return (
        f"let in {statements} of {_cut(event.author)} ({event.format}), from {_cut(event.source)}"
    )


@of.register
def _(event: VexRemoved) -> str:
    return "took a VEX document away"


# -- trust


@of.register
def _(event: KeyTrusted) -> str:
    device = f", kept by {_cut(event.hardware)}" if event.hardware else ""
    return f"trusted the key {_cut(event.name)} for {_listed(list(event.patterns))}{device}"


@of.register
def _(event: KeyDistrusted) -> str:
    return f"trusts the key {_cut(event.name)} no longer"


@of.register
def _(event: RootPinned) -> str:
    what = f"the root with the keys {_keys(event.root_keys)}"
    if event.former_root_keys:
        return f"pinned {what} instead of {_keys(event.former_root_keys)}"
    return f"pinned {what}"


@of.register
def _(event: RootUnpinned) -> str:
    return f"took away the pin of the root with the keys {_keys(event.root_keys)}"


@of.register
def _(event: TreeAdvanced) -> str:
    versions = ", ".join(f"{_cut(role)} {version}" for role, version in event.seen.items())
    return f"saw the tree go on: {_cut(versions)}"


@of.register
def _(event: TreeRefused) -> str:
    return f"refused the tree at the step {_cut(event.step)}: {_cut(event.why)}"


@of.register
def _(event: TreeSignatureAdded) -> str:
    lacks = f", which lacks {event.waits_for} more" if event.waits_for else ""
    return f"added a signature to {_cut(event.role)} version {event.version}{lacks}"


@of.register
def _(event: TreeChangeWithdrawn) -> str:
    return f"withdrew the change of {_cut(event.role)} version {event.version}"


@of.register
def _(event: AuthorityTrusted) -> str:
    named = f"{_cut(event.name)} ({_cut(event.kind_of_authority)})"
    return f"trusted the authority {named} for {_listed(list(event.patterns))}"


@of.register
def _(event: AuthorityDistrusted) -> str:
    return f"trusts the authority {_cut(event.name)} no longer"


@of.register
def _(event: ImageSigned) -> str:
    tag = f" as {_cut(event.tag)}" if event.tag else ""
    return f"found a valid signature by {_cut(event.key)}{tag}"


@of.register
def _(event: SignatureLogged) -> str:
    return f"entered a signature into the transparency log, as number {event.number}"


@of.register
def _(event: WitnessAccepted) -> str:
    return f"accepts {_cut(event.name)} as a witness of the transparency log"


@of.register
def _(event: WitnessDropped) -> str:
    return f"accepts the witness {_cut(event.name)} no longer"


@of.register
def _(event: CheckpointCosigned) -> str:
    return f"received the co-signature of {_cut(event.witness)} at {event.size} entries"


@of.register
def _(event: TreePublished) -> str:
    added = sum(1 for key in event.keys if key.is_added)
    changed = f"; {added} keys added, {len(event.keys) - added} removed" if event.keys else ""
    return f"published {_listed(sorted(event.roles))} of {_cut(event.gun)}{changed}"


@of.register
def _(event: TreeTagsChanged) -> str:
    tags = _listed([change.tag for change in event.changes])
    return f"signed otherwise in {_cut(event.role)} of {_cut(event.gun)}: {tags}"


@of.register
def _(event: TreeRefreshed) -> str:
    return f"signed {_listed(sorted(event.roles))} of {_cut(event.gun)} anew"


@of.register
def _(event: TreeDeleted) -> str:
    return f"deleted the tree of {_cut(event.gun)}"


@of.register
def _(event: TreeKeyIssued) -> str:
    return f"made a key for the {_cut(event.role)} of {_cut(event.gun)}"


# -- policy and fleet


@of.register
def _(event: VerdictGiven) -> str:
    image = f" {_cut(event.tag)}" if event.tag else ""
    if event.allowed:
        return f"judged the image{image}: allowed by policy {_cut(event.policy)}"
    why = _listed([reason.rule for reason in event.reasons]) or "no rule says yes"
    return f"judged the image{image}: refused by policy {_cut(event.policy)} ({why})"


@of.register
def _(event: AdmissionRefused) -> str:
    why = _listed([reason.rule for reason in event.reasons]) or "no reason was written down"
    return f"was refused: {_cut(event.action)} {_cut(event.image)} ({why})"


@of.register
def _(event: ContainerCreated) -> str:
    return (
        f"ran {_cut(event.image)} as container {event.container[:12]} under verdict {event.verdict}"
    )


# -- identity


@of.register
def _(event: identity.UserCreated) -> str:
    what = "administrator" if event.is_administrator else "user"
    return f"added the {what} {_cut(event.name)}"


@of.register
def _(event: identity.UserDisabled) -> str:
    return f"disabled the user {_cut(event.name)}"


@of.register
def _(event: identity.UserEnabled) -> str:
    return f"enabled the user {_cut(event.name)}"


@of.register
def _(event: identity.PasswordChanged) -> str:
    return f"changed the password of {_cut(event.name)}"


@of.register
def _(event: identity.GrantAdded) -> str:
    return f"granted {_cut(event.subject)} {_listed(event.actions)} on {_cut(event.pattern)}"


@of.register
def _(event: identity.GrantRemoved) -> str:
    return f"took back what {_cut(event.subject)} was granted on {_cut(event.pattern)}"


@of.register
def _(event: identity.LoginSucceeded) -> str:
    return "logged in to the pages"


@of.register
def _(event: identity.LoginFailed) -> str:
    who = f"as {_cut(event.name)}" if event.name else "as somebody unknown"
    more = f", {event.unrecorded} more not written down" if event.unrecorded else ""
    return f"failed to log in {who}, {_count(event.failures, 'time')} in a row{more}"


@of.register
def _(event: identity.ClientCertificateIssued) -> str:
    return f"issued certificate {_cut(event.serial)} to {_cut(event.name)}"


@of.register
def _(event: identity.ClientCertificateRevoked) -> str:
    return f"revoked certificate {_cut(event.serial)} of {_cut(event.name)}"


def _listed(texts: list[str]) -> str:
    return _cut(", ".join(dict.fromkeys(texts)))


def _keys(ids: tuple[str, ...]) -> str:
    return _listed([key_id[:12] for key_id in ids])


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_MAX_CHARACTERS else f"{text[: TEXT_MAX_CHARACTERS - 1]}…"


def _tag(tag: str) -> str:
    """Return a tag for people: the one that holds signatures names its image in short."""
    return f"for signatures of {tag[7:19]}" if _SIGNATURES.fullmatch(tag) else _cut(tag)


def _short(digest: str) -> str:
    return digest.partition(":")[2][:12] or digest[:12]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

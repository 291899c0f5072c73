"""What an owner is told about."""

from __future__ import annotations

import pytest

from seawall.oci.digest import Digest
from seawall.testing import logs, signatures
from seawall.trust import bundle
from seawall.trust.keys import PrivateKey
from seawall.trust.log import entries, merkle
from seawall.trust.log.entries import SignedEnvelope
from seawall.trust.log.following import SeenEntry
from seawall.trust.log.watching import Watcher

OURS, STRANGER = signatures.new_key(), signatures.new_key()


def seen(
    body: bytes, statement: bytes | None = None, repository: str | None = None, number: int = 0
) -> SeenEntry:
    return SeenEntry(
        number=number, leaf_hash=merkle.leaf_hash(body), body=body,
        statement=statement, repository=repository,
    )  # fmt: skip


def watcher(*watched: str) -> Watcher:
    ids = frozenset({str(OURS.public.key_id)})
    return Watcher(watched=watched or ("team/*",), known=lambda _repository: ids)


def signed(key: PrivateKey, image: str, label: str | None = None) -> SeenEntry:
    envelope = logs.envelope(key, image)
    return seen(entries.signature_body(envelope, key.public), envelope.payload, label)


def digest_only(key: PrivateKey, digest: Digest) -> SignedEnvelope:
    """What stock cosign signs: no name."""
    statement = (
        b'{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"%s"}}],'
        b'"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}'
        % digest.hex.encode()
    )
    return entries.parse_envelope(bundle.sign(statement, key))


def test_a_stranger_signing_a_watched_name_is_an_alarm() -> None:
    alarm = watcher().look(signed(STRANGER, "h.example/team/app:v1"))
    assert alarm is not None
    assert ("team/app", STRANGER.public.key_id) == (alarm.repository, alarm.key_id)


def test_our_key_is_none_and_other_names_are_none() -> None:
    assert watcher().look(signed(OURS, "h.example/team/app:v1")) is None
    assert watcher().look(signed(STRANGER, "h.example/other/app:v1")) is None


def test_a_false_label_does_not_hide_a_signed_name() -> None:
    assert watcher().look(signed(STRANGER, "h.example/team/app:v1", label="other/app")) is not None


def test_a_nameless_signature_is_of_whoever_has_the_digest() -> None:
    digest = Digest.of(b"1")
    envelope = digest_only(STRANGER, digest)
    body = entries.signature_body(envelope, STRANGER.public)
    look = watcher()
    assert look.look(seen(body, envelope.payload, "other/app")) is None
    assert look.look(seen(entries.fact_body(logs.tag_move(1)))) is None
    assert look.look(seen(body, envelope.payload, "other/app")) is not None


@pytest.mark.parametrize("label", [None, "team/app"])
def test_a_statement_that_is_not_shown_counts_by_its_label_or_always(label: str | None) -> None:
    envelope = logs.envelope(STRANGER)
    body = entries.signature_body(envelope, STRANGER.public)
    assert watcher().look(seen(body, None, label)) is not None


def test_another_statement_than_was_signed_is_an_alarm() -> None:
    mine = logs.envelope(OURS)
    body = entries.signature_body(mine, OURS.public)
    alarm = watcher().look(seen(body, logs.envelope(OURS, "h.example/x:1").payload))
    assert alarm is not None
    assert "another statement" in alarm.reason


def test_a_signature_that_does_not_hold_is_an_alarm() -> None:
    mine = logs.envelope(OURS)
    forged = SignedEnvelope(
        payload=mine.payload, payload_type=mine.payload_type,
        signature=logs.envelope(STRANGER).signature,
    )  # fmt: skip
    body = entries.signature_body(forged, OURS.public)
    assert watcher().look(seen(body, forged.payload)) is not None


def test_a_key_found_on_an_image_counts_too() -> None:
    fact = entries.KeyUse(
        repository="team/app", event=1, time="t", blind="", digest="sha256:" + "0" * 64,
        tag=None, key_id=str(STRANGER.public.key_id),
    )  # fmt: skip
    assert watcher().look(seen(entries.fact_body(fact))) is not None
    assert watcher("other/*").look(seen(entries.fact_body(fact))) is None


def test_what_does_not_parse_is_an_alarm_and_what_is_hidden_is_none() -> None:
    assert watcher().look(seen(b"{}")) is not None
    hidden = SeenEntry(number=0, leaf_hash=b"h" * 32, body=None, statement=None, repository=None)
    assert watcher().look(hidden) is None

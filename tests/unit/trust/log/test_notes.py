"""Signed notes: what we write parses back, and nothing else that looks like it does."""

from __future__ import annotations

import base64
import datetime as dt

import nacl.signing
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError, SeawallError
from seawall.testing import signatures
from seawall.trust.log import notes
from seawall.trust.log.notes import Checkpoint, WitnessKey

KEY = signatures.new_key()
NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
CHECKPOINT = Checkpoint(origin="log.example:5443", size=7, root=b"r" * 32)
NOTE = str(notes.sign(CHECKPOINT, KEY, name="log.example:5443"))
WITNESS = nacl.signing.SigningKey(b"w" * 32)
WITNESS_KEY = WitnessKey(name="witness.example", public=bytes(WITNESS.verify_key))

names = st.from_regex(r"\A[a-z0-9.:-]{1,40}\Z")
checkpoints = st.builds(
    Checkpoint,
    origin=names,
    size=st.integers(0, 2**62),
    root=st.binary(min_size=32, max_size=32),
)


@given(checkpoint=checkpoints)
def test_what_is_written_parses_back(checkpoint: Checkpoint) -> None:
    note = notes.sign(checkpoint, KEY, name=checkpoint.origin)
    parsed = notes.parse(str(note).encode())
    assert note == parsed
    assert checkpoint == notes.parse_checkpoint(parsed.text)
    assert notes.is_signed_by_log(parsed, KEY.public)
    assert not notes.is_signed_by_log(parsed, signatures.new_key().public)


@given(content=st.binary(max_size=300))
def test_any_bytes_are_a_note_or_refused(content: bytes) -> None:
    try:
        note = notes.parse(content)
    except SeawallError:
        return
    assert content == str(note).encode()


@given(at=st.integers(0, len(NOTE.encode()) - 1), bit=st.integers(0, 7))
def test_no_changed_bit_of_a_checkpoint_verifies(at: int, bit: int) -> None:
    content = bytearray(NOTE.encode())
    content[at] ^= 1 << bit
    try:
        note = notes.parse(bytes(content))
    except SeawallError:
        return
    is_signed = notes.is_signed_by_log(note, KEY.public)
    # The name beside a signature is no part of what is signed: it only helps to find the key.
    assert not is_signed or note.text == notes.parse(NOTE.encode()).text


@pytest.mark.parametrize(
    "text",
    [
        "log.example\n07\n{root}\n",
        "log.example\n+7\n{root}\n",
        "log.example\n-1\n{root}\n",
        "log.example\n٧\n{root}\n",
        "log.example\n4611686018427387905\n{root}\n",
        "log.example\n7\n{root}\nmore\n",
        "log.example\n7\n",
        "\n7\n{root}\n",
        "log.example\n7\nc2hvcnQ=\n",
        "log.example\n7\n{root} \n",
        "log.example\r\n7\r\n{root}\r\n",
        "log.example\n7\n{root}",
    ],
)
def test_refuses_a_checkpoint_in_any_other_spelling(text: str) -> None:
    root = base64.b64encode(b"r" * 32).decode()
    with pytest.raises(InvalidInputError):
        notes.parse_checkpoint(text.format(root=root))


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.replace("\n\n", "\n"),
        lambda note: note[:-1],
        lambda note: note + "\n",
        lambda note: note + "more\n",
        lambda note: note.replace("— ", "- "),
        lambda note: note.replace("\n— log.example:5443 ", "\n— log.example:5443  "),
        lambda note: note.replace("log.example", "log\tname"),
        lambda note: note.replace("— log.example:5443", "— log+example"),
        lambda note: note.partition("\n\n")[0] + "\n\n— log.example AAAA\n",
        lambda note: note.rstrip("\n") + "A\n",
    ],
)
def test_refuses_a_note_in_any_other_form(change) -> None:
    with pytest.raises(InvalidInputError):
        notes.parse(change(NOTE).encode())


def test_refuses_a_note_without_bounds() -> None:
    with pytest.raises(SeawallError, match="more than"):
        notes.parse(NOTE.encode() + b"x" * notes.NOTE_MAX_BYTES)
    line = NOTE.splitlines(keepends=True)[-1]
    with pytest.raises(SeawallError, match="more than"):
        notes.parse((NOTE + line * notes.MAX_SIGNATURES).encode())


def test_a_second_spelling_of_the_same_base64_is_refused() -> None:
    root = base64.b64encode(b"r" * 32).decode()
    other = root[:-2] + chr(ord(root[-2]) + 1) + "="
    assert base64.b64decode(root) == base64.b64decode(other)
    with pytest.raises(InvalidInputError, match="one form"):
        notes.parse_checkpoint(f"log.example\n7\n{other}\n")


def test_a_cosignature_holds_for_its_text_and_its_key_alone() -> None:
    line = notes.cosign(CHECKPOINT.text, name="witness.example", key=WITNESS, now=NOW)
    assert line == notes.parse_signature(line.line[:-1])
    assert NOW == notes.cosigned_at(CHECKPOINT.text, line, WITNESS_KEY)
    other = Checkpoint(origin=CHECKPOINT.origin, size=8, root=CHECKPOINT.root)
    assert notes.cosigned_at(other.text, line, WITNESS_KEY) is None
    stranger = nacl.signing.SigningKey(b"s" * 32)
    forged = notes.cosign(CHECKPOINT.text, name="witness.example", key=stranger, now=NOW)
    assert notes.cosigned_at(CHECKPOINT.text, forged, WITNESS_KEY) is None


def test_the_time_of_a_cosignature_is_signed() -> None:
    line = notes.cosign(CHECKPOINT.text, name="witness.example", key=WITNESS, now=NOW)
    later = (int(NOW.timestamp()) + 1).to_bytes(8, "big") + line.signature[8:]
    changed = notes.Signature(name=line.name, hint=line.hint, signature=later)
    assert notes.cosigned_at(CHECKPOINT.text, changed, WITNESS_KEY) is None


def test_a_witness_is_written_as_c2sp_has_it_and_read_back() -> None:
    assert WITNESS_KEY == WitnessKey.parse(str(WITNESS_KEY))
    name, hint, encoded = str(WITNESS_KEY).split("+", 2)
    assert "witness.example" == name
    assert 8 == len(hint)
    assert b"\x04" + WITNESS_KEY.public == base64.b64decode(encoded)


@given(text=st.text(max_size=120))
def test_any_text_is_a_witness_or_refused(text: str) -> None:
    try:
        key = WitnessKey.parse(text)
    except SeawallError:
        return
    assert text.strip() == str(key)


@pytest.mark.parametrize(
    "text",
    [
        str(WITNESS_KEY).replace("witness", "another"),
        str(WITNESS_KEY).replace("+", "", 1),
        "witness.example+00000000+" + base64.b64encode(b"\x01" + b"k" * 32).decode(),
    ],
)
def test_refuses_a_witness_whose_parts_do_not_fit(text: str) -> None:
    with pytest.raises(InvalidInputError):
        WitnessKey.parse(text)

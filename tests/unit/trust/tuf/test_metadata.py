"""Metadata files: what is written is read back, what two parsers could read in two ways is not."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core import strictjson
from seawall.core.errors import InvalidInputError, LimitError, SeawallError
from seawall.oci.digest import Digest
from seawall.testing.signatures import new_key
from seawall.trust.tuf import build, canonical, metadata, thresholds
from seawall.trust.tuf.model import (
    Delegation,
    FileMeta,
    RoleKeys,
    Root,
    Snapshot,
    Target,
    Targets,
    Timestamp,
)
from seawall.trust.tuf.names import (
    BASE_ROLES,
    RELEASES,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    Gun,
    Role,
)

EXPIRES = dt.datetime(2030, 1, 2, 3, 4, 5, 678900, tzinfo=dt.UTC)
GUN = Gun.parse("registry.example/team/app")
KEYS = [build.ecdsa_signer(new_key()) for _ in range(3)]
BY_ID = {one.key.key_id: one.key for one in KEYS}
IDS = tuple(BY_ID)
DIGEST = Digest.of(b"a manifest")

ROOT_BODY = Root(
    version=3,
    expires=EXPIRES,
    keys=BY_ID,
    roles={role: RoleKeys(key_ids=IDS, threshold=2) for role in BASE_ROLES},
)
TARGETS_BODY = Targets(
    version=2,
    expires=EXPIRES,
    targets={"v1": Target(digest=DIGEST, length=10), "β": Target(digest=DIGEST, length=1)},
    keys=BY_ID,
    delegations=(
        Delegation(role=RELEASES, keys=RoleKeys(key_ids=IDS[:1]), paths=("",)),
        Delegation(role=Role("targets/ann"), keys=RoleKeys(key_ids=IDS[1:]), paths=("v", "w")),
    ),
)
META = FileMeta.of(b"content")
BODIES = {
    ROOT: ROOT_BODY,
    TARGETS: TARGETS_BODY,
    RELEASES: Targets(version=1, expires=EXPIRES),
    SNAPSHOT: Snapshot(
        version=1, expires=EXPIRES, meta={ROOT: META, TARGETS: META, RELEASES: META}
    ),
    TIMESTAMP: Timestamp(version=9, expires=EXPIRES, snapshot=META),
}


@pytest.mark.parametrize("role", BODIES, ids=str)
def test_what_is_written_is_read_back(role):
    file = build.signed_file(role, BODIES[role], KEYS)
    assert BODIES[role] == metadata.parse(role, file.content).body
    assert file == metadata.parse(role, file.content)
    assert canonical.encode(json.loads(file.content)["signed"]) == file.signed_bytes


@pytest.mark.parametrize(
    ("microsecond", "written"),
    [
        (0, "2030-01-02T03:04:05Z"),
        (120, "2030-01-02T03:04:05.00012Z"),
        (123000, "2030-01-02T03:04:05.123Z"),
        (500000, "2030-01-02T03:04:05.5Z"),
        (678901, "2030-01-02T03:04:05.678901Z"),
    ],
)
def test_a_time_is_written_as_go_writes_it(microsecond: int, written: str):
    body = Timestamp(version=1, expires=EXPIRES.replace(microsecond=microsecond), snapshot=META)
    file = build.signed_file(TIMESTAMP, body, KEYS)
    assert written == json.loads(file.content)["signed"]["expires"]
    assert body == metadata.parse(TIMESTAMP, file.content).body


def test_what_go_escapes_is_escaped_in_the_file_and_not_in_what_is_signed():
    paths = ("<&>", "\u2028\u2029")
    keys = RoleKeys(key_ids=IDS[:1])
    delegation = Delegation(role=RELEASES, keys=keys, paths=paths)
    body = Targets(version=1, expires=EXPIRES, keys=BY_ID, delegations=(delegation,))
    file = build.signed_file(TARGETS, body, KEYS)
    assert b'"paths":["\\u003c\\u0026\\u003e","\\u2028\\u2029"]' in file.content
    assert '"paths":["<&>","\u2028\u2029"]'.encode() in file.signed_bytes
    assert body == metadata.parse(TARGETS, file.content).body


def test_signers_are_counted_by_key():
    two = RoleKeys(key_ids=IDS, threshold=2)
    file = build.signed_file(TARGETS, TARGETS_BODY, [KEYS[0], KEYS[0], KEYS[0]])
    assert 3 == len(file.signatures)
    assert not thresholds.has_threshold(file, two, BY_ID)
    more = build.with_signatures(file, [KEYS[1].sign(file.signed_bytes)])
    assert 2 == len(more.signatures)
    assert thresholds.has_threshold(more, two, BY_ID)
    others = RoleKeys(key_ids=IDS[2:], threshold=1)
    assert not thresholds.has_threshold(more, others, BY_ID)


def test_two_ids_of_one_key_are_one_signer():
    signer = new_key()
    bare = build.ecdsa_signer(signer)
    certified = build.root_signer(signer, build.root_certificate(signer, GUN, EXPIRES))
    known = {one.key.key_id: one.key for one in (bare, certified)}
    file = build.signed_file(TARGETS, TARGETS_BODY, [bare, certified])
    assert 1 == len(thresholds.signers_of(file, RoleKeys(key_ids=tuple(known)), known))


def edited(role: Role, *path: object, value: object) -> bytes:
    """A file in which the member at `path` is `value`, or absent when that is `...`."""
    document = json.loads(build.signed_file(role, BODIES[role], KEYS).content)
    place = document
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return strictjson.encode(document)


S = "signed"
BROKEN = [
    (ROOT, (S, "_type"), "root"),
    (ROOT, (S, "_type"), "Targets"),
    (ROOT, (S, "Version"), 4),
    (ROOT, (S, "version"), 0),
    (ROOT, (S, "version"), -1),
    (ROOT, (S, "version"), True),
    (ROOT, (S, "version"), "1"),
    (ROOT, (S, "version"), 1.0),
    (ROOT, (S, "version"), 2**63),
    (ROOT, (S, "version"), ...),
    (ROOT, (S, "expires"), "2030-01-01"),
    (ROOT, (S, "expires"), "2030-01-01T00:00:00"),
    (ROOT, (S, "expires"), "2030-13-01T00:00:00Z"),
    (ROOT, (S, "expires"), "0001-01-01T00:00:00+10:00"),
    (ROOT, (S, "expires"), 5),
    (ROOT, (S, "consistent_snapshot"), 0),
    (ROOT, (S, "keys", "0" * 64), build.to_json(ROOT_BODY)["keys"][IDS[0]]),
    (ROOT, (S, "roles", "mirror"), {"keyids": [], "threshold": 1}),
    (ROOT, (S, "roles", "targets"), ...),
    (ROOT, (S, "roles", "root", "threshold"), 0),
    (ROOT, (S, "roles", "root", "threshold"), 4),
    (ROOT, (S, "roles", "root", "threshold"), "1"),
    (ROOT, (S, "roles", "root", "keyids"), [*IDS, "0" * 64]),
    (ROOT, (S, "roles", "root", "keyids"), IDS[0]),
    (ROOT, (S, "roles", "root", "paths"), []),
    (TARGETS, (S, "targets", "v1", "hashes", "sha256"), "AAAA"),
    (TARGETS, (S, "targets", "v1", "hashes", "md5"), "AAAA"),
    (TARGETS, (S, "targets", "v1", "length"), -1),
    (TARGETS, (S, "targets", "v1", "size"), 1),
    (TARGETS, (S, "targets", "a\nb"), {}),
    (TARGETS, (S, "targets", ""), {}),
    (TARGETS, (S, "delegations", "roles", 0, "name"), "targets/Releases"),
    (TARGETS, (S, "delegations", "roles", 0, "name"), "targets/../root"),
    (TARGETS, (S, "delegations", "roles", 0, "name"), "targets/a/b"),
    (TARGETS, (S, "delegations", "roles", 0, "name"), "targets/ann"),
    (TARGETS, (S, "delegations", "roles", 0, "name"), "root"),
    (TARGETS, (S, "delegations", "roles", 0, "paths"), [1]),
    (SNAPSHOT, (S, "meta", "root"), ...),
    (SNAPSHOT, (S, "meta", "timestamp"), build.to_json(BODIES[TIMESTAMP])["meta"]["snapshot"]),
    (SNAPSHOT, (S, "meta", "targets.json"), build.to_json(BODIES[TIMESTAMP])["meta"]["snapshot"]),
    (TIMESTAMP, (S, "meta", "root"), {}),
    (TIMESTAMP, (S, "meta", "snapshot", "length"), "7"),
    (TIMESTAMP, ("signatures",), []),
    (TIMESTAMP, ("signatures",), None),
    (TIMESTAMP, ("signatures", 0, "keyid"), IDS[0].upper()),
    (TIMESTAMP, ("signatures", 0, "sig"), "no base64!"),
    (TIMESTAMP, ("signatures", 0, "cert"), ""),
    (TIMESTAMP, ("more",), 1),
    (TIMESTAMP, (S,), []),
]


@pytest.mark.parametrize(("role", "path", "value"), BROKEN, ids=map(str, range(len(BROKEN))))
def test_refuses_what_the_format_does_not_have(role, path, value):
    with pytest.raises(InvalidInputError, match=f"^{role}: "):
        metadata.parse(role, edited(role, *path, value=value))


def test_refuses_a_member_that_stands_there_twice():
    content = build.signed_file(TIMESTAMP, BODIES[TIMESTAMP], KEYS).content
    twice = content.replace(b'"version":9', b'"version":9,"version":10')
    with pytest.raises(InvalidInputError):
        metadata.parse(TIMESTAMP, twice)


def test_refuses_deep_and_large_files_before_it_reads_them():
    with pytest.raises((InvalidInputError, LimitError)):
        metadata.parse(TIMESTAMP, b'{"signed":' + b"[" * 100_000)
    with pytest.raises(LimitError):
        metadata.parse(TIMESTAMP, b" " * (metadata.FILE_MAX_BYTES + 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2030-01-02T03:04:05Z", EXPIRES.replace(microsecond=0)),
        ("2030-01-02T03:04:05.6789Z", EXPIRES),
        ("2030-01-02T03:04:05.678900999Z", EXPIRES),
        ("2030-01-02T05:04:05.6789+02:00", EXPIRES),
    ],
)
def test_times_as_stock_clients_write_them(text, expected):
    content = edited(TIMESTAMP, S, "expires", value=text)
    assert expected == metadata.parse(TIMESTAMP, content).body.expires


def test_lists_and_objects_that_stock_clients_leave_out_are_empty():
    for value in (None, {"keys": None, "roles": None}, {}):
        content = edited(RELEASES, S, "delegations", value=value)
        assert () == metadata.parse(RELEASES, content).said(Targets).delegations
    assert {} == metadata.parse(RELEASES, edited(RELEASES, S, "targets", value=None)).body.targets


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(content=st.binary(max_size=200), role=st.sampled_from([*BODIES]))
def test_no_bytes_do_more_than_be_refused(content, role):
    with pytest.raises(SeawallError):
        metadata.parse(role, content)


@given(value=JSON, role=st.sampled_from([*BODIES]), data=st.data())
def test_no_json_in_any_place_does_more_than_be_refused(value, role, data):
    signed = build.to_json(BODIES[role])
    name = data.draw(st.sampled_from(sorted(signed)))
    content = edited(role, S, name, value=value)
    try:
        file = metadata.parse(role, content)
    except SeawallError:
        return
    assert file.signed_bytes == canonical.encode(json.loads(content)["signed"])


@given(value=JSON)
def test_canonical_json_says_what_it_was_given(value):
    text = canonical.encode(value).decode()
    assert value == json.loads(text, strict=False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [True, None]}, b'{"a":[true,null],"b":1}'),
        ('a"b\\c\n\u00e9', b'"a\\"b\\\\c\n\xc3\xa9"'),
        ({"\U0001f600": 1, "\uffff": 2}, b'{"\xef\xbf\xbf":2,"\xf0\x9f\x98\x80":1}'),
    ],
)
def test_canonical_json_of_known_values(value, expected):
    assert expected == canonical.encode(value)


def test_canonical_json_refuses_a_fraction():
    with pytest.raises(InvalidInputError):
        canonical.encode({"a": 1.5})


@pytest.mark.parametrize("text", ["root", "targets", "targets/a", "targets/a-b/c_1", "targets/-"])
def test_names_of_roles(text):
    assert text == Role.parse(text)


@pytest.mark.parametrize(
    "text",
    ["", "Root", "targets/", "targets//a", "targets/A", "targets/..", "targets/a/", "root/a",
     "targets/a.json", "targets/" + "a" * 255, "targets/a\n", "mirror"],
)  # fmt: skip
def test_refuses_names_that_are_no_roles(text):
    with pytest.raises(InvalidInputError):
        Role.parse(text)


def test_names_of_collections():
    gun = Gun.parse("localhost:5000/team/app")
    assert ("localhost:5000", "team/app") == (gun.host, gun.repository)
    for text in (
        "app",
        "team/app",
        "localhost:5000/App",
        "localhost:5000/app:1",
        "h.io/a/../b",
        "",
    ):
        with pytest.raises(InvalidInputError):
            Gun.parse(text)

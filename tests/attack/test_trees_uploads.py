"""Uploads to a tree by somebody who may push: what is forged, replayed or twisted is refused.

After each attempt the tree is, byte for byte, what it was.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from seawall.core.errors import NotFoundError
from seawall.oci.names import RepositoryName
from seawall.testing.publishing import Publisher, as_upload, target
from seawall.testing.signatures import new_key
from seawall.testing.tree_servers import ADA, GUN, HOST, TreeServer
from seawall.trust.errors import UpdateRefusedError
from seawall.trust.keys import PrivateKey
from seawall.trust.trees import Trees
from seawall.trust.tuf import build, canonical
from seawall.trust.tuf.build import TufSigner
from seawall.trust.tuf.model import RoleKeys, Root, Signature, Targets
from seawall.trust.tuf.names import RELEASES, ROOT, TARGETS, TIMESTAMP, Gun, Role

LIN, MAX = Role("targets/lin"), Role("targets/max")


@dataclass(slots=True, kw_only=True)
class Scene:
    """A tree with two signers, as docker makes it, and whoever attacks it."""

    server: TreeServer
    trees: Trees
    owner: Publisher
    lin: PrivateKey
    max: PrivateKey
    first: Mapping[str, bytes]

    def refuses(self, upload: Mapping[str, bytes], fault: str) -> str:
        """Check that nothing of `upload` is stored; return what is said."""
        before = {role: file.content for role, file in self.trees.files(GUN).items()}
        with pytest.raises(UpdateRefusedError) as caught:
            self.trees.publish(GUN, upload, actor=ADA)
        assert fault == caught.value.fault
        assert before == {role: file.content for role, file in self.trees.files(GUN).items()}
        return caught.value.message


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    server = TreeServer.in_folder(tmp_path)
    owner, lin, other = server.publisher(), new_key(), new_key()
    first = as_upload(
        owner.root(),
        owner.targets({}, signers={"lin": lin, "max": other}),
        owner.targets({"v1": "one"}, role=LIN, by=[lin]),
        owner.targets({"v1": "one"}, role=RELEASES, by=[lin]),
    )
    trees = server.trees()
    trees.publish(GUN, first, actor=ADA)
    yield Scene(server=server, trees=trees, owner=owner, lin=lin, max=other, first=first)
    server.database.close()


# -- replays


@pytest.mark.parametrize("role", ["targets", "targets/lin", "targets/releases"])
def test_refuses_a_file_that_was_uploaded_before(scene: Scene, role: str) -> None:
    old = scene.trees.current(GUN, Role(role)).content
    by = [scene.owner.targets_key] if role == "targets" else [scene.lin]
    signers = {"lin": scene.lin, "max": scene.max} if role == "targets" else None
    new = scene.owner.targets({"v1": "two"}, role=Role(role), by=by, signers=signers)
    scene.trees.publish(GUN, as_upload(new), actor=ADA)
    scene.refuses({role: old}, "version")


def test_refuses_the_whole_first_upload_again(scene: Scene) -> None:
    scene.refuses(scene.first, "version")


def test_refuses_another_file_under_the_stored_version(scene: Scene) -> None:
    scene.owner.versions[LIN] = 0
    scene.refuses(
        as_upload(scene.owner.targets({"v1": "evil"}, role=LIN, by=[scene.lin])), "version"
    )


def test_refuses_a_timestamp_from_outside(scene: Scene) -> None:
    scene.refuses({"timestamp": scene.trees.current(GUN, TIMESTAMP).content}, "role")


def test_refuses_a_version_that_has_left_the_tree(scene: Scene) -> None:
    """A role that was removed and added again does not begin anew."""
    owner = scene.owner
    old = scene.trees.current(GUN, LIN).content
    scene.trees.publish(GUN, as_upload(owner.targets({}, signers={"max": scene.max})), actor=ADA)
    again = owner.targets({}, signers={"lin": scene.lin, "max": scene.max})
    scene.trees.publish(GUN, as_upload(again), actor=ADA)
    scene.refuses({"targets/lin": old}, "version")


# -- roots


def test_refuses_a_root_by_strangers(scene: Scene) -> None:
    scene.owner.former_root, scene.owner.root_keys = [], [new_key()]
    scene.refuses(as_upload(scene.owner.root()), "ErrBadRoot")


def test_refuses_a_root_that_skips_a_version(scene: Scene) -> None:
    scene.owner.versions[ROOT] = 2
    scene.refuses(as_upload(scene.owner.root()), "ErrBadRoot")


def test_refuses_a_root_below_the_threshold_of_the_one_before(scene: Scene) -> None:
    owner = scene.owner
    owner.root_keys = [new_key(), new_key()]
    scene.trees.publish(GUN, as_upload(owner.root(threshold=2)), actor=ADA)
    owner.former_root, owner.root_keys = owner.former_root[:1], [new_key()]
    scene.refuses(as_upload(owner.root()), "ErrBadRoot")


def test_refuses_a_root_certified_for_another_name(scene: Scene) -> None:
    scene.owner.gun = Gun.of(HOST, RepositoryName("team/other"))
    scene.refuses(as_upload(scene.owner.root()), "ErrBadRoot")


def test_refuses_a_tree_copied_to_another_name(scene: Scene) -> None:
    other = Gun.of(HOST, RepositoryName("team/other"))
    for role in ("snapshot", "timestamp"):
        scene.trees.public_key(other, Role(role), actor=ADA)
    with pytest.raises(UpdateRefusedError) as caught:
        scene.trees.publish(other, scene.first, actor=ADA)
    assert "ErrBadRoot" == caught.value.fault
    with pytest.raises(NotFoundError):
        scene.trees.current(other, ROOT)


def forged_root(
    scene: Scene, also: Callable[[PrivateKey], TufSigner], *, threshold: int = 1
) -> dict[str, bytes]:
    """Return a next root that names one more root key, as `also` shows it; all have signed."""
    owner, extra = scene.owner, new_key()
    body = owner.root().said(Root)
    shown = also(extra)
    ids = (*body.roles[ROOT].key_ids, shown.key.key_id)
    changed = Root(
        version=body.version,
        expires=body.expires,
        keys={**body.keys, shown.key.key_id: shown.key},
        roles={**body.roles, ROOT: RoleKeys(key_ids=ids, threshold=threshold)},
    )
    old = owner.former_root
    before = scene.trees.current(GUN, ROOT).said(Root)
    first = owner.root_keys[0]
    stored = before.keys[before.roles[ROOT].key_ids[0]]
    signers = [*old, build.root_signer(first, build.certificate_der(stored)), shown]
    return as_upload(build.signed_file(ROOT, changed, signers))


def test_refuses_a_bare_root_key(scene: Scene) -> None:
    assert "no valid certificate" in scene.refuses(
        forged_root(scene, build.ecdsa_signer), "ErrBadRoot"
    )


def test_refuses_one_root_key_of_another_name_among_good_ones(scene: Scene) -> None:
    other = Gun.of(HOST, RepositoryName("team/other"))
    now = scene.server.clock.now()
    foreign = forged_root(
        scene, lambda key: build.root_signer(key, build.root_certificate(key, other, now))
    )
    scene.refuses(foreign, "ErrBadRoot")


@pytest.mark.parametrize("days", [-3660, 400])
def test_refuses_a_root_certificate_that_is_over_or_has_not_begun(scene: Scene, days: int) -> None:
    begin = scene.server.clock.now() + dt.timedelta(days=days)
    dated = forged_root(
        scene, lambda key: build.root_signer(key, build.root_certificate(key, GUN, begin))
    )
    scene.refuses(dated, "ErrBadRoot")


def test_refuses_one_key_in_two_certificates_for_a_threshold_of_two(scene: Scene) -> None:
    twice = scene.owner.root_keys[0]
    with pytest.raises(Exception, match="2 signatures of 1 different keys"):
        forged_root(scene, lambda _: scene.owner.root_signer(twice), threshold=2)


def test_refuses_a_timestamp_key_that_the_server_did_not_issue(scene: Scene) -> None:
    stolen = build.ecdsa_signer(new_key()).key
    scene.owner.server = {**scene.owner.server, TIMESTAMP: stolen}
    scene.refuses(as_upload(scene.owner.root()), "ErrBadRoot")


def test_refuses_a_root_that_leaves_the_targets_unsigned(scene: Scene) -> None:
    scene.owner.targets_key = new_key()
    scene.refuses(as_upload(scene.owner.root()), "ErrBadTargets")


# -- signers


def test_refuses_a_signer_in_a_role_that_is_not_theirs(scene: Scene) -> None:
    for role in (TARGETS, MAX):
        upload = as_upload(scene.owner.targets({"v1": "evil"}, role=role, by=[scene.lin]))
        scene.refuses(upload, "ErrBadTargets")
        scene.owner.versions[role] -= 1


def test_refuses_a_role_that_nobody_delegates_to(scene: Scene) -> None:
    role = Role("targets/eve")
    scene.refuses(
        as_upload(scene.owner.targets({"v1": "evil"}, role=role, by=[scene.lin])), "ErrBadTargets"
    )
    orphan = Role("targets/nobody/below")
    upload = as_upload(scene.owner.targets({"v1": "evil"}, role=orphan, by=[scene.lin]))
    scene.refuses(upload, "ErrBadHierarchy")


def test_refuses_a_removed_signer(scene: Scene) -> None:
    owner = scene.owner
    scene.trees.publish(GUN, as_upload(owner.targets({}, signers={"max": scene.max})), actor=ADA)
    for role in (LIN, RELEASES):
        upload = as_upload(owner.targets({"v1": "evil"}, role=role, by=[scene.lin]))
        scene.refuses(upload, "ErrBadTargets")


def test_refuses_a_tag_that_is_called_revoked_and_still_stands_in_targets(scene: Scene) -> None:
    """As `docker trust revoke` leaves it: the role that clients read next has the same digest."""
    owner, people = scene.owner, {"lin": scene.lin, "max": scene.max}
    scene.trees.publish(GUN, as_upload(owner.targets({"v1": "one"}, signers=people)), actor=ADA)
    half = [owner.targets({}, role=role, by=[scene.lin]) for role in (LIN, RELEASES)]
    assert "v1 would still stand in targets" in scene.refuses(as_upload(*half), "ErrBadTargets")
    whole = as_upload(*half, owner.targets({}, signers=people))
    scene.trees.publish(GUN, whole, actor=ADA)


def test_refuses_one_signature_where_two_must_sign(scene: Scene) -> None:
    owner, both = scene.owner, {"lin": scene.lin, "max": scene.max}
    scene.trees.publish(GUN, as_upload(owner.targets({}, signers=both, threshold=2)), actor=ADA)
    file = owner.targets({"v1": "two"}, role=RELEASES, by=[scene.lin])
    scene.refuses(as_upload(file), "ErrBadTargets")
    twice = json.loads(file.content)
    twice["signatures"] *= 2
    scene.refuses({"targets/releases": json.dumps(twice).encode()}, "ErrBadTargets")
    good = owner.targets({"v1": "two"}, role=RELEASES, by=[scene.lin, scene.max])
    scene.trees.publish(GUN, as_upload(good), actor=ADA)


@pytest.mark.parametrize(
    "name",
    [
        "targets/../root", "targets/Lin", "targets//lin", "targets/", "/targets", "targets/lin/",
        "targets/.", "root.json.json", "Root", "targets\x00", "targets/lin\n", "", "timestamp",
        "targets/" + "a" * 250, "tärgets", "snapshot/lin",
    ],
)  # fmt: skip
def test_refuses_names_that_are_no_roles(scene: Scene, name: str) -> None:
    scene.refuses({name: scene.first["targets/lin"]}, "role")


# -- mixing


def test_refuses_a_snapshot_of_other_files(tmp_path: Path) -> None:
    server = TreeServer.in_folder(tmp_path)
    owner, trees = server.publisher(keeps_snapshot=True), server.trees()
    root, old = owner.root(), owner.targets({"v1": "one"})
    trees.publish(GUN, as_upload(root, old, owner.snapshot(root, old)), actor=ADA)
    new = owner.targets({"v1": "two"})
    for upload in (
        as_upload(new, owner.snapshot(root, old)),  # new targets, old snapshot
        as_upload(owner.snapshot(root, new)),  # a snapshot of what is not there
        as_upload(new),  # no snapshot at all
    ):
        with pytest.raises(UpdateRefusedError):
            trees.publish(GUN, upload, actor=ADA)
    assert old.content == trees.current(GUN, TARGETS).content


def test_refuses_a_snapshot_that_leaves_out_a_signer(tmp_path: Path) -> None:
    server = TreeServer.in_folder(tmp_path)
    owner, trees, lin = server.publisher(keeps_snapshot=True), server.trees(), new_key()
    root, top = owner.root(), owner.targets({}, signers={"lin": lin})
    own = owner.targets({"v1": "one"}, role=LIN, by=[lin])
    trees.publish(GUN, as_upload(root, top, own, owner.snapshot(root, top, own)), actor=ADA)
    with pytest.raises(UpdateRefusedError, match="does not list targets/lin"):
        trees.publish(GUN, as_upload(owner.snapshot(root, top)), actor=ADA)


def test_refuses_a_file_of_one_role_under_the_name_of_another(scene: Scene) -> None:
    root = scene.first["root"]
    scene.refuses({"targets": root}, "ErrBadTargets")
    scene.refuses({"snapshot": root}, "ErrBadSnapshot")
    lin = scene.owner.targets({"v1": "evil"}, role=LIN, by=[scene.lin])
    scene.refuses({"targets/max": lin.content, "targets": lin.content}, "ErrBadTargets")


# -- time


@pytest.mark.parametrize("seconds", [0, -1, -86_400])
def test_refuses_what_has_expired(scene: Scene, seconds: int) -> None:
    over = scene.server.clock.now() + dt.timedelta(seconds=seconds)
    file = scene.owner.targets({"v1": "two"}, role=LIN, by=[scene.lin], expires=over)
    assert "expired" in scene.refuses(as_upload(file), "ErrBadTargets")


def test_refuses_what_would_never_expire(scene: Scene) -> None:
    for when in (dt.datetime(9999, 12, 31, tzinfo=dt.UTC), dt.datetime(2060, 1, 1, tzinfo=dt.UTC)):
        file = scene.owner.targets({"v1": "two"}, role=LIN, by=[scene.lin], expires=when)
        scene.refuses(as_upload(file), "ErrBadTargets")


# -- algorithms and bytes


def signed_with(scene: Scene, change: Callable[[Signature], Signature]) -> dict[str, bytes]:
    """Return a good file of lin's with its one signature changed."""
    file = scene.owner.targets({"v1": "two"}, role=LIN, by=[scene.lin])
    (signature,) = file.signatures
    document = json.loads(file.content)
    document["signatures"] = [change(signature).to_json()]
    return {"targets/lin": json.dumps(document).encode()}


@pytest.mark.parametrize("method", ["rsapss", "rsapkcs1v15", "eddsa", "none", "", "ecdsa-x509"])
def test_refuses_a_method_that_is_not_the_keys(scene: Scene, method: str) -> None:
    upload = signed_with(scene, lambda s: Signature(key_id=s.key_id, method=method, value=s.value))
    scene.refuses(upload, "ErrBadTargets")


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda raw: raw[:32], lambda raw: b"",
        lambda raw: bytes(64), lambda raw: bytes(32) + raw[32:], lambda raw: raw[32:] + raw[:32],
        lambda raw: b"\0" + raw[:32] + b"\0" + raw[32:],
    ],
)  # fmt: skip
def test_refuses_signatures_of_a_wrong_form(scene: Scene, change: Callable[[bytes], bytes]) -> None:
    upload = signed_with(
        scene, lambda s: Signature(key_id=s.key_id, method=s.method, value=change(s.value))
    )
    scene.refuses(upload, "ErrBadTargets")


def test_refuses_a_signature_under_the_id_of_another_key(scene: Scene) -> None:
    other = build.ecdsa_signer(scene.max).key.key_id
    upload = signed_with(scene, lambda s: Signature(key_id=other, method=s.method, value=s.value))
    scene.refuses(upload, "ErrBadTargets")


def test_refuses_a_key_under_an_id_that_is_not_its_own(scene: Scene) -> None:
    file = scene.owner.targets({}, signers={"lin": scene.lin})
    signed = json.loads(file.content)["signed"]
    keys = signed["delegations"]["keys"]
    ((key_id, _),) = keys.items()
    keys[key_id] = build.ecdsa_signer(new_key()).key.to_json()
    signature = build.ecdsa_signer(scene.owner.targets_key).sign(canonical.encode(signed))
    document = {"signed": signed, "signatures": [signature.to_json()]}
    scene.refuses({"targets": json.dumps(document).encode()}, "ErrBadTargets")


def test_refuses_a_short_rsa_key(scene: Scene) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    from cryptography.hazmat.primitives import serialization as s

    der = key.public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
    public = base64.b64encode(der).decode()
    entry = {"keytype": "rsa", "keyval": {"private": None, "public": public}}
    file = scene.owner.targets({}, signers={"lin": scene.lin})
    signed = json.loads(file.content)["signed"]
    signed["delegations"]["keys"] = {"a" * 64: entry}
    document = {"signed": signed, "signatures": []}
    scene.refuses({"targets": json.dumps(document).encode()}, "ErrBadTargets")


def twisted(scene: Scene) -> Iterator[tuple[str, bytes]]:
    good = scene.owner.targets({"v1": "two"}, role=LIN, by=[scene.lin]).content
    document = json.loads(good)
    yield "duplicate key", good.replace(b'"version":2', b'"version":2,"version":3')
    for value in ("2.0", '"2"', "true", "-1", "0", "9223372036854775808", "1e3", "null"):
        yield f"version {value}", good.replace(b'"version":2', f'"version":{value}'.encode())
    yield "no zone", good.replace(b"Z", b"", 1)
    yield "trailing", good + b"{}"
    yield "not UTF-8", good.replace(b"v1", b"v\xff")
    yield "lone surrogate", good.replace(b'"v1"', b'"\\ud800"')
    yield "two forms of a member", good.replace(b'"version"', b'"Version"')
    deep = '{"signed":' + "[" * 5000 + "]" * 5000 + ',"signatures":[]}'
    yield "deep", deep.encode()
    yield (
        "deep custom",
        json.dumps(
            {**document, "signed": {**document["signed"], "x": json.loads("[" * 20 + "]" * 20)}}
        ).encode(),
    )
    yield "no signatures", json.dumps({**document, "signatures": []}).encode()
    yield (
        "many signatures",
        json.dumps({**document, "signatures": document["signatures"] * 65}).encode(),
    )
    yield "an array", b"[]"
    yield "nothing", b""


def test_refuses_json_that_two_readers_could_read_in_two_ways(scene: Scene) -> None:
    for name, content in twisted(scene):
        assert scene.refuses({"targets/lin": content}, "ErrBadTargets"), name


def test_refuses_oversize(scene: Scene) -> None:
    big = {f"v{number:06}": "x" for number in range(60_000)}
    body = Targets(
        version=2,
        expires=scene.server.clock.now() + dt.timedelta(days=9),
        targets={name: target("x") for name in big},
    )
    signed = canonical.encode(build.to_json(body))
    signature = build.ecdsa_signer(scene.lin).sign(signed).to_json()
    listed = json.dumps([signature]).encode()
    content = b'{"signed":' + signed + b',"signatures":' + listed + b"}"
    padded = content + b" " * (9 * 1024 * 1024 - len(content))
    scene.refuses({"targets/lin": padded}, "ErrBadTargets")
    third = b" " * (6 * 1024 * 1024)
    whole = {f"targets/{name}": third for name in ("a", "b", "c")}
    scene.refuses(whole, "ErrValidation")
    scene.refuses({f"targets/r{number}": b"{}" for number in range(65)}, "ErrValidation")
    scene.refuses({}, "ErrValidation")

"""Trees by wrong keys: stolen, too few, of another repository, of the wrong kind."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from seawall.oci.names import RepositoryName, Tag
from seawall.testing import trees
from seawall.testing.signatures import new_key
from seawall.trust.tuf import build, canonical, chain, edits, metadata, rotations
from seawall.trust.tuf.chain import Tree
from seawall.trust.tuf.drafts import Keyring
from seawall.trust.tuf.keys import KeyType
from seawall.trust.tuf.model import RoleKeys, Root, Signature, Targets
from seawall.trust.tuf.names import RELEASES, ROOT, TARGETS, Gun, Role


def refusal(proof: chain.ChainProof) -> str:
    """Return the step that refused."""
    assert not proof.is_valid
    return proof.failures[-1].name


def test_refuses_a_tree_copied_to_another_repository_of_the_same_owner() -> None:
    lab = trees.simple()
    tree = lab.tree()
    other = dataclasses.replace(lab, gun=Gun.of("registry.test", RepositoryName("team/other")))
    by_fingerprint = chain.Pin(root_key_ids=lab.pin.root_key_ids)
    assert trees.prove(lab, tree, pin=by_fingerprint).is_valid
    assert "first root" == refusal(trees.prove(other, tree, pin=by_fingerprint))
    assert "root chain" == refusal(trees.prove(other, tree, pin=lab.pin))


def test_refuses_a_wild_card_that_fits_every_repository() -> None:
    lab = trees.TreeLab()
    lab.root(gun=Gun("*"))
    lab.publish(TARGETS, {"v1": "one"})
    assert "first root" == refusal(
        trees.prove(lab, lab.tree(), pin=chain.Pin(root_key_ids=lab.pin.root_key_ids))
    )


def test_refuses_a_root_by_a_stranger() -> None:
    lab, thief = trees.simple(), trees.simple({"v1": "evil"})
    assert "first root" == refusal(trees.prove(lab, thief.tree(), "v1", "evil", pin=lab.pin))
    by_fingerprint = chain.Pin(root_key_ids=lab.pin.root_key_ids)
    assert "first root" == refusal(trees.prove(lab, thief.tree(), "v1", "evil", pin=by_fingerprint))


def test_refuses_a_next_root_signed_by_its_own_keys_alone() -> None:
    lab = trees.simple()
    pin = lab.pin
    lab.root_keys = [new_key()]
    lab.root()
    assert "root chain" == refusal(trees.prove(lab, lab.tree(), pin=pin))


def test_refuses_a_next_root_signed_by_the_old_keys_alone() -> None:
    lab = trees.simple()
    pin, old = lab.pin, lab.old_root_signers()
    lab.root_keys = [new_key()]
    body = lab.root(also_by=old).said(Root)
    lab.roots[-1] = build.signed_file(ROOT, body, old)
    assert "root chain" == refusal(trees.prove(lab, lab.tree(), pin=pin))


@pytest.mark.parametrize("version", [1, 3, 2**60])
def test_refuses_a_root_version_that_does_not_follow(version: int) -> None:
    lab = trees.simple()
    pin = lab.pin
    lab.root(also_by=lab.old_root_signers(), version=version)
    assert not trees.prove(lab, lab.tree(), pin=pin).is_valid


def test_refuses_a_chain_with_a_root_left_out() -> None:
    lab = trees.simple()
    pin = lab.pin
    for _ in range(2):
        lab.root(also_by=lab.old_root_signers())
    tree = lab.tree()
    gap = dataclasses.replace(tree, roots=(tree.roots[0], tree.roots[2]))
    assert "root chain" == refusal(trees.prove(lab, gap, pin=pin))


def test_refuses_another_root_under_the_pinned_version() -> None:
    lab = trees.simple()
    pin = lab.pin
    lab.roots.clear()
    lab.root()
    assert "first root" == refusal(trees.prove(lab, lab.tree(), pin=pin))


def test_refuses_a_next_root_below_the_old_threshold() -> None:
    lab = trees.TreeLab(root_keys=[new_key(), new_key()])
    lab.root(threshold=2)
    lab.publish(TARGETS, {"v1": "one"})
    pin, one_of_two = lab.pin, lab.old_root_signers()[:1]
    lab.root_keys = [new_key()]
    lab.root(also_by=one_of_two)
    assert "root chain" == refusal(trees.prove(lab, lab.tree(), pin=pin))


def test_refuses_a_fingerprint_of_two_when_one_thief_lowers_the_threshold() -> None:
    lab = trees.TreeLab(root_keys=[new_key(), new_key()])
    lab.root(threshold=2)
    both = chain.Pin(root_key_ids=lab.pin.root_key_ids)
    thief = dataclasses.replace(lab, roots=[], files={})
    body = thief.root(threshold=1).said(Root)
    signer = lab.old_root_signers()[0]
    stolen = next(k for k in body.keys.values() if k.canonical_id == signer.key.canonical_id)
    thief.roots[-1] = build.signed_file(ROOT, body, [build.signer_as(stolen, lab.root_keys[0])])
    thief.publish(TARGETS, {"v1": "evil"})
    assert "first root" == refusal(trees.prove(thief, thief.tree(), "v1", "evil", pin=both))


def test_refuses_a_root_key_without_a_certificate() -> None:
    lab = trees.simple()
    bare = build.ecdsa_signer(lab.root_keys[0])
    said = lab.roots[0].said(Root)
    body = dataclasses.replace(
        said,
        keys={**said.keys, bare.key.key_id: bare.key},
        roles={**said.roles, ROOT: RoleKeys(key_ids=(bare.key.key_id,))},
    )
    lab.roots = [build.signed_file(ROOT, body, [bare])]
    pin = chain.Pin(root_key_ids=frozenset({bare.key.key_id}))
    assert "first root" == refusal(trees.prove(lab, lab.tree(), pin=pin))


@pytest.mark.parametrize("days", [-4000, 4000])
def test_refuses_a_certificate_outside_of_its_time(days: int) -> None:
    lab = trees.TreeLab()
    lab.now += dt.timedelta(days=days)
    lab.root(expires=trees.NOW + trees.YEAR)
    lab.now = trees.NOW
    lab.publish(TARGETS, {"v1": "one"})
    assert "root chain" == refusal(trees.prove(lab, lab.tree()))


def test_refuses_fewer_signatures_than_the_threshold() -> None:
    lab = trees.team("ada", "lin", threshold=2)
    assert trees.prove(lab, lab.tree()).is_valid
    lab.publish(RELEASES, {"v1": "evil"}, by=[lab.people["ada"]])
    proof = trees.prove(lab, lab.tree(), "v1", "evil")
    assert "delegations" == refusal(proof)
    assert "1 of 2 signatures" in proof.failures[0].detail


def test_refuses_two_signatures_of_one_key_as_two() -> None:
    lab = trees.team("ada", "lin", threshold=2)
    one = lab.people["ada"]
    file = lab.publish(RELEASES, {"v1": "evil"}, by=[one])
    twice = [build.ecdsa_signer(one).sign(file.signed_bytes) for _ in range(3)]
    lab.files[RELEASES] = metadata.parse(RELEASES, with_signatures(file.content, twice))
    assert "delegations" == refusal(trees.prove(lab, lab.tree(), "v1", "evil"))


def test_refuses_a_threshold_that_one_key_under_two_names_could_meet() -> None:
    lab = trees.TreeLab(root_keys=[new_key()])
    key = lab.root_keys[0]
    certified = [lab.root_signer(key), lab.root_signer(key)]
    assert certified[0].key.key_id != certified[1].key.key_id
    first = lab.root().said(Root)
    body = dataclasses.replace(
        first,
        keys={**first.keys, **{one.key.key_id: one.key for one in certified}},
        roles={
            **first.roles,
            ROOT: RoleKeys(key_ids=tuple(one.key.key_id for one in certified), threshold=2),
        },
    )
    content = canonical.encode(
        {
            "signed": build.to_json(body),
            "signatures": [
                one.sign(canonical.encode(build.to_json(body))).to_json() for one in certified
            ],
        }
    )
    lab.publish(TARGETS, {"v1": "one"})
    tree = dataclasses.replace(lab.tree(), roots=(content,))
    pin = chain.Pin(root_key_ids=lab.pin.root_key_ids)
    assert "first root" == refusal(trees.prove(lab, tree, pin=pin))


@pytest.mark.parametrize("role", [TARGETS, Role("targets/lin")])
def test_refuses_another_role_signed_with_a_stolen_signers_key(role: Role) -> None:
    lab = trees.team("ada", "lin")
    lab.publish(role, {"v2": "evil"}, by=[lab.people["ada"]])
    assert not trees.prove(lab, lab.tree(), "v2", "evil").is_valid


def test_refuses_targets_by_a_stolen_server_key() -> None:
    lab = trees.simple()
    file = lab.files[TARGETS]
    by_server = build.signed_file(TARGETS, file.body, [build.ed25519_signer(lab.snapshot_key)])
    lab.files[TARGETS] = by_server
    assert "targets" == refusal(trees.prove(lab, lab.tree()))


def removed(also_by_ada: bool) -> tuple[trees.TreeLab, Keyring]:
    """Return a tree from which lin was removed, with a tag that lin signed."""
    lab = trees.team("ada", "lin", tags={"v1": "one"})
    lab.publish(Role("targets/lin"), {"v1": "one", "v2": "two"}, by=[lab.people["lin"]])
    tags = {"v1": "one", "v2": "two"}
    lab.publish(RELEASES, tags, by=[lab.people["lin"]])
    if also_by_ada:  # what makes the tag live on with stock docker
        lab.publish(RELEASES, tags, by=[lab.people["ada"]])
    lab.publish(TARGETS, {}, delegations=lab.delegations("ada"))
    return lab, Keyring.of([lab.people["ada"], lab.targets_key])


def test_refuses_a_removed_signers_tag_that_another_signed_over() -> None:
    lab, _ = removed(also_by_ada=True)
    assert trees.prove(lab, lab.tree(), "v1", "one").is_valid
    proof = trees.prove(lab, lab.tree(), "v2", "two")
    assert "signers" == refusal(proof)
    assert "only a removed one did" in proof.failures[0].detail


def test_refuses_releases_that_only_the_removed_signer_signed() -> None:
    lab, _ = removed(also_by_ada=False)
    assert "delegations" == refusal(trees.prove(lab, lab.tree(), "v2", "two"))


def test_refuses_a_removed_signers_tag_after_somebody_signs_again() -> None:
    lab, keyring = removed(also_by_ada=True)
    upload = edits.set_tag(lab.current(), keyring, Tag("v3"), trees.target("three"), lab.now)
    lab.accept(upload.files)
    assert trees.prove(lab, lab.tree(), "v3", "three").is_valid
    assert "signers" == refusal(trees.prove(lab, lab.tree(), "v2", "two"))


def test_refuses_vouchers_that_a_removed_signer_declared_below_releases() -> None:
    lab, _ = removed(also_by_ada=True)
    child = Role("targets/releases/mine")
    lin = build.ecdsa_signer(lab.people["lin"])
    body = dataclasses.replace(
        lab.files[RELEASES].said(Targets),
        keys={lin.key.key_id: lin.key},
        delegations=(trees.delegation(child, lin.key.key_id),),
    )
    lab.files[RELEASES] = build.signed_file(RELEASES, body, [build.ecdsa_signer(lab.people["ada"])])
    lab.publish(child, {"v2": "two"}, by=[lab.people["lin"]])
    assert "signers" == refusal(trees.prove(lab, lab.tree(), "v2", "two"))


def test_refuses_a_revoked_tag() -> None:
    lab = trees.team("ada", tags={"v1": "one"})
    keyring = Keyring.of([lab.people["ada"], lab.targets_key])
    lab.accept(edits.revoke(lab.current(), keyring, Tag("v1"), lab.now).files)
    assert "tag" == refusal(trees.prove(lab, lab.tree(), "v1", "one"))


@pytest.mark.parametrize("method", ["eddsa", "rsapss", "rsapkcs1v15", "ECDSA", "none", ""])
def test_refuses_a_method_that_does_not_fit_the_key(method: str) -> None:
    lab = trees.simple()
    file = lab.files[TARGETS]
    wrong = [dataclasses.replace(one, method=method) for one in file.signatures]
    lab.files[TARGETS] = metadata.parse(TARGETS, with_signatures(file.content, wrong))
    assert "targets" == refusal(trees.prove(lab, lab.tree()))


@pytest.mark.parametrize("form", ["der", "short", "long", "zero"])
def test_refuses_a_signature_in_another_form(form: str) -> None:
    lab = trees.simple()
    file, key = lab.files[TARGETS], lab.targets_key
    raw = file.signatures[0].value
    value = {
        "der": key.sign(file.signed_bytes),
        "short": raw[:-1],
        "long": b"\0" + raw,
        "zero": bytes(64),
    }[form]
    wrong = [dataclasses.replace(file.signatures[0], value=value)]
    lab.files[TARGETS] = metadata.parse(TARGETS, with_signatures(file.content, wrong))
    assert "targets" == refusal(trees.prove(lab, lab.tree()))


def test_refuses_a_signature_under_another_keys_id() -> None:
    lab = trees.simple()
    file, thief = lab.files[TARGETS], new_key()
    forged = build.ecdsa_signer(thief).sign(file.signed_bytes)
    wrong = [dataclasses.replace(forged, key_id=file.signatures[0].key_id)]
    lab.files[TARGETS] = metadata.parse(TARGETS, with_signatures(file.content, wrong))
    assert "targets" == refusal(trees.prove(lab, lab.tree()))


def test_refuses_a_key_of_one_kind_under_the_name_of_another() -> None:
    lab = trees.simple()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    document = json.loads(lab.roots[0].content)
    keys = document["signed"]["keys"]
    named = document["signed"]["roles"]["targets"]["keyids"][0]
    keys[named] = {
        "keytype": str(KeyType.ECDSA),
        "keyval": {"private": None, "public": base64.b64encode(der).decode()},
    }
    tree = dataclasses.replace(lab.tree(), roots=(canonical.encode(document),))
    pin = chain.Pin(root_key_ids=lab.pin.root_key_ids)
    assert "first root" == refusal(trees.prove(lab, tree, pin=pin))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b'{"signed":' * 1000 + b"1" + b"}" * 1000,
        b'{"signed":{},"signed":{},"signatures":[]}',
        b'{"signatures":[],"signed":{"_type":"Timestamp","version":1e3}}',
        b" " * (9 * 1024 * 1024),
    ],
    ids=["empty", "nothing", "deep", "nested", "doubled", "float", "huge"],
)  # fmt: skip
def test_refuses_files_that_no_parser_should_believe(content: bytes) -> None:
    lab = trees.simple()
    tree = lab.tree()
    pin = chain.Pin(root_key_ids=lab.pin.root_key_ids)
    for wrong in (
        dataclasses.replace(tree, roots=(content,)),
        dataclasses.replace(tree, timestamp=content),
        dataclasses.replace(tree, snapshot=content),
        dataclasses.replace(tree, targets={TARGETS: content}),
    ):
        assert not trees.prove(lab, wrong, pin=pin).is_valid


def test_refuses_more_roots_than_anybody_has() -> None:
    lab = trees.simple()
    tree = lab.tree()
    many = dataclasses.replace(tree, roots=tree.roots * 1025)
    assert "first root" == refusal(trees.prove(lab, many))


def test_refuses_to_begin_with_no_root_at_all() -> None:
    lab = trees.simple()
    empty = Tree(roots=(), timestamp=b"", snapshot=b"", targets={})
    assert "first root" == refusal(trees.prove(lab, empty))


def test_refuses_a_rotation_by_somebody_without_a_root_key() -> None:
    lab = trees.simple()
    pin = lab.pin
    thief = Keyring.of([lab.targets_key])
    upload = rotations.rotate_root(lab.current(), thief, [new_key()], lab.now, threshold=1)
    assert {} == upload.files
    (draft,) = upload.pending
    lab.accept({ROOT: draft.file.content})
    assert "root chain" == refusal(trees.prove(lab, lab.tree(), pin=pin))


def with_signatures(content: bytes, signatures: list[Signature]) -> bytes:
    """Return a file with these signatures in place of its own."""
    document = json.loads(content)
    document["signatures"] = [one.to_json() for one in signatures]
    return canonical.encode(document)

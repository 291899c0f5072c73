"""Moves a repository's trust data and signatures here: looks, explains, and on request does it.

The I/O that stands around `trust.migration`. Everything is proven before it is brought over and
again afterwards, at the place where it then stands; doing it again goes on where it was.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from seawall.cli import copied_signatures, image_signatures, notary_source, pin_files
from seawall.cli.copied_signatures import Copied, Place
from seawall.cli.registry_client import RegistryClient
from seawall.cli.trees_client import TreesClient
from seawall.core import strictjson
from seawall.core.errors import InvalidInputError, LimitError, NotFoundError, SeawallError
from seawall.oci.digest import Digest
from seawall.oci.names import Tag
from seawall.trust import migration, proof
from seawall.trust.adoption import Adoption
from seawall.trust.migration import ServerRoleKeys, Source, Way
from seawall.trust.model import TrustedKey, UnverifiedSignature
from seawall.trust.signing import Signer
from seawall.trust.tuf import chain, metadata, roots
from seawall.trust.tuf.chain import Pin
from seawall.trust.tuf.names import ROOT, SNAPSHOT, TIMESTAMP, Gun

if TYPE_CHECKING:
    from pathlib import Path

    from seawall.app.rooms import House
    from seawall.core.actor import Actor

MAX_TAGS: Final = 1_000
"""Of the source's registry, looked at in one go."""
TAG_LIST_MAX_BYTES: Final = 1024 * 1024

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One tag: where it verifies before and after. None: cannot be told."""

    tag: Tag
    digest: Digest
    is_image_there: bool
    before: dict[str, bool | None]
    after: dict[str, bool | None]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What was found, and what will verify where."""

    way: Way
    source: Source | None
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was brought over."""

    published: tuple[str, ...] = ()
    copied: tuple[Copied, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One repository on its way. `old_registry` is None when signatures are left aside."""

    old: Gun
    new: Gun
    notary: RegistryClient | None
    old_registry: RegistryClient | None
    new_registry: RegistryClient
    keys: Sequence[TrustedKey]
    """Whose signatures are looked for."""
    now: dt.datetime
    progress: Progress = field(default=lambda what, done, total: None)

    @property
    def way(self) -> Way:
        return Way.SAME_NAME if self.old == self.new else Way.ANOTHER_NAME

    def showing(self, progress: Progress) -> Migration:
        """Return the same, with somebody to tell how far it is."""
        return replace(self, progress=progress)

    def examine(self, pin: Pin | None, *, unsafe_first_use: bool) -> Source | None:
        """Fetch and prove the tree; None when it is left aside."""
        if self.notary is None:
            return None
        tree = notary_source.fetch(self.notary, self.old)
        return migration.examine(
            self.old,
            tree,
            pin,
            self.now,
            unsafe_first_use=unsafe_first_use,
            on_tag=lambda done, total: self.progress("proving tags", done, total),
        )

    def explain(self, source: Source | None) -> Explained:
        """Say for each tag what verifies where, before and after."""
        listed = {one.tag: one.digest for one in source.tags} if source else {}
        signed = self._tags_of_registry()
        rows = []
        for number, tag in enumerate(sorted({*listed, *signed}), 1):
            digest = listed.get(tag) or signed[tag]
            rows.append(self._row(tag, digest, is_in_tree=tag in listed))
            self.progress("looking at tags", number, len({*listed, *signed}))
        return Explained(way=self.way, source=source, rows=tuple(rows), notes=_notes(source))

    def publish(self, source: Source, signers: Sequence[Signer], pins: Path) -> Done:
        """Publish the tree under its other name, and prove it there. Raises ConflictError …"""
        trees = TreesClient(self.new_registry, self.new)
        there = trees.fetch(None)
        if there is not None:
            files = migration.missing(migration.without_root(source, self.now), source, there)
        else:
            server = ServerRoleKeys(
                snapshot=trees.server_key(SNAPSHOT), timestamp=trees.server_key(TIMESTAMP)
            )
            files = migration.bring(source, self.new, signers, server, self.now).files
            root = metadata.parse(ROOT, files[ROOT])
            pin = Pin(root_key_ids=roots.key_ids(root), root=root.content)
            pin_files.replace(pins, self.new, pin)
        if files:
            trees.publish(files)
        self._prove(source, pin_files.read(pins, self.new))
        return Done(published=tuple(map(str, files)))

    def adopt(self, source: Source, signers: Sequence[Signer], house: House, actor: Actor) -> Done:
        """Take the tree over under the same name, in this machine's installation."""
        from seawall.trust.server_keys import ServerKeys

        trees = house.trees
        server = ServerRoleKeys(
            snapshot=trees.public_key(self.new, SNAPSHOT, actor=actor),
            timestamp=trees.public_key(self.new, TIMESTAMP, actor=actor),
        )
        brought = migration.bring(source, self.new, signers, server, self.now)
        adoption = Adoption(
            database=house.database,
            clock=house.clock,
            keys=ServerKeys.open(house.settings.keys),
            trees=trees,
        )
        is_new = adoption.adopt(self.new, source.tree, brought.files, actor=actor)
        proven = chain.prove(
            None, None, gun=self.new, tree=trees.tree(self.new), pin=source.pin, now=self.now
        )
        _require(proven, self.new)
        return Done(published=tuple(map(str, brought.files)) if is_new else ())

    def copy_signatures(self, rows: Sequence[Row]) -> Done:
        """Copy what stands beside each image that is there already."""
        if self.old_registry is None:
            return Done()
        source = Place(client=self.old_registry, repository=self.old.repository)
        target = Place(client=self.new_registry, repository=self.new.repository)
        digests = list(dict.fromkeys(row.digest for row in rows if row.is_image_there))
        copied: list[Copied] = []
        for number, digest in enumerate(digests, 1):
            copied += copied_signatures.copy(source, target, digest)
            self.progress("copying signatures", number, len(digests))
        return Done(copied=tuple(copied))

    def _tags_of_registry(self) -> dict[Tag, Digest]:
        if self.old_registry is None:
            return {}
        found = {}
        for tag in _tag_list(self.old_registry, self.old):
            manifest = self.old_registry.find_manifest(self.old.repository, tag)
            if manifest is not None:
                found[tag] = manifest.digest
        return found

    def _row(self, tag: Tag, digest: Digest, *, is_in_tree: bool) -> Row:
        is_there = self.new_registry.find_manifest(self.new.repository, digest) is not None
        before, after, notes = self._signatures(tag, digest)
        if not is_there:
            notes = (f"copy the image first, with its digest: {self.new}@{digest.short}", *notes)
        for view in ("docker", "notary"):
            before[view] = is_in_tree if self.notary is not None else None
            after[view] = before[view] and is_there
        tree = after["docker"] is True
        after["seawall"] = True if tree else after["seawall"]
        before["seawall"] = True if is_in_tree else before["seawall"]
        return Row(
            tag=tag,
            digest=digest,
            is_image_there=is_there,
            before=before,
            after=after if is_there else dict.fromkeys(after, False),
            notes=notes,
        )

    def _signatures(
        self, tag: Tag, digest: Digest
    ) -> tuple[dict[str, bool | None], dict[str, bool | None], tuple[str, ...]]:
        """Prove what signatures there are, under the old name and under the new one.

        Stock cosign and notation hold a signature against the digest alone, so what verifies under
        the old name verifies after copying; Seawall and skopeo look at the name in it too.
        """
        nothing: dict[str, bool | None] = dict.fromkeys(("cosign", "notation", "seawall"))
        if self.old_registry is None or not self.keys:
            return dict(nothing), dict(nothing), ()
        artifacts = image_signatures.collect(
            self.old_registry, self.old.repository, digest
        ).artifacts
        old = self._proof(self.old, tag, digest, artifacts)
        new = self._proof(self.new, tag, digest, artifacts)
        formats = {one.format.value.partition("-")[0] for one in old.signatures}
        before: dict[str, bool | None] = {
            "cosign": bool(formats & {"cosign", "sigstore"}),
            "notation": "notation" in formats,
            "seawall": old.is_valid,
        }
        notes = () if new.is_valid or not old.is_valid else (_names_old(self.old, self.new, tag),)
        return before, {**before, "seawall": new.is_valid}, notes

    def _proof(
        self,
        gun: Gun,
        tag: Tag,
        digest: Digest,
        artifacts: Sequence[UnverifiedSignature],
    ) -> proof.Proof:
        return proof.verify(
            digest,
            repository=gun.repository,
            tag=tag,
            artifacts=artifacts,
            keys=self.keys,
            now=self.now,
            hosts=frozenset({gun.host}),
        )

    def _prove(self, source: Source, pin: Pin | None) -> None:
        """Fetch what stands there now, and hold every tag against the source."""
        tree = TreesClient(self.new_registry, self.new).fetch(pin)
        for one in source.tags:
            proven = chain.prove(
                one.tag, one.digest, gun=self.new, tree=tree, pin=pin, now=self.now
            )
            _require(proven, self.new)


def _require(proven: chain.ChainProof, gun: Gun) -> None:
    if not proven.is_valid:
        failed = proven.failures[-1]
        raise InvalidInputError(
            f"what stands there now does not hold for {gun}, step {failed.number}"
            f" ({failed.name}): {failed.detail}",
            remedy=proven.remedy,
        )


def _tag_list(registry: RegistryClient, gun: Gun) -> list[Tag]:
    """Return the tags of images. Raises LimitError when there are too many."""
    path = f"/v2/{gun.repository}/tags/list?n={MAX_TAGS + 1}"
    scope = f"repository:{gun.repository}:pull"
    try:
        content = registry.exchange("GET", path, scope=scope, max_bytes=TAG_LIST_MAX_BYTES)
    except NotFoundError:
        return []
    listed = strictjson.decode_object(content, max_bytes=TAG_LIST_MAX_BYTES).get("tags") or []
    if not isinstance(listed, list):
        raise InvalidInputError(f"the list of tags of {gun} is no list")
    if len(listed) > MAX_TAGS:
        raise LimitError(f"more than {MAX_TAGS} tags", remedy="leave signatures aside: --only tree")
    return [tag for one in listed if (tag := _image_tag(one)) is not None]


def _image_tag(text: object) -> Tag | None:
    """Return the tag; None for one that holds signatures, or is none."""
    if not isinstance(text, str) or text.startswith(("sha256-", "sha512-")):
        return None
    try:
        return Tag.parse(text)
    except SeawallError:
        return None


def _notes(source: Source | None) -> tuple[str, ...]:
    if source is None:
        return ()
    return tuple(f"{name} does not hold at the source: {why}" for name, why in source.unproven)


def _names_old(old: Gun, new: Gun, tag: Tag) -> str:
    return f"its signature names {old}, so it binds nothing here: seawall sign {new}:{tag}"

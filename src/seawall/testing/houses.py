"""A whole house in one process, without an engine: push, scan, sign, and look at its pages."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seawall import audit, config
from seawall.app import databases, processes, rooms, setup
from seawall.config import Home, Options, Settings
from seawall.core import actor as actors
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import NotFoundError
from seawall.core.reason import Refusal
from seawall.core.strictjson import Json
from seawall.engine.model import Admitted
from seawall.flows.transparency import Submission
from seawall.identity.model import Action
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference, RepositoryName, Tag
from seawall.store import migrate
from seawall.testing import images, signatures
from seawall.testing.executables import elf
from seawall.testing.images import Image
from seawall.trust import cosign
from seawall.trust.attestations import plan, statement
from seawall.trust.keys import PrivateKey, PublicKey
from seawall.trust.log import entries
from seawall.web import views
from seawall.web.ports import Viewer
from seawall.web.reading import HousePages

OPERATOR = actors.operator("root")
ADA = Viewer(actor=actors.user("ada"), is_administrator=True)
LIN = Viewer(actor=actors.user("lin"), is_administrator=False)
CI = actors.user("ci")
LIN_PHRASE = "staple horse battery"
SHOP, OTHER = RepositoryName("shop/app"), RepositoryName("other/app")
SITE = "usr/local/lib/python3/dist-packages"
EVERYTHING = views.ListQuery()
WHOLE = views.ImageQuery()


def dist(name: str, version: str) -> bytes:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()


def image(*, pillow: str = "9.0", has_python: bool = False) -> Image:
    """Make an image with two packages; with Python, that is what it starts."""
    os_release = b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n'
    status = (
        b"Package: openssl\nStatus: install ok installed\nArchitecture: amd64\n"
        b"Version: 3.0.11-1~deb12u2\n\n"
    )
    base = images.layer({"etc/os-release": os_release, "var/lib/dpkg/status": status})
    site = images.layer({f"{SITE}/pillow-{pillow}.dist-info/METADATA": dist("pillow", pillow)})
    if not has_python:
        return images.image(base, site)
    program = images.layer({"usr/bin/python3": elf({".text": bytes(64)})})
    return images.image(base, site, program, command=("python3", "-m", "app"))


def osv(ident: str, ecosystem: str, package: str, fixed: str, severity: str) -> str:
    record = {
        "id": ident,
        "summary": f"a hole in {package}",
        "affected": [
            {
                "package": {"ecosystem": ecosystem, "name": package},
                "ranges": [
                    {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}
                ],
            }
        ],
        "severity": [{"type": "CVSS_V3", "score": severity}],
    }
    return json.dumps(record)


CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
MEDIUM = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A house with what tests do to it."""

    house: rooms.House
    pages: HousePages
    directory: Path

    @classmethod
    @contextlib.contextmanager
    def opened(
        cls,
        directory: Path,
        clock: Clock = rooms.SYSTEM_CLOCK,
        *,
        database_url: str = "",
        port: int = 5443,
    ) -> Iterator[Stage]:
        """Build a house over `directory`: no engine, and a user who may pull `other/*`.

        Its database is a file there, or the one at `database_url`; images are named by `port`.
        """
        home = Home(
            keys=directory / "keys",
            pins=directory / "pins",
            docker=directory / "docker",
            login="root",
        )
        options = Options(database=config.Database(url=database_url), web=config.Web(port=port))
        settings = Settings(state=directory / "state", options=options, home=home)
        setup.make_directories(settings)
        databases.import_tables()
        database = databases.open_database(settings)
        try:
            migrate.migrate(database)
            house = rooms.House.build(settings, database, clock)
            house.users.create("lin", LIN_PHRASE, actor=OPERATOR)
            house.grants.grant("lin", "other/*", [Action.PULL], actor=OPERATOR)
            pages = replace(processes.house_pages(house), find_engine=lambda: None)
            yield cls(house=house, pages=pages, directory=directory)
        finally:
            database.close()

    def restarted(self) -> Stage:
        """Return the same house as a new process sees it: with nothing in its memory."""
        house = rooms.House.build(self.house.settings, self.house.database, self.house.clock)
        pages = replace(processes.house_pages(house), find_engine=lambda: None)
        return replace(self, house=house, pages=pages)

    def with_signed_shop(self) -> Stage:
        """Import advisories, push an app with a critical hole, sign and scan it."""
        key = signatures.new_key()
        self.import_feeds()
        self.trust(key)
        self.push(SHOP, image(), "1", "latest")
        self.sign(key, SHOP, image(), "1")
        self.work()
        return self

    def push(self, repository: RepositoryName, made: Image, *tags: str) -> Digest:
        registry = self.house.registry
        for one in images.walk(made):
            for digest, content in one.blobs.items():
                incoming = registry.uploads.whole(repository)
                incoming.write(content)
                incoming.finish(digest)
            is_top = one is made
            registry.put_manifest(
                repository,
                content=one.manifest,
                content_type=one.media_type,
                tags=[Tag(tag) for tag in tags] if is_top else [],
                actor=CI,
            )
        return made.digest

    def work(self) -> None:
        """Do what a worker does until nothing is left."""
        clockwork = processes.duties(self.house)
        clockwork.start()
        worker = processes.worker(self.house, clockwork, owner="test")
        while worker.step():
            pass

    def import_feeds(self) -> None:
        for name, line in (
            ("PyPI", osv("PYSEC-2026-1", "PyPI", "pillow", "10.0", CRITICAL)),
            ("Debian", osv("DSA-1-1", "Debian:12", "openssl", "3.0.17-1~deb12u3", MEDIUM)),
        ):
            path = self.directory / f"{name}.jsonl"
            path.write_text(f"{line}\n")
            self.house.advisories.import_file(path, actor=OPERATOR)

    def trust(
        self, key: PrivateKey, name: str = "release", patterns: Sequence[str] = ("**",)
    ) -> None:
        keys = self.house.trusted_keys
        keys.trust(key.public.pem, name=name, patterns=patterns, actor=OPERATOR)

    def with_clean_shop(self) -> Stage:
        """Push, sign and scan an image that may run: `shop/app:1`."""
        self.import_feeds()
        key, made = signatures.new_key(), image(pillow="11.0")
        self.trust(key)
        self.push(SHOP, made, "1")
        self.sign(key, SHOP, made, "1")
        self.work()
        return self

    def may_run(self, name: str, actor: Actor = OPERATOR) -> Admitted | Refusal:
        """Ask as the gate does for an image of this house, `repository:tag` or `…@digest`."""
        host = self.house.settings.registry_hosts[0]
        return self.house.admission.may_run(f"{host}/{name}", actor=actor)

    def events(self, kind: str) -> list[audit.Entry]:
        """Return what the log holds of one kind, oldest first."""
        with self.house.database.read() as connection:
            return list(audit.read(connection, only=audit.Filter(kinds=(kind,))))

    def sign(
        self,
        key: PrivateKey,
        repository: RepositoryName,
        made: Image,
        tag: str,
        *,
        into: RepositoryName | None = None,
    ) -> None:
        """Sign an image of `repository`; the signature can be pushed `into` another."""
        host = self.house.settings.registry_hosts[0]
        reference = Reference.parse(f"{host}/{repository}:{tag}")
        uploads = cosign.plan(_descriptor(made), reference, key, self.house.clock.now())
        self.push_uploads(into or repository, uploads)

    def sign_into_the_log(
        self, key: PrivateKey, repository: RepositoryName, made: Image, tag: str
    ) -> None:
        """Sign as `seawall sign` does, the bundle with the log's proof in it."""
        host = self.house.settings.registry_hosts[0]

        def enter(envelope: dict[str, Json], signer: PublicKey) -> list[Json]:
            asked = Submission(
                repository=repository,
                tag=Tag(tag),
                envelope=entries.parse_envelope(envelope),
                signer=signer,
            )
            logged, _ = self.house.logging.submit(asked, actor=CI)
            return [logged.to_bundle_json()]

        reference, now = Reference.parse(f"{host}/{repository}:{tag}"), self.house.clock.now()
        uploads = cosign.plan(_descriptor(made), reference, key, now, log=enter)
        self.push_uploads(repository, uploads)

    def attest(
        self,
        key: PrivateKey,
        repository: RepositoryName,
        made: Image,
        predicate_type: str,
        predicate: Json,
        *,
        into: RepositoryName | None = None,
    ) -> None:
        """Attest something of an image in both forms; it can be pushed `into` another place."""
        host, now = self.house.settings.registry_hosts[0], self.house.clock.now()
        reference = Reference.parse(f"{host}/{repository}")
        payload = statement.build(made.digest, reference, predicate_type, predicate, now)
        signed = plan.sign(payload, predicate_type, key)
        place = into or repository
        behind: bytes | None = None
        with contextlib.suppress(NotFoundError):
            tag = plan.attestation_tag(made.digest)
            behind = self.house.registry.manifest_by_target(place, tag).content
        self.push_uploads(place, plan.for_tag(made.digest, signed, behind))
        self.push_uploads(place, plan.for_bundle(_descriptor(made), signed, now))

    def push_uploads(self, place: RepositoryName, uploads: Sequence[cosign.Upload]) -> None:
        """Push what a plan of signatures says."""
        for upload in uploads:
            if isinstance(upload, cosign.BlobUpload):
                incoming = self.house.registry.uploads.whole(place)
                incoming.write(upload.content)
                incoming.finish(upload.digest)
            else:
                self.house.registry.put_manifest(
                    place,
                    content=upload.content,
                    content_type=upload.media_type,
                    tags=[upload.tag] if upload.tag else [],
                    actor=CI,
                )

    def row(self, name: str, viewer: Viewer = ADA) -> views.Image:
        rows = self.pages.overview(viewer, EVERYTHING).images.rows
        return next(row for row in rows if f"{row.repository}:{row.tag}" == name)

    def page(self, target: str, query: views.ImageQuery = WHOLE) -> views.ImagePage:
        page = self.pages.image(ADA, SHOP, target, query)
        assert page is not None
        return page


def _descriptor(made: Image) -> Descriptor:
    return Descriptor(media_type=made.media_type, digest=made.digest, size=len(made.manifest))

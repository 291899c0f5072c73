"""The inventory says what a container of the image would see, and which layer brought it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from seawall.core.errors import NotFoundError
from seawall.oci import media
from seawall.scan import inventory, inventory_facts
from seawall.scan.image_source import LayerSource
from seawall.scan.inventory_layer import facts_of
from seawall.scan.inventory_paths import resolve
from seawall.scan.model import Component, Inventory, NoticeKind
from seawall.testing import rpm_databases
from seawall.testing.executables import elf
from seawall.testing.images import Entry, Files, source

STATUS = "var/lib/dpkg/status"
SITE = "usr/lib/python3/dist-packages"
DIRECTORY = Entry(kind=tarfile.DIRTYPE)


def link(target: str) -> Entry:
    return Entry(link=target, kind=tarfile.SYMTYPE)


def hard(target: str) -> Entry:
    return Entry(link=target, kind=tarfile.LNKTYPE)


def status(**versions: str) -> bytes:
    return b"".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\n"
        f"Version: {version}\n\n".encode()
        for name, version in versions.items()
    )


def metadata(name: str, version: str, rest: str = "") -> bytes:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n{rest}".encode()


def take(*layers: Files, config: bytes | None = None) -> Inventory:
    return inventory.take([source(files) for files in layers], config)


def names(found: Inventory) -> list[tuple[str, str, int]]:
    return [(c.name, c.version, c.layer_index) for c in found.components]


def one(found: Inventory, name: str) -> Component:
    (component,) = (c for c in found.components if c.name == name)
    return component


def test_a_package_belongs_to_the_layer_that_first_brought_this_version() -> None:
    found = take(
        {STATUS: status(a="1", b="1")},
        {STATUS: status(a="1", b="2", c="1")},
        {STATUS: status(a="1", b="2", c="1", d="1")},
    )
    assert [("a", "1", 0), ("b", "2", 1), ("c", "1", 1), ("d", "1", 2)] == names(found)
    assert found.components[3].layer == found.layers[2].digest


def test_a_package_that_was_away_belongs_to_the_layer_that_brought_it_back() -> None:
    found = take({STATUS: status(a="1")}, {STATUS: status()}, {STATUS: status(a="1")})
    assert [("a", "1", 2)] == names(found)


def test_the_same_layer_twice_is_read_once_and_counts_twice() -> None:
    found = take({STATUS: status(a="1")}, {STATUS: status()}, {STATUS: status(a="1")})
    assert found.layers[0].digest == found.layers[2].digest


def test_whiteouts_hide_lower_layers_only_wherever_they_stand() -> None:
    below = {f"{SITE}/a-1.dist-info/METADATA": metadata("a", "1")}
    for upper in (
        {f"{SITE}/.wh.a-1.dist-info": b"", f"{SITE}/a-2.dist-info/METADATA": metadata("a", "2")},
        {f"{SITE}/a-2.dist-info/METADATA": metadata("a", "2"), f"{SITE}/.wh.a-1.dist-info": b""},
    ):
        assert [("a", "2", 1)] == names(take(below, upper))
    again = {
        f"{SITE}/.wh.a-1.dist-info": b"",
        f"{SITE}/a-1.dist-info/METADATA": metadata("a", "1"),
    }
    assert [("a", "1", 0)] == names(take(below, again))


@pytest.mark.parametrize("order", [1, -1])
def test_an_opaque_directory_keeps_the_siblings_of_its_own_layer(order: int) -> None:
    below = {f"{SITE}/a-1.dist-info/METADATA": metadata("a", "1"), STATUS: status(d="1")}
    upper: Files = dict(
        [
            (f"{SITE}/.wh..wh..opq", b""),
            (f"{SITE}/b-1.dist-info/METADATA", metadata("b", "1")),
        ][::order]
    )
    assert [("d", "1", 0), ("b", "1", 1)] == names(take(below, upper))


def test_a_whiteout_of_the_root_s_children_hides_everything_below() -> None:
    assert [] == names(take({STATUS: status(a="1")}, {".wh.var": b""}))
    assert [] == names(take({STATUS: status(a="1")}, {".wh..wh..opq": b""}))


def test_a_file_replaces_a_directory_with_all_it_holds() -> None:
    below = {f"{SITE}/a-1.dist-info/METADATA": metadata("a", "1")}
    assert [] == names(take(below, {SITE: b"a file now"}))
    assert [] == names(take(below, {"usr/lib": link("/elsewhere")}))
    assert [] == names(take({**below, SITE: b"in the same layer"}))


def test_a_directory_replaces_a_file() -> None:
    below = {f"{SITE}/a-1.egg-info": metadata("a", "1")}
    assert [] == names(take(below, {f"{SITE}/a-1.egg-info": DIRECTORY}))


def test_the_last_of_two_entries_in_a_layer_wins() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for content in (status(a="1"), status(a="2")):
            info = tarfile.TarInfo(STATUS)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    plain = buffer.getvalue()
    layers = [
        LayerSource(
            digest=f"sha256:{'0' * 64}",
            media_type=media.OCI_LAYER,
            size=len(plain),
            open=lambda: io.BytesIO(plain),
        )
    ]
    assert [("a", "2", 0)] == names(inventory.take(layers, None))


def test_hard_links_bring_their_content_also_without_their_first_name() -> None:
    path = f"{SITE}/a-1.dist-info/METADATA"
    found = take(
        {
            "cache/a.dist-info/METADATA": metadata("a", "1"),
            path: hard("cache/a.dist-info/METADATA"),
        },
        {".wh.cache": b""},
    )
    assert [f"/{path}"] == [c.path for c in found.components]
    found = take({"x": metadata("a", "1"), path: hard("x"), "y": b""})
    assert [("a", "1", 0)] == names(found)


def test_directories_behind_symbolic_links_are_the_places_they_lead_to() -> None:
    found = take(
        {"lib": link("usr/lib")},
        {"lib/python3/dist-packages/a-1.dist-info/METADATA": metadata("a", "1")},
    )
    assert [f"/{SITE}/a-1.dist-info/METADATA"] == [c.path for c in found.components]
    gone = take(
        {"lib": link("usr/lib"), f"{SITE}/a-1.dist-info/METADATA": metadata("a", "1")},
        {"lib/python3/dist-packages/.wh.a-1.dist-info": b""},
    )
    assert [] == names(gone)


def test_a_real_directory_over_a_link_is_that_directory() -> None:
    found = take(
        {"lib": link("usr/lib"), "usr/lib/a.dist-info/METADATA": metadata("a", "1")},
        {"lib": DIRECTORY, "lib/a.dist-info/METADATA": metadata("a", "2")},
    )
    assert [("a", "1", 0), ("a", "2", 1)] == names(found)


DEB = {
    STATUS: status(**{"python3-a": "1"}),
    f"{SITE}/a-1.dist-info/METADATA": metadata("a", "1"),
    "var/lib/dpkg/info/python3-a.list": f"/.\n/{SITE}/a-1.dist-info/METADATA\n".encode(),
}
SUMS = "var/lib/dpkg/info/python3-a.md5sums"


def sums(content: bytes) -> bytes:
    md5 = hashlib.md5(content).hexdigest()
    return f"{md5}  {SITE}/a-1.dist-info/METADATA\n".encode()


def test_a_distribution_whose_files_a_package_owns_says_so() -> None:
    assert "python3-a" == one(take(DEB), "a").owned_by
    assert "python3-a" == one(take({**DEB, SUMS: sums(metadata("a", "1"))}), "a").owned_by


def test_ownership_is_judged_through_symbolic_links() -> None:
    path = "lib/python3/dist-packages/a-1.dist-info/METADATA"
    files = {**DEB, "var/lib/dpkg/info/python3-a.list": f"/{path}\n".encode()}
    assert "" == one(take(files), "a").owned_by
    assert "python3-a" == one(take({"lib": link("usr/lib"), **files}), "a").owned_by


def test_ownership_is_judged_per_path() -> None:
    other = {**DEB, "opt/a-1.dist-info/METADATA": metadata("a", "1")}
    owners = {c.path: c.owned_by for c in take(other).components if c.name == "a"}
    assert {
        f"/{SITE}/a-1.dist-info/METADATA": "python3-a",
        "/opt/a-1.dist-info/METADATA": "",
    } == owners


def test_ownership_ends_where_the_file_was_overwritten() -> None:
    upper = {f"{SITE}/a-1.dist-info/METADATA": metadata("a", "1", "changed")}
    found = take({**DEB, SUMS: sums(metadata("a", "1"))}, upper)
    assert "" == one(found, "a").owned_by


def test_a_file_that_a_later_layer_brought_is_not_the_package_s_where_no_sum_says_so() -> None:
    upper = {f"{SITE}/a-1.dist-info/METADATA": metadata("a", "1")}
    assert "" == one(take(DEB, upper), "a").owned_by
    again = {**DEB, SUMS: sums(metadata("a", "1"))}
    assert "python3-a" == one(take(again, upper), "a").owned_by
    newer = {STATUS: status(**{"python3-a": "2"}), **upper}
    assert "python3-a" == one(take(DEB, newer), "a").owned_by


APK = {
    "etc/alpine-release": b"3.19.1\n",
    "lib/apk/db/installed": (
        b"P:py3-a\nV:1-r0\nA:x86_64\no:py-a\nF:usr/lib/python3.11/site-packages/a.dist-info\n"
        b"R:METADATA\nZ:Q1%s\n\n"
    )
    % base64.b64encode(hashlib.sha1(metadata("a", "1")).digest()),
    "usr/lib/python3.11/site-packages/a.dist-info/METADATA": metadata("a", "1"),
}


def test_apk_owns_its_files() -> None:
    found = take(APK)
    assert "py3-a" == one(found, "a").owned_by
    assert "pkg:apk/alpine/py3-a@1-r0?arch=x86_64&distro=alpine-3.19.1" == one(found, "py3-a").purl
    changed = take(
        {**APK, "usr/lib/python3.11/site-packages/a.dist-info/METADATA": b"Name: a\nVersion: 2\n"}
    )
    assert "" == one(changed, "a").owned_by


def test_of_two_databases_of_rpm_in_one_directory_the_newer_kind_counts() -> None:
    def header(name: str) -> bytes:
        return rpm_databases.header({**rpm_databases.DEMO, 1000: name})

    old = rpm_databases.berkeley([header("old")])
    new = rpm_databases.ndb([header("new")])
    found = take({"var/lib/rpm/Packages": old, "etc/redhat-release": b"Rocky Linux release 9.4 x"})
    assert [("old", "2:1.4~rc1-3.el9", 0)] == names(found)
    purl = "pkg:rpm/rocky/old@1.4~rc1-3.el9?arch=x86_64&distro=rocky-9.4&epoch=2&rpmmod=demo:1.4"
    assert purl == found.components[0].purl
    both = {"var/lib/rpm": link("../../usr/lib/sysimage/rpm")}
    both |= {"usr/lib/sysimage/rpm/Packages": old, "usr/lib/sysimage/rpm/Packages.db": new}
    assert ["new"] == [c.name for c in take(both).components]
    assert not take(both).notices


def test_pacman_owns_its_files() -> None:
    local = "var/lib/pacman/local/python-a-1-1"
    found = take(
        {
            f"{local}/desc": b"%NAME%\npython-a\n\n%VERSION%\n1-1\n\n%ARCH%\nany\n\n",
            f"{local}/files": f"%FILES%\n{SITE}/a-1.dist-info/METADATA\n".encode(),
            f"{SITE}/a-1.dist-info/METADATA": metadata("a", "1"),
        }
    )
    assert "python-a" == one(found, "a").owned_by
    assert "pkg:alpm/arch/python-a@1-1?arch=any" == one(found, "python-a").purl


def test_slim_images_without_lists_work() -> None:
    files = {path: content for path, content in DEB.items() if "info/" not in path or SITE in path}
    assert "" == one(take(files), "a").owned_by


def test_status_d_is_read_beside_its_sums() -> None:
    found = take(
        {
            "var/lib/dpkg/status.d/a": b"Package: a\nVersion: 1\nArchitecture: amd64\n",
            "var/lib/dpkg/status.d/a.md5sums": b"0" * 32 + b"  usr/bin/a\n",
            "var/lib/dpkg/status.d/b": b"Package: b\nVersion: 1\nArchitecture: amd64\n",
        },
        {"var/lib/dpkg/status.d/.wh.b": b""},
    )
    assert [("a", "1", 0)] == names(found)
    assert not found.notices


def test_databases_elsewhere_are_not_the_image_s() -> None:
    assert [] == names(take({"srv/chroot/var/lib/dpkg/status": status(a="1")}))


def test_the_purl_names_architecture_and_release() -> None:
    release = b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\nVERSION_CODENAME=bookworm\n'
    found = take(
        {
            "usr/lib/os-release": release,
            "etc/os-release": link("../usr/lib/os-release"),
            STATUS: status(**{"g++": "4:12.2.0-3~x"}),
            f"{SITE}/a-1.dist-info/METADATA": metadata("A.b", "1+dfsg"),
        }
    )
    assert [
        "pkg:deb/debian/g%2B%2B@4:12.2.0-3~x?arch=amd64&distro=debian-12",
        "pkg:pypi/a-b@1%2Bdfsg",
    ] == [c.purl for c in found.components]
    assert found.distribution is not None
    assert ("debian", "12", "bookworm", "Debian 12") == tuple(
        getattr(found.distribution, name)
        for name in ("id", "version_id", "codename", "pretty_name")
    )


def config(*history: dict[str, object]) -> bytes:
    return json.dumps(
        {"os": "linux", "architecture": "arm64", "variant": "v8", "history": history}
    ).encode()


def test_layers_know_the_instruction_that_made_them() -> None:
    document = config(
        {"created_by": "FROM"}, {"created_by": "ENV", "empty_layer": True}, {"created_by": "RUN\nx"}
    )
    found = take({STATUS: status(a="1")}, {STATUS: status(a="1", b="1")}, config=document)
    assert ["FROM", "RUN x"] == [c.created_by for c in found.components]
    assert ["FROM", "RUN x"] == [info.created_by for info in found.layers]
    assert "linux/arm64/v8" == found.platform
    assert f"sha256:{hashlib.sha256(document).hexdigest()}" == found.config_digest


def test_what_the_registry_knows_of_a_layer_comes_before_the_history() -> None:
    layers = [source({STATUS: status(a="1")}, created_by="RUN \x1b[2J")]
    found = inventory.take(layers, config({"created_by": "other"}))
    assert ["RUN  [2J"] == [component.created_by for component in found.components]


@pytest.mark.parametrize("document", [b"{", b'{"a":1,"a":2}', config({"created_by": "x"})])
def test_a_bad_config_is_a_notice(document: bytes) -> None:
    found = take({STATUS: status(a="1")}, {}, config=document)
    assert [NoticeKind.CONFIG] == [notice.kind for notice in found.notices]
    assert [("a", "1", 0)] == names(found)
    assert not found.is_partial


def test_a_foreign_layer_is_a_notice() -> None:
    def missing() -> io.BytesIO:
        raise NotFoundError("elsewhere")

    foreign = replace(
        source({}),
        digest=f"sha256:{'1' * 64}",
        open=missing,
        media_type=media.DOCKER_LAYER + ".foreign.x",
    )
    found = inventory.take([source({STATUS: status(a="1")}), foreign], None)
    assert [NoticeKind.MISSING_LAYER] == [notice.kind for notice in found.notices]
    assert found.is_partial
    assert [("a", "1", 0)] == names(found)


@pytest.mark.parametrize(
    ("path", "manager"), [("var/lib/snapd/state.json", "snap"), ("nix/var/nix/db/db.sqlite", "nix")]
)
def test_a_database_that_is_not_read_is_a_notice(path: str, manager: str) -> None:
    found = take({path: b"x"})
    assert found.is_partial
    assert [NoticeKind.UNSUPPORTED_DATABASE] == [notice.kind for notice in found.notices]
    assert manager in found.notices[0].message
    assert not take(
        {path: b"x"}, {path.rpartition("/")[0] + "/.wh." + path.rpartition("/")[2]: b""}
    ).notices


def test_a_broken_metadata_file_is_a_notice_and_the_others_stand() -> None:
    found = take(
        {
            f"{SITE}/broken.egg-info/PKG-INFO": b"nothing",
            f"{SITE}/a-1.dist-info/METADATA": metadata("a", "1"),
        }
    )
    assert [NoticeKind.MALFORMED_FILE] == [notice.kind for notice in found.notices]
    assert [("a", "1", 0)] == names(found)


def test_facts_survive_storage_and_combine_without_the_layers() -> None:
    layers: list[Files] = [
        {**DEB, "lib": link("usr/lib"), "x\udcff": link("\udcfe")},
        {f"{SITE}/.wh.a-1.dist-info": b"", "opt/.wh..wh..opq": b""},
    ]
    sources = [source(files) for files in layers]
    facts = [facts_of(one) for one in sources]
    stored = [inventory_facts.from_bytes(inventory_facts.to_bytes(one)) for one in facts]
    assert facts == stored
    assert inventory.take(sources, None) == inventory.combine(sources, facts, None)


def test_known_facts_are_not_read_again() -> None:
    def forbidden() -> io.BytesIO:
        raise AssertionError("read again")

    known = source({STATUS: status(a="1")})
    facts = {known.digest: facts_of(known)}
    found = inventory.take([replace(known, open=forbidden)], None, known=facts)
    assert [("a", "1", 0)] == names(found)


@given(st.binary(max_size=200))
def test_damaged_or_foreign_facts_are_void(content: bytes) -> None:
    assert inventory_facts.from_bytes(content) is None
    facts = bytearray(inventory_facts.to_bytes(inventory_facts.LayerFacts(digest="sha256:x")))
    facts[facts.index(b"sha256")] = 0x8D
    assert inventory_facts.from_bytes(bytes(facts)) is None
    other = inventory_facts.LayerFacts(version=999, digest="x")
    assert inventory_facts.from_bytes(inventory_facts.to_bytes(other)) is None


@pytest.mark.parametrize(
    "content",
    [b"\x81\xa6digest\xa2\xff\xfe", b"\x81\xa5files" + b"\x81\xa1a" * 5_000, b"\x91" * 5_000],
    ids=["not UTF-8", "deep maps", "deep lists"],
)
def test_facts_that_break_their_decoder_are_void(content: bytes) -> None:
    assert inventory_facts.from_bytes(content) is None


def test_links_are_followed_as_a_process_in_the_image_would() -> None:
    links = {"a": "b", "b": "/c/d", "c": "e", "up": "../../../e", "loop": "loop"}
    assert "e/d/x" == resolve("a/x", links)
    assert "e" == resolve("up", links)
    assert resolve("loop/x", links) is None


PATHS = ["a", "a/b", "a/b/c", "b", "b/c"]
OPERATIONS = st.lists(
    st.dictionaries(
        st.sampled_from([*PATHS, *(f"{p}/.wh..wh..opq" for p in PATHS)])
        | st.sampled_from(PATHS).map(
            lambda p: "/".join([*p.split("/")[:-1], ".wh." + p.split("/")[-1]])
        ),
        st.sampled_from(["file", "dir", "python"]),
        max_size=5,
    ),
    min_size=1,
    max_size=4,
)


def build(operations: dict[str, str], n: int) -> Files:
    files: dict[str, bytes | Entry] = {}
    for path, kind in operations.items():
        if ".wh." in path or kind == "file":
            files[path] = b""
        elif kind == "dir":
            files[path] = DIRECTORY
        else:
            files[f"{path}/x.dist-info/METADATA"] = metadata("x", f"{n}")
    return files


def expected_tree(layers: list[Files]) -> dict[str, bytes]:
    """Lay the layers on each other in the plainest way: a dict of files."""
    tree: dict[str, bytes] = {}

    def remove(path: str, *, only_below: bool = False) -> None:
        for known in list(tree):
            if known.startswith(path + "/") or (known == path and not only_below):
                del tree[known]

    for files in layers:
        for path in files:
            folder, _, name = path.rpartition("/")
            if name == ".wh..wh..opq":
                remove(folder, only_below=True)
            elif name.startswith(".wh."):
                remove(f"{folder}/{name[4:]}".lstrip("/"))
        for path, content in files.items():
            if ".wh." in path:
                continue
            parts = path.split("/")
            for depth in range(1, len(parts)):  # a file in the way is replaced by the directory
                tree.pop("/".join(parts[:depth]), None)
            if isinstance(content, Entry):
                tree.pop(path, None)
            else:
                remove(path)
                tree[path] = content
    return {path: content for path, content in tree.items() if path.endswith("METADATA")}


@given(OPERATIONS)
@settings(max_examples=300, deadline=None)
def test_layers_combine_as_the_plainest_model_does(operations: list[dict[str, str]]) -> None:
    layers = [build(each, n) for n, each in enumerate(operations)]
    found = {c.path[1:]: c.version for c in take(*layers).components}
    expected = {
        path: content.decode().split("Version: ")[2].split("\n")[0]
        for path, content in expected_tree(layers).items()
    }
    assert expected == found


def test_same_image_same_bytes() -> None:
    layers: list[Files] = [DEB, {STATUS: status(b="1")}]
    assert msgspec.json.encode(take(*layers)) == msgspec.json.encode(take(*layers))


def test_a_maintainer_script_that_is_a_program_belongs_to_its_package() -> None:
    info = "var/lib/dpkg/info"
    found = take(
        {
            STATUS: status(bash="5"),
            f"{info}/bash.list": b"/usr/bin/bash\n",
            f"{info}/bash.preinst": elf({".text": bytes(64)}),
            f"{info}/other.preinst": elf({".text": bytes(64)}),
        }
    )
    assert [f"/{info}/other.preinst"] == [file.path for file in found.unexplained]


def test_a_program_that_another_package_put_aside_belongs_to_its_own() -> None:
    info = "var/lib/dpkg/info"
    ours, theirs = elf({".text": bytes(64)}), elf({".text": bytes(65)})
    sums = {name: hashlib.md5(made).hexdigest() for name, made in (("a", ours), ("b", theirs))}
    files: Files = {
        STATUS: status(a="1", b="2"),
        f"{info}/a.list": b"/opt/x/tool\n",
        f"{info}/a.md5sums": f"{sums['a']}  opt/x/tool\n".encode(),
        f"{info}/b.list": b"/opt/x/tool\n",
        f"{info}/b.md5sums": f"{sums['b']}  opt/x/tool\n".encode(),
        "opt/x/tool": theirs,
        "opt/x/tool.distrib": ours,
    }
    assert ["/opt/x/tool.distrib"] == [file.path for file in take(files).unexplained]
    diverted = b"/opt/x/tool\n/opt/x/tool.distrib\nb\n"
    assert () == take({**files, "var/lib/dpkg/diversions": diverted}).unexplained

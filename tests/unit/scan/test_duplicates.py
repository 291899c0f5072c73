"""One package is reported once for each place where its code is, and for no other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seawall.scan import duplicates
from seawall.scan.model import Component, PackageType, Role

NAMES, VERSIONS = ("jquery", "lodash"), ("1.0.0", "2.0.0")
PATHS = ("/a/x.js", "/a/x.min.js", "/b/x.js", "/b/package-lock.json")


def component(
    role: Role, path: str, *, name: str = "jquery", version: str = "1.0.0", inside: str = "",
    type_: PackageType = PackageType.NPM,
) -> Component:  # fmt: skip
    return Component(
        type=type_, name=name, version=version, purl="", role=role, inside=inside,
        path=path, layer="", layer_index=0,
    )  # fmt: skip


def test_files_confirm_what_a_lock_file_declares() -> None:
    declared = component(Role.DECLARED, "/app/package-lock.json")
    installed = component(Role.INSTALLED, "/app/node_modules/jquery/package.json")
    assert (installed,) == duplicates.without([declared, installed])


def test_another_version_is_another_statement() -> None:
    declared = component(Role.DECLARED, "/app/package-lock.json", version="2.0.0")
    installed = component(Role.INSTALLED, "/app/node_modules/jquery/package.json")
    assert (declared, installed) == duplicates.without([declared, installed])


def test_a_library_twice_in_a_folder_is_one() -> None:
    full, small = (
        component(Role.BUNDLED, "/s/jquery.js"),
        component(Role.BUNDLED, "/s/jquery.min.js"),
    )
    assert (full,) == duplicates.without([full, small])


def test_two_places_are_two_components() -> None:
    listed = (component(Role.BUNDLED, "/a/jquery.js"), component(Role.BUNDLED, "/b/jquery.js"))
    assert listed == duplicates.without(listed)
    nested = (
        component(Role.BUNDLED, "/a/a.war", inside="lib/a.jar"),
        component(Role.BUNDLED, "/a/b.war", inside="lib/a.jar"),
    )
    assert nested == duplicates.without(nested)


def test_what_two_programs_of_a_folder_hold_is_in_two_places() -> None:
    listed = tuple(
        component(Role.BUNDLED, path, name="stdlib", type_=PackageType.GOLANG)
        for path in ("/opt/bin/caddy", "/opt/bin/runc")
    )
    assert listed == duplicates.without([*listed, *listed[:1]])


components = st.builds(
    component,
    st.sampled_from(Role),
    st.sampled_from(PATHS),
    name=st.sampled_from(NAMES),
    version=st.sampled_from(VERSIONS),
)


@given(st.lists(components, max_size=8))
def test_no_package_disappears(listed: list[Component]) -> None:
    kept = duplicates.without(listed)
    assert {(c.name, c.version) for c in listed} == {(c.name, c.version) for c in kept}
    assert kept == duplicates.without(kept)
    assert [c for c in listed if c.role is Role.INSTALLED] == [
        c for c in kept if c.role is Role.INSTALLED
    ]

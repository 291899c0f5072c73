"""What an image starts is followed to everything that it can load, and from there to packages."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping

import pytest

from seawall.scan import inventory, load_path, scripts
from seawall.scan.files.model import Executable, Format
from seawall.scan.load_path import Image, LoadPath, Start
from seawall.scan.model import Component, Reach
from seawall.scan.scripts import Script
from seawall.testing.executables import elf
from seawall.testing.images import Entry, Files, source

LIB = "usr/lib/x86_64-linux-gnu"
LOADER = "/lib64/ld-linux-x86-64.so.2"


def program(*needed: str, search: tuple[str, ...] = (), machine: str = "amd64") -> Executable:
    return Executable(
        format=Format.ELF, size=1, kind="program", machine=machine, needed=needed,
        search_paths=search,
    )  # fmt: skip


def library(*needed: str, search: tuple[str, ...] = (), machine: str = "amd64") -> Executable:
    return Executable(
        format=Format.ELF, size=1, kind="library", machine=machine, needed=needed,
        search_paths=search,
    )  # fmt: skip


def followed(
    *words: str,
    files: Mapping[str, Executable | Script],
    links: Mapping[str, str] | None = None,
    owners: Mapping[str, str] | None = None,
    archives: frozenset[str] = frozenset(),
    directory: str = "",
) -> LoadPath:
    image = Image(
        programs={p: f for p, f in files.items() if isinstance(f, Executable)},
        scripts={p: f for p, f in files.items() if isinstance(f, Script)},
        links=links or {},
        owners=owners or {},
        archives=archives,
    )
    start = Start(words=words, directory=directory)
    return load_path.follow(start, image, is_late=lambda: False)


def reached(found: LoadPath, reach: Reach) -> set[str]:
    return {path for path, step in found.steps.items() if step.reach is reach}


# -- files


def test_a_program_its_interpreter_and_its_libraries_are_started() -> None:
    linked = Executable(
        format=Format.ELF, size=1, kind="program", machine="amd64", interpreter=LOADER,
        needed=("libssl.so.3",),
    )  # fmt: skip
    found = followed(
        "nginx",
        files={
            "usr/sbin/nginx": linked,
            f"{LIB}/ld-linux-x86-64.so.2": library(),
            f"{LIB}/libssl.so.3": library("libcrypto.so.3"),
            f"{LIB}/libcrypto.so.3": library(),
            f"{LIB}/libxml2.so.2": library(),
            "usr/bin/perl": program(),
        },
        links={"lib64": "usr/lib/x86_64-linux-gnu"},
    )
    assert reached(found, Reach.STARTED) == {
        "usr/sbin/nginx",
        f"{LIB}/ld-linux-x86-64.so.2",
        f"{LIB}/libssl.so.3",
        f"{LIB}/libcrypto.so.3",
    }
    assert found.chain(f"{LIB}/libcrypto.so.3") == (
        "/usr/sbin/nginx",
        f"/{LIB}/libssl.so.3",
        f"/{LIB}/libcrypto.so.3",
    )


def test_a_library_is_found_through_links_and_in_its_search_path_first() -> None:
    files = {
        "opt/app/bin/app": program("libz.so.1", search=("$ORIGIN/../lib",)),
        "opt/app/lib/libz.so.1.3": library(),
        f"{LIB}/libz.so.1": library(),
    }
    found = followed(
        "/opt/app/bin/app", files=files, links={"opt/app/lib/libz.so.1": "libz.so.1.3"}
    )
    assert "opt/app/lib/libz.so.1.3" in found.steps
    assert f"{LIB}/libz.so.1" not in found.steps


def test_a_library_of_another_machine_is_not_taken() -> None:
    files = {
        "usr/bin/app": program("libz.so.1"),
        "usr/lib/i386-linux-gnu/libz.so.1": library(machine="386"),
    }
    assert set(followed("app", files=files).steps) == {"usr/bin/app"}


def test_a_library_outside_of_all_search_paths_is_taken_where_it_is() -> None:
    files = {"usr/bin/app": program("libx.so"), "srv/odd/libx.so": library()}
    assert "srv/odd/libx.so" in followed("app", files=files).steps


def test_scripts_start_their_interpreter_and_their_commands() -> None:
    files: dict[str, Executable | Script] = {
        "entrypoint.sh": Script("/bin/sh", "redis-server id"),
        "usr/bin/dash": program(),
        "usr/bin/redis-server": program(),
        "usr/bin/id": program(),
        "usr/bin/other": program(),
    }
    links = {"bin": "usr/bin", "usr/bin/sh": "dash"}
    found = followed("/entrypoint.sh", files=files, links=links)
    assert reached(found, Reach.STARTED) == set(files) - {"usr/bin/other"}


def test_arguments_of_the_entry_point_may_be_programs() -> None:
    files: dict[str, Executable | Script] = {
        "entry": Script("/bin/sh"),
        "bin/sh": program(),
        "usr/bin/redis-server": program(),
    }
    assert "usr/bin/redis-server" in followed("/entry", "redis-server", files=files).steps


def test_the_text_of_a_shell_command_is_followed() -> None:
    files = {"bin/sh": program(), "usr/bin/node": program(), "usr/bin/git": program()}
    found = followed("/bin/sh", "-c", "cd /app && exec node server.js", files=files)
    assert set(found.steps) == {"bin/sh", "usr/bin/node"}


def test_a_relative_entry_point_begins_in_the_working_directory() -> None:
    files = {"srv/app": program(), "app": program()}
    assert set(followed("./app", files=files, directory="srv").steps) == {"srv/app"}


def test_an_archive_on_the_command_line_is_started() -> None:
    files = {"usr/bin/java": program()}
    found = followed(
        "java", "-cp", "a.jar:lib/b.jar", "Main",
        files=files, archives=frozenset({"app/a.jar", "app/lib/b.jar", "app/c.jar"}),
        directory="app",
    )  # fmt: skip
    assert reached(found, Reach.STARTED) == {"usr/bin/java", "app/a.jar", "app/lib/b.jar"}


@pytest.mark.parametrize(
    "plugin",
    [
        "usr/lib/python3.11/lib-dynload/_ssl.so",
        "usr/local/lib/python3/dist-packages/x.so",
        "usr/lib/odd/of-the-same-package.so",
    ],
)
def test_plugins_and_what_they_need_can_be_loaded(plugin: str) -> None:
    files = {
        "usr/bin/python3.11": program(),
        plugin: library("libssl.so.3"),
        f"{LIB}/libssl.so.3": library(),
        "usr/lib/ruby/x.so": library(),
    }
    owners = {"usr/bin/python3.11": "p", "usr/lib/odd/of-the-same-package.so": "p"}
    found = followed("python3.11", files=files, owners=owners)
    assert reached(found, Reach.LOADABLE) == {plugin, f"{LIB}/libssl.so.3"}
    assert found.chain(f"{LIB}/libssl.so.3")[0] == "/usr/bin/python3.11"


def test_what_lies_in_the_folder_of_a_program_of_its_own_can_be_loaded() -> None:
    files = {"opt/jdk/bin/java": program(), "opt/jdk/lib/server/libjvm.so": library()}
    assert reached(followed("/opt/jdk/bin/java", files=files), Reach.LOADABLE) == {
        "opt/jdk/lib/server/libjvm.so"
    }


@pytest.mark.parametrize(
    "words",
    [(), ("/bin/bash",), ("bash", "-l"), ("/missing",), ("missing", "bash")],
)
def test_without_a_program_to_start_nothing_is_told(words: tuple[str, ...]) -> None:
    assert not followed(*words, files={"bin/bash": program()})


def test_links_that_loop_and_libraries_that_need_each_other_end() -> None:
    files = {
        "usr/bin/app": program("liba.so", "loop.so"),
        f"{LIB}/liba.so": library("libb.so", "liba.so"),
        f"{LIB}/libb.so": library("liba.so"),
    }
    found = followed("app", files=files, links={f"{LIB}/loop.so": "loop.so"})
    assert set(found.steps) == set(files)


def test_an_image_that_takes_too_long_is_unknown() -> None:
    files: dict[str, Executable | Script] = {
        f"usr/bin/p{number}": Script("p", " ".join(f"x{each}" for each in range(300)))
        for number in range(200)
    }
    files["usr/bin/app"] = Script("app", " ".join(f"p{number}" for number in range(200)))
    image = Image(
        programs={}, scripts={p: f for p, f in files.items() if isinstance(f, Script)},
        links={}, owners={},
    )  # fmt: skip
    start = Start(words=("app",), folders=tuple(f"f{number}" for number in range(100)))
    assert not load_path.follow(start, image, is_late=lambda: False)


# -- packages


def status(*names: str) -> Files:
    text = "".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n"
        for name in names
    )
    return {"var/lib/dpkg/status": text.encode()}


def metadata(name: str) -> bytes:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n\n".encode()


def link(target: str) -> Entry:
    return Entry(link=target, kind=tarfile.SYMTYPE)


def script(text: str) -> Entry:
    return Entry(content=text.encode(), mode=0o755)


def config(*entrypoint: str, **more: object) -> bytes:
    document = {
        "os": "linux",
        "architecture": "amd64",
        "config": {"Entrypoint": list(entrypoint), **more},
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    return json.dumps(document).encode()


def taken(files: Files, *entrypoint: str, **more: object) -> dict[str, Component]:
    found = inventory.take([source(files)], config(*entrypoint, **more))
    return {component.name: component for component in found.components}


def reaches(files: Files, *entrypoint: str, **more: object) -> dict[str, Reach]:
    return {name: one.reach for name, one in taken(files, *entrypoint, **more).items()}


def owned(name: str, *paths: str) -> Files:
    return {f"var/lib/dpkg/info/{name}.list": "".join(f"/{p}\n" for p in paths).encode()}


SYSTEM: Files = {
    **status("nginx", "libssl3", "perl", "linux-libc-dev"),
    **owned("nginx", "usr/sbin/nginx"),
    **owned("libssl3", f"{LIB}/libssl.so.3"),
    **owned("perl", "usr/bin/perl"),
    **owned("linux-libc-dev", "usr/include/linux/version.h"),
    "usr/sbin/nginx": elf({".text": bytes(64)}, needed=["libssl.so.3"]),
    f"{LIB}/libssl.so.3": elf({".text": bytes(64)}, soname="libssl.so.3"),
    "usr/bin/perl": elf({".text": bytes(64)}),
}


def test_packages_of_the_system_are_reached_as_their_programs_are() -> None:
    found = taken(SYSTEM, "nginx", "-g", "daemon off;")
    assert {name: one.reach for name, one in found.items()} == {
        "nginx": Reach.STARTED,
        "libssl3": Reach.STARTED,
        "perl": Reach.PRESENT,
        "linux-libc-dev": Reach.PRESENT,
    }
    assert found["libssl3"].load_path == ("/usr/sbin/nginx", f"/{LIB}/libssl.so.3")


def test_a_package_without_programs_is_unknown_where_a_scripting_language_runs() -> None:
    assert reaches(SYSTEM, "perl", "x.pl")["linux-libc-dev"] is Reach.UNKNOWN


def test_without_a_config_nothing_is_told() -> None:
    found = inventory.take([source(SYSTEM)], None)
    assert {one.reach for one in found.components} == {Reach.UNKNOWN}


@pytest.mark.parametrize(
    "broken", [b"{", b'{"config": []}', b'{"config": {"Entrypoint": {"a": 1}, "Cmd": 7}}']
)
def test_a_config_of_another_shape_tells_nothing(broken: bytes) -> None:
    found = inventory.take([source(SYSTEM)], broken)
    assert {one.reach for one in found.components} == {Reach.UNKNOWN}


PYTHON: Files = {
    **status("python3-requests", "python3"),
    **owned("python3-requests", "usr/lib/python3/dist-packages/requests-1.dist-info/METADATA"),
    **owned("python3", "usr/bin/python3"),
    "usr/bin/python3": elf({".text": bytes(64)}),
    "usr/lib/python3/dist-packages/requests-1.dist-info/METADATA": metadata("requests"),
    "opt/venv/bin/python": link("/usr/bin/python3"),
    "opt/venv/bin/serve": script("#!/opt/venv/bin/python\nimport app\n"),
    "opt/venv/lib/python3.11/site-packages/flask-3.dist-info/METADATA": metadata("flask"),
    "srv/app/jinja2-3.dist-info/METADATA": metadata("jinja2"),
}


def test_packages_of_the_virtual_environment_can_be_loaded_and_others_not() -> None:
    found = reaches(PYTHON, "/opt/venv/bin/serve")
    assert found["flask"] is Reach.LOADABLE
    assert found["jinja2"] is Reach.LOADABLE
    assert found["requests"] is Reach.PRESENT
    assert found["python3"] is Reach.STARTED


def test_a_system_package_is_reached_as_the_module_that_it_brings() -> None:
    found = reaches(PYTHON, "python3", "/srv/app/main.py")
    assert found["requests"] is Reach.LOADABLE
    assert found["python3-requests"] is Reach.LOADABLE
    assert found["flask"] is Reach.PRESENT


def test_a_path_of_modules_in_the_environment_reaches_every_package() -> None:
    found = reaches(PYTHON, "python3", Env=["PATH=/usr/bin", "PYTHONPATH=/opt/x"])
    assert found["flask"] is Reach.LOADABLE


NODE: Files = {
    "usr/bin/node": elf({".text": bytes(64)}),
    "app/node_modules/left/package.json": b'{"name": "left", "version": "1.0.0"}',
    "usr/lib/node_modules/tool/package.json": b'{"name": "tool", "version": "1.0.0"}',
    "usr/lib/node_modules/tool/bin/run": script("#!/usr/bin/env node\n"),
    "usr/bin/tool": link("../lib/node_modules/tool/bin/run"),
}


def test_tools_of_the_whole_machine_are_reached_only_when_they_are_started() -> None:
    assert reaches(NODE, "node", "/app/x.js") == {"left": Reach.LOADABLE, "tool": Reach.PRESENT}
    assert reaches(NODE, "tool") == {"left": Reach.LOADABLE, "tool": Reach.LOADABLE}


def test_without_the_runtime_modules_are_merely_present() -> None:
    files = {**NODE, "usr/bin/other": elf({".text": bytes(64)})}
    assert reaches(files, "/usr/bin/other")["left"] is Reach.PRESENT


def test_what_only_a_lock_file_names_is_unknown() -> None:
    lock = b'{"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "1.0.0"}}}'
    files = {"usr/bin/node": elf({".text": bytes(64)}), "app/package-lock.json": lock}
    assert reaches(files, "node") == {"a": Reach.UNKNOWN}


def test_a_script_that_a_hard_link_names_is_followed() -> None:
    files: Files = {
        "a/start": script("#!/bin/sh\nexec perl\n"),
        "b/start": Entry(link="a/start", kind=tarfile.LNKTYPE),
        "bin/sh": elf({".text": bytes(64)}),
        **SYSTEM,
    }
    assert reaches(files, "/b/start")["perl"] is Reach.STARTED


def test_a_script_without_the_bit_is_kept_for_its_ending_and_others_are_not() -> None:
    files: Files = {
        "a.sh": b"#!/bin/sh\nexec perl\n",
        "b.txt": b"#!/bin/sh\nexec nginx\n",
        "bin/sh": elf({".text": bytes(64)}),
        **SYSTEM,
    }
    found = reaches(files, "sh", "/a.sh", "/b.txt")
    assert found["perl"] is Reach.STARTED
    assert found["nginx"] is Reach.PRESENT


def test_of_a_script_that_is_too_long_no_cut_command_is_followed() -> None:
    text = f"#!/bin/sh\nexec perl\n{'#' * scripts.MAX_BYTES}\n"
    files: Files = {"usr/bin/start": script(text), "bin/sh": elf({".text": bytes(64)}), **SYSTEM}
    found = taken(files, "start")
    assert found["perl"].reach is Reach.PRESENT


def test_a_script_behind_a_link_of_its_own_layer_lies_where_that_leads() -> None:
    files: Files = {
        "sbin": link("usr/sbin"),
        "sbin/start": script("#!/bin/sh\nexec perl\n"),
        "bin/sh": elf({".text": bytes(64)}),
        **SYSTEM,
    }
    assert reaches(files, "/usr/sbin/start")["perl"] is Reach.STARTED


def test_the_shell_form_of_a_command_is_followed() -> None:
    files: Files = {"bin/sh": elf({".text": bytes(64)}), **SYSTEM}
    found = inventory.take([source(files)], config(Cmd="exec nginx"))
    assert {c.reach for c in found.components if c.name == "nginx"} == {Reach.STARTED}


def test_every_shell_that_is_known_waits_for_commands() -> None:
    for shell in ("sh", "/bin/bash", "ash"):
        assert scripts.is_shell(shell)
        assert load_path.is_interactive([shell])
        assert not load_path.is_interactive([shell, "-c", "x"])
        assert not load_path.is_interactive([shell, "-lc", "x"])

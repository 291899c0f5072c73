"""What scripts start is read without running them: too much rather than too little."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.scan import scripts
from seawall.scan.scripts import Script


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('exec nginx -g "daemon off;"', ("nginx", "daemon", "off")),
        ('if [ "$1" = redis ]; then\n  set -- redis-server "$@"\nfi', ("redis-server",)),
        ('exec gosu postgres pg_ctl -D "$PGDATA" start', ("gosu", "postgres", "pg_ctl", "start")),
        ("JAVA_OPTS=-Xmx1g $JAVA_HOME/bin/java -jar /app/app.jar", ("java", "/app/app.jar")),
        ('"${JAVA_HOME}/bin/java" -version', ("java",)),
        ("cat a | sort && /opt/x/y --now", ("cat", "sort", "/opt/x/y")),
        ("# exec perl\necho perl", ()),
        ("exec \\\n  catalina.sh run", ("catalina.sh", "run")),
        ("x=$(hostname -f)", ("hostname",)),
        ("! test -e /run/lock/x || rm -f y", ("rm", "/run/lock/x")),
    ],
)
def test_words_that_may_be_commands_are_found(text: str, expected: tuple[str, ...]) -> None:
    assert scripts.commands_of(text) == expected


def test_the_first_line_names_the_interpreter() -> None:
    assert scripts.read(b"#! /usr/bin/env python3 -u\nimport os\n") == Script(
        "/usr/bin/env python3 -u"
    )
    assert scripts.read(b"#!/bin/sh -e\nexec ruby app.rb\n") == Script("/bin/sh -e", "ruby app.rb")
    assert scripts.read(b"echo no script") is None


@pytest.mark.parametrize("command", ["/bin/sh", "bash -e", "/usr/bin/env bash", "/bin/busybox sh"])
def test_shells_are_known(command: str) -> None:
    assert scripts.is_shell(command)


@pytest.mark.parametrize("command", ["", "/usr/bin/env python3", "/bin/shred", "perl"])
def test_other_interpreters_are_no_shells(command: str) -> None:
    assert not scripts.is_shell(command)


@given(st.text(alphabet="ab/$ {}()|;&\"'\n=-.\\#x", max_size=300))
def test_any_text_gives_bounded_words_without_spaces(text: str) -> None:
    found = scripts.commands_of(text)
    assert len(found) <= scripts.MAX_COMMANDS
    assert all(word and " " not in word and len(word) <= scripts.MAX_WORD for word in found)


def test_a_script_of_many_commands_keeps_a_bounded_number() -> None:
    text = b"#!/bin/sh\n" + b"".join(b"c%d\n" % number for number in range(5_000))
    found = scripts.read(text)
    assert found is not None
    assert len(found.commands.split()) == scripts.MAX_COMMANDS


def test_of_a_huge_script_only_the_interpreter_is_known() -> None:
    found = scripts.read(b"#!/bin/sh\nnginx\n" + b"#" * scripts.MAX_BYTES)
    assert found == Script("/bin/sh")

"""Where a database is: what is understood, and what is refused before anything connects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError, UnavailableError
from seawall.core.secret import Secret
from seawall.store import address


def test_reads_a_url_of_another_machine_and_asks_for_proof_of_it() -> None:
    found = address.parse(
        "postgresql://sea%2Ewall@db.example.org:6432/sea?sslrootcert=/etc/ca.pem",
        password=Secret("x"),
    )
    assert ("db.example.org", 6432, "sea", "sea.wall") == (
        found.host,
        found.port,
        found.database,
        found.user,
    )
    assert "verify-full" == found.transport
    assert {"sslrootcert": "/etc/ca.pem"} == found.paths


def test_without_a_host_the_socket_of_this_machine_is_meant() -> None:
    assert "/var/run/postgresql" == address.parse("postgresql://u@/d").host
    assert "/run/pg" == address.parse("postgresql://u@/d?host=/run/pg").host


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_this_machine_needs_no_proof(host: str) -> None:
    assert "disable" == address.parse(f"postgresql://u@{host}/d?sslmode=disable").transport


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca"])
@pytest.mark.parametrize("host", ["db", "10.0.0.1", "localhost.example.org", "127.0.0.1.nip.io"])
def test_refuses_another_machine_without_proof_unless_that_is_spelled_unsafe(
    host: str, mode: str
) -> None:
    url = f"postgresql://u@{host}/d?sslmode={mode}"
    with pytest.raises(InvalidInputError, match="does not prove"):
        address.parse(url)
    assert mode == address.parse(url, unsafe_transport=True).transport


def test_refuses_a_password_in_the_url_and_does_not_show_it() -> None:
    with pytest.raises(InvalidInputError, match="holds a password") as refused:
        address.parse("postgresql://u:hunter2@db/d")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://u@h/d",
        "postgresql+psycopg://u@h/d",
        "postgresql://h/d",
        "postgresql://u@h",
        "postgresql://u@h/",
        "postgresql://u@h/a/b",
        "postgresql://u@h/d#x",
        "postgresql://u@h:0/d",
        "postgresql://u@h:99999/d",
        "postgresql://u@h1,h2/d",
        "postgresql://u@h/d?host=/run",
        "postgresql://u@/d?host=other",
        "postgresql://u@h/d?options=-c%20x",
        "postgresql://u@h/d?password=x",
        "postgresql://u@h/d?sslmode=never",
        "postgresql://u@h/d?sslrootcert=ca.pem",
        "postgresql://u@h/d?sslmode=require&sslmode=verify-full",
        "postgresql://u@h/d%00",
        "postgresql://u@h/d e",
        "postgresql://u@h/" + "d" * 3000,
    ],
)
def test_refuses_what_it_does_not_understand(url: str) -> None:
    with pytest.raises(InvalidInputError):
        address.parse(url)


@given(st.text(max_size=60), st.sampled_from(["", "postgresql://", "postgresql://u@h/d?"]))
def test_whatever_stands_there_is_an_address_or_refused(text: str, before: str) -> None:
    try:
        found = address.parse(before + text)
    except InvalidInputError:
        return
    assert found.database
    assert found.user
    assert "verify-full" == found.transport or found.host.startswith(
        ("/", "localhost", "127.", ":")
    )


def test_the_password_is_never_shown() -> None:
    found = address.parse("postgresql://u@h/d", password=Secret("hunter2"))
    assert "hunter2" not in f"{found!r} {found}"


def test_reads_a_password_of_one_line(tmp_path) -> None:
    path = tmp_path / "password"
    path.write_text("correct horse\n")
    path.chmod(0o600)
    assert "correct horse" == address.read_password(path).reveal()


@pytest.mark.parametrize("content", ["", "\n", "a\nb\n", "x" * 2000, "a\0b"])
def test_refuses_a_file_that_is_no_password(tmp_path, content: str) -> None:
    path = tmp_path / "password"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(InvalidInputError):
        address.read_password(path)


def test_refuses_a_password_that_others_can_read(tmp_path) -> None:
    path = tmp_path / "password"
    path.write_text("correct horse\n")
    path.chmod(0o640)
    with pytest.raises(UnavailableError, match="open to other users"):
        address.read_password(path)

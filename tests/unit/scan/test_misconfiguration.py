"""What is wrong with how an image is built: config, history, Dockerfile, modes of files."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError, LimitError
from seawall.scan import instructions, misconfiguration

GOOD = {"User": "1000", "Healthcheck": {"Test": ["CMD", "/check"]}, "Env": ["PATH=/bin"]}


def config(settings: dict[str, object] | None = None, *created_by: str) -> bytes:
    history = [{"created_by": text} for text in created_by]
    return json.dumps({"config": GOOD | (settings or {}), "history": history}).encode()


def rules(settings: dict[str, object] | None = None, *created_by: str) -> list[str]:
    return [one.rule for one in misconfiguration.of_config(config(settings, *created_by))]


def of_file(text: str) -> list[str]:
    found = misconfiguration.of_dockerfile(text.encode(), path="/Dockerfile")
    return [one.rule for one in found]


CLEAN = f"FROM debian:12@sha256:{64 * '0'}\nRUN x\nUSER 1000\nHEALTHCHECK CMD x\n"


def test_a_good_image_has_nothing():
    assert [] == rules()
    assert [] == of_file(CLEAN)


@pytest.mark.parametrize("user", ["", "0", "root", "root:root", "0:0", "0:1000"])
def test_root_is_told(user):
    assert ["user-is-root"] == rules({"User": user})


@pytest.mark.parametrize("user", ["1000", "app", "1000:0", "nobody"])
def test_another_user_is_not(user):
    assert [] == rules({"User": user})


@pytest.mark.parametrize("check", [None, {}, {"Test": []}, {"Test": ["NONE"]}, {"Test": "x"}, 7])
def test_no_healthcheck_is_told(check):
    assert ["no-healthcheck"] == rules({"Healthcheck": check})


def test_secrets_in_variables_are_told_and_not_shown():
    (one,) = misconfiguration.of_config(config({"Env": ["DB_PASSWORD=h8Kq2vTzm"]}))
    assert "secret" == one.kind
    assert "h8Kq" not in str(one)


RUNS = {
    "pipe-to-shell": "curl -sSL https://x.example/get | bash",
    "no-tls-check": "curl -fk https://x.example/a -o a",
    "unsigned-packages": "apt-get install --force-yes x && rm -rf /var/lib/apt/lists/*",
    "world-writable": "chmod -R 777 /app",
    "sudo": "apt-get install -y sudo && rm -rf /var/lib/apt/lists/*",
    "update-alone": "apt-get update",
    "package-lists-kept": "apt-get update && apt-get install -y x",
    "upgrade-all": "apt-get update && apt-get -y dist-upgrade",
}


@pytest.mark.parametrize("rule", RUNS)
def test_bad_instructions_are_told_of_a_history_in_either_spelling(rule):
    text = RUNS[rule]
    for told in (f"RUN /bin/sh -c {text} # buildkit", f"/bin/sh -c {text}",
                 f"|1 A=b /bin/sh -c {text}"):  # fmt: skip
        (one,) = misconfiguration.of_config(
            config(None, "ADD file:0 in /", told), layers=["a", "b"]
        )
        assert (rule, "b", 1) == (one.rule, one.layer, one.layer_index)
    assert rule in of_file(CLEAN + f"RUN {text}\n")


@pytest.mark.parametrize(
    "text",
    [
        "curl -o a https://x.example/a && sha256sum -c a.sum && sh a",
        "curl --fail https://x.example/kit",
        "chmod 755 /app && chmod u+x /b && chmod 1775 /c",
        "apt-get update && apt-get install -y x && rm -rf /var/lib/apt/lists/*",
        "apt-get update && apt-get upgrade -y",
        "echo pseudo sudoku",
        "pip install --require-hashes -r x",
    ],
)
def test_good_instructions_are_not(text):
    assert [] == rules(None, f"RUN /bin/sh -c {text} # buildkit")


def test_empty_layers_do_not_shift_the_others():
    history = [
        {"created_by": "ADD file:0 in /"},
        {"created_by": "ENV A=b", "empty_layer": True},
        {"created_by": "RUN /bin/sh -c chmod 777 /a"},
    ]
    content = json.dumps({"config": GOOD, "history": history}).encode()
    (one,) = misconfiguration.of_config(content, layers=["a", "b"])
    assert (1, "b") == (one.layer_index, one.layer)


def test_a_secret_in_the_history_is_told_and_not_shown():
    token = "AKIA" + "QWERTYUIOPASDF23"
    (one,) = misconfiguration.of_config(config(None, f"RUN /bin/sh -c curl -H {token} a"))
    assert ("secret", "aws-access-key") == (one.kind, one.rule)
    assert token not in str(one)


def test_evidence_of_another_rule_shows_no_secret():
    text = "RUN /bin/sh -c curl -k https://app:h8Kq2vTzm@x.example/a | sh"
    found = misconfiguration.of_config(config(None, text))
    assert {"no-tls-check", "pipe-to-shell", "url-password"} == {one.rule for one in found}
    assert "h8Kq" not in str(found)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[]", b"null", b"\xff", b'{"config": 7}'])
def test_a_config_that_does_not_parse_is_no_error(content):
    found = misconfiguration.of_config(content)
    assert {"user-is-root", "no-healthcheck"} >= {one.rule for one in found}


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("debian", ["base-without-version"]),
        ("debian:latest", ["base-without-version"]),
        ("localhost:5000/debian", ["base-without-version"]),
        ("debian:12", ["base-without-digest"]),
        ("--platform=linux/amd64 debian:12 AS build", ["base-without-digest"]),
        ("scratch", []),
        ("$BASE", []),
    ],
)
def test_the_base_image_is_named_with_its_version(base, expected):
    assert expected == of_file(f"FROM {base}\nUSER 1000\nHEALTHCHECK CMD x\n")


def test_a_stage_is_no_base_image():
    assert ["base-without-digest"] == of_file(
        "FROM debian:12 AS build\nFROM build\nUSER 1000\nHEALTHCHECK CMD x\n"
    )


def test_only_the_last_stage_says_who_it_runs_as():
    assert "user-is-root" in of_file(CLEAN + "FROM scratch\nHEALTHCHECK CMD x\n")
    assert "user-is-root" not in of_file("FROM scratch\nUSER root\n" + CLEAN)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("ADD https://x.example/a /a", "add-remote"),
        ("ADD . /app", "add-local"),
        ("ENV DB_PASSWORD=h8Kq2vTzm", "variable"),
        ("ENV DB_PASSWORD h8Kq2vTzm", "variable"),
        ("ARG API_TOKEN=h8Kq2vTzm", "variable"),
        ("EXPOSE 80 22", "ssh-server"),
        ("ONBUILD RUN x", "onbuild"),
        ("RUN a && \\\n  # told\n\n  chmod 777 /b", "world-writable"),
        ("RUN <<END\nchmod 777 /b\nEND", "world-writable"),
        ("run chmod 777 /b", "world-writable"),
    ],
)
def test_a_dockerfile_is_judged_by_line(line, rule):
    (one,) = misconfiguration.of_dockerfile((CLEAN + line).encode(), path="/Dockerfile")
    assert (rule, 5, "/Dockerfile") == (one.rule, one.line, one.path)
    assert "h8Kq" not in str(one)


@pytest.mark.parametrize("line", ["ADD app.tar.gz /app", "ADD --checksum=sha256:0 https://x /a"])
def test_add_is_right_for_archives_and_checked_downloads(line):
    assert [] == of_file(CLEAN + line)


def test_the_escape_directive_is_obeyed():
    text = "# escape=`\n" + CLEAN + "RUN a `\n chmod 777 /b\nRUN dir C:\\\n"
    assert ["world-writable"] == of_file(text)


def test_refuses_what_is_no_dockerfile():
    for content in (b"", b"RUN x", b"\xff\xfe"):
        with pytest.raises(InvalidInputError):
            misconfiguration.of_dockerfile(content, path="/x")
    with pytest.raises(LimitError):
        misconfiguration.of_dockerfile(b"FROM a\n" + b"RUN x\n" * 3000, path="/x")


@pytest.mark.parametrize(
    ("path", "mode", "owner", "told"),
    [
        ("opt/tool", 0o104755, "", ("setuid", "high")),
        ("usr/sbin/pppd", 0o104754, "ppp", ("setuid", "medium")),
        ("usr/local/bin/x", 0o102755, "", ("setgid", "low")),
        ("usr/bin/passwd", 0o104755, "passwd", None),
        ("usr/bin/passwd", 0o104755, "", ("setuid", "high")),
        ("opt/tool", 0o100755, "", None),
        ("opt/data", 0o104644, "", None),
    ],
)
def test_programs_with_the_rights_of_their_owner_are_told(path, mode, owner, told):
    found = misconfiguration.of_mode(path, mode, owner=owner)
    assert told == ((found.rule, found.severity) if found else None)


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader_of_dockerfiles(text):
    try:
        instructions.of_dockerfile(f"FROM a\n{text}".encode(errors="replace"))
    except (InvalidInputError, LimitError):
        return


@given(st.recursive(st.none() | st.integers() | st.text(max_size=20),
                    lambda x: st.lists(x, max_size=3) | st.dictionaries(
                        st.sampled_from(["config", "history", "Env", "User", "created_by", "Test",
                                         "Healthcheck", "ExposedPorts", "empty_layer"]), x),
                    max_leaves=20))  # fmt: skip
def test_no_config_breaks_the_reader(document):
    misconfiguration.of_config(json.dumps(document).encode(), layers=["a"])

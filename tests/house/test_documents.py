"""Documents in step with the code: settings, events, commands, examples, threats, links."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from house import commands_page, repository
from seawall import config, policy
from seawall.cli import main
from seawall.gate import routes

REFERENCE = repository.DOCS / "reference"
THREATS = repository.DOCS / "threats.md"
PLACEHOLDERS = {"…", "..."}


def settings() -> Iterator[tuple[str, str]]:
    """(`section.key`, default in TOML) of everything that can be set."""
    for section in msgspec.structs.fields(config.Options):
        for key in msgspec.structs.fields(type(section.default)):
            value = list(key.default) if isinstance(key.default, tuple) else key.default
            yield f"{section.name}.{key.name}", msgspec.json.encode(value).decode()


def code(cell: str) -> str:
    return cell.strip("`")


def test_the_settings_page_names_every_setting_with_its_default() -> None:
    rows = [row for row in repository.rows(REFERENCE / "settings.md") if "." in row[0]]
    shown = {code(name): code(default).replace(", ", ",") for name, default, _ in rows}
    assert dict(settings()) == shown


def test_the_settings_page_names_every_variable_of_the_environment() -> None:
    text = (REFERENCE / "settings.md").read_text()
    source = (repository.SOURCE / "config.py").read_text()
    read = set(re.findall(r"environ(?:\.get\(|\[)\"([A-Z_]+)\"", source)) | {"NO_COLOR", "TERM"}
    assert set() == {name for name in read if f"`{name}`" not in text}


def test_the_events_page_names_every_event_with_its_fields() -> None:
    rows = [row for row in repository.rows(REFERENCE / "events.md") if len(row) == 3]
    shown = {code(row[0]): set(re.findall(r"`(\w+)`", row[1])) for row in rows}
    common = {"repository", "digest"}
    true = {
        name: {f.name for f in msgspec.structs.fields(kind)} - common
        for name, kind in repository.events().items()
    }
    assert true == shown


def test_the_commands_page_is_what_the_parsers_say() -> None:
    assert commands_page.text() == commands_page.PAGE.read_text(), (
        "run: python tests/house/commands_page.py"
    )


def test_the_gate_page_names_every_route() -> None:
    text = (REFERENCE / "gate.md").read_text()
    shown = set(re.findall(r"^(?:GET|HEAD|POST|PUT|DELETE) /\S*", text, re.M))
    assert {str(route) for route in routes.ROUTES} == shown


def examples(*languages: str) -> list[object]:
    return [
        pytest.param(block, id=f"{path.relative_to(repository.ROOT)}-{number}")
        for path in repository.documents()
        for number, block in enumerate(repository.blocks(path))
        if block.language in languages
    ]


@pytest.mark.parametrize("block", examples("yaml"))
def test_policies_in_the_documents_load(block: repository.Block) -> None:
    assert policy.load(block.text.encode()).policies


@pytest.mark.parametrize("block", examples("toml"))
def test_settings_in_the_documents_load(block: repository.Block, tmp_path: Path) -> None:
    (tmp_path / config.SETTINGS_FILE).write_text(block.text)
    assert config.load(str(tmp_path)).options != config.Options()


def command_lines(text: str) -> Iterator[str]:
    """Each `seawall …` of a shell example: continued lines joined, lists taken apart."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line.strip(), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        try:
            words = [w for w in lexer if w not in {"$", "sudo"}]
        except ValueError:
            continue  # an open quotation mark: prose, or output that is shown
        for is_end, group in itertools.groupby(words, lambda w: set(w) <= set(";&|<>()")):
            command = list(group)
            if not is_end and command[0].removeprefix(".venv/bin/") == "seawall":
                yield shlex.join(["seawall", *command[1:]])


def inline_commands(text: str) -> Iterator[str]:
    prose = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for found in re.findall(r"`((?:\.venv/bin/)?seawall [^`\n]+)`", prose):
        yield found.removeprefix(".venv/bin/")


def parse(line: str) -> None:
    """Parse a command line with the true parser. Raises SystemExit when it is wrong."""
    main._parse(shlex.split(line)[1:])


def exit_code(line: str) -> int:
    """Return 0 for a line that parses, or asks for help; else argparse's code."""
    try:
        parse(line)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def all_lines() -> list[str]:
    found: list[str] = []
    for path in repository.documents():
        if path == commands_page.PAGE:
            continue  # it is made from the parsers
        for block in repository.blocks(path):
            if block.language == "sh":
                found += command_lines(block.text)
        found += [
            line for line in inline_commands(path.read_text())
            if not PLACEHOLDERS & set(line.split()) and is_whole(line)
        ]  # fmt: skip
    return sorted(set(found))


def is_whole(line: str) -> bool:
    """Prose may name a command and its action alone; with anything more it must parse."""
    return len(line.split()) > 3


@pytest.mark.parametrize("line", all_lines())
def test_command_lines_in_the_documents_parse(line: str) -> None:
    assert 0 == exit_code(line), line


def test_the_check_of_command_lines_can_fail() -> None:
    assert 2 == exit_code("seawall scan --no-such-option team/app:1")
    assert 2 == exit_code("seawall nothing")


def test_every_command_of_a_line_is_seen() -> None:
    line = "docker ps && seawall audit head; sudo seawall audit > file  # seawall nothing"
    assert ["seawall audit head", "seawall audit"] == list(command_lines(line))


def test_commands_named_in_prose_exist() -> None:
    known = {command.name for command in main.COMMANDS}
    for path in repository.documents():
        text = re.sub(r"^ *```.*?^ *```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        for name in re.findall(r"`seawall ([a-z]+)", text):
            assert name in known, f"{path.name}: seawall {name}"


def test_threats_name_every_attack_file_and_only_files_that_exist() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", THREATS.read_text()))
    attacks = (repository.ROOT / "tests" / "attack").glob("test_*.py")
    assert set() == {str(p.relative_to(repository.ROOT)) for p in attacks} - named
    assert set() == {name for name in named if not (repository.ROOT / name).is_file()}


def test_threats_name_only_tests_that_exist() -> None:
    everything = "\n".join(p.read_text() for p in (repository.ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", THREATS.read_text())
    assert [] == [name for name in named if f"def {name}(" not in everything]


def test_links_lead_somewhere() -> None:
    for path in [*repository.documents(), repository.ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name} → {target}"

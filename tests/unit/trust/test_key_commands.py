import json

import pytest

from seawall.cli.main import main
from seawall.store import Database, migrate
from seawall.trust import key_files, keys

PHRASE = "correct horse battery"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SEAWALL_CONFIG_HOME", raising=False)
    (tmp_path / "passphrase").write_text(PHRASE + "\nsecond line\n")
    return tmp_path


@pytest.fixture
def state(home):
    """An installation with an empty database."""
    from seawall.app import databases

    (home / "state").mkdir()
    databases.import_tables()
    database = Database.open_file(home / "state" / "seawall.sqlite")
    migrate.migrate(database)
    database.close()
    return home / "state"


def generate(home, *more):
    return main(["key", "generate", "--passphrase-file", str(home / "passphrase"), *more])


def test_a_key_is_made_where_sign_looks_for_it(home, capsys):
    assert 0 == generate(home, "--json")
    made = json.loads(capsys.readouterr().out)
    assert str(home / ".config/seawall/keys/seawall.key") == made["private"]
    assert made["key_id"] == key_files.read_public(home / ".config/seawall/keys/seawall.pub").key_id


def test_a_key_is_never_overwritten(home, capsys):
    prefix = str(home / "release")
    assert 0 == generate(home, "--output", prefix)
    before = (home / "release.key").read_bytes()
    assert 3 == generate(home, "--output", prefix)
    assert "never overwritten" in capsys.readouterr().err
    assert before == (home / "release.key").read_bytes()


def test_a_person_types_the_passphrase_twice(home, monkeypatch, capsys):
    typed = iter([PHRASE, PHRASE + "!", PHRASE, PHRASE])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(typed))
    words = ["key", "generate", "--output", str(home / "typed")]
    assert 2 == main(words)
    assert "differ" in capsys.readouterr().err
    assert not (home / "typed.key").exists()
    assert 0 == main(words)


def test_without_a_terminal_the_way_out_is_named(home, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert 2 == main(["key", "generate", "--output", str(home / "x")])
    assert "--passphrase-file" in capsys.readouterr().err


def test_keys_are_trusted_listed_and_distrusted(home, state, capsys):
    generate(home, "--output", str(home / "release"))
    capsys.readouterr()
    trust = ["key", "trust", str(home / "release.pub"), "--for", "team/*", "--state", str(state)]
    assert 0 == main([*trust, "--json"])
    key = json.loads(capsys.readouterr().out)
    assert ("release", ["team/*"]) == (key["name"], key["patterns"])
    assert 0 == main(["key", "--state", str(state), "list"])
    assert key["key_id"] in capsys.readouterr().out
    assert 0 == main(["key", "distrust", key["key_id"][:12], "--state", str(state)])
    capsys.readouterr()
    assert 0 == main(["key", "list", "--state", str(state)])
    assert "" == capsys.readouterr().out
    assert 3 == main(["key", "distrust", "release", "--state", str(state)])


def test_show_prints_the_id(home, capsys):
    generate(home, "--output", str(home / "a"))
    capsys.readouterr()
    assert 0 == main(["key", "show", str(home / "a.pub")])
    public = keys.parse_public((home / "a.pub").read_bytes())
    assert public.key_id == capsys.readouterr().out.strip()
    assert 2 == main(["key", "show", str(home / "a.key")])

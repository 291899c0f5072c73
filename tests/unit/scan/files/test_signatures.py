"""Rules tell a product's own file from a copy, a mention and a fork; both engines agree."""

from __future__ import annotations

import importlib.util
import io
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError
from seawall.oci import layers, media
from seawall.oci.tar import Kind
from seawall.scan.files import examine, literals, rules, signatures, version_texts
from seawall.scan.files.model import Claim
from seawall.testing import executables

RULES = r"""
[tls]
cpe = "acme:tls"
soname = 'libtls\.so'
program = ["usage: tls"]
copy = ['AcmeTLS (\d\.\d)']

[store]
own = [{ text = '(\d\.\d\.\d)', whole = true, needs = ["store-server"] }]

[fork]
beats = ["store"]
own = ['fork/(\d\.\d\.\d)']

[numbers]
copy = [{ text = '(2)(\d\d)(\d\d)', whole = true, needs = ["numberlib"] }]
absent = ["othernumberlib"]
"""
KNOWN = signatures.Signatures(rules.parse(RULES))


def claims(content: bytes, **header: object) -> list[tuple[str, str, str]]:
    found = KNOWN.claims(content, **header)  # type: ignore[arg-type]
    return [(each.product, each.version, each.role) for each in found]


def test_a_library_is_its_own_by_its_soname() -> None:
    assert [("tls", "1.2", "installed")] == claims(b"x AcmeTLS 1.2 x", soname="libtls.so.1")


def test_a_program_is_its_own_by_its_texts() -> None:
    assert [("tls", "1.2", "installed")] == claims(b"AcmeTLS 1.2\0usage: tls")


def test_code_in_another_file_is_a_copy() -> None:
    assert [("tls", "1.2", "bundled")] == claims(b"AcmeTLS 1.2", soname="libother.so")


def test_a_file_that_loads_the_library_holds_no_copy() -> None:
    assert [] == claims(b"built with AcmeTLS 1.2", needed=["libtls.so.1"])


def test_a_fork_is_not_taken_for_what_it_was_forked_from() -> None:
    text = b"\0001.2.3\0store-server\0"
    assert [("store", "1.2.3", "installed")] == claims(text)
    assert [("fork", "9.0.0", "installed")] == claims(text + b"fork/9.0.0")


def test_a_text_that_disproves_silences_the_rule() -> None:
    assert [("numbers", "2.9.14", "bundled")] == claims(b"numberlib\0\x0020914\0")
    assert [] == claims(b"othernumberlib numberlib\0\x0020914\0")


def test_several_versions_make_a_claim_doubtful() -> None:
    found = KNOWN.claims(b"AcmeTLS 1.2 AcmeTLS 1.3 AcmeTLS 1.3 usage: tls")
    assert [("1.3", signatures.DOUBTFUL)] == [(each.version, each.confidence) for each in found]


def test_the_place_of_the_version_is_told() -> None:
    content = b"." * 5_000 + b"AcmeTLS 1.2"
    (found,) = KNOWN.claims(content)
    assert content[found.offset :].startswith(b"1.2")


def test_the_name_of_the_file_plays_no_part() -> None:
    content = executables.elf({".rodata": b"\0nginx version: nginx/1.25.1\0"})
    for path in ("usr/sbin/nginx", "opt/harmless"):
        found = examine.examine(content, path)
        assert found is not None
        assert [("nginx", "1.25.1")] == [(each.product, each.version) for each in found.claims]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\nown = ['x(1)']", "no fixed text"),
        ("[a]\nown = ['fixed text']", "no group"),
        ("[a]\nown = [{ text = '(1)', whole = true }]", "needs no other text"),
        ("[a]\nown = ['text (']", "rule 'a'"),
        ("[a]\nnothing = 1", "unknown field"),
        ("[a]", "no pattern"),
        ("[a", "not TOML"),
    ],
)
def test_refuses_a_rule_that_cannot_work(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        rules.parse(text)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"OpenSSL (\d\.\d)", b"OpenSSL "),
        (r"ab(cdef)gh", b"ab"),
        (r"abc|defg", b""),
        (r"a\.b\d", b"a.b"),
        (r"[abc]def?ghi", b"ghi"),
        (r"ab+cde", b"cde"),
        (r"\x00abc", b"abc"),
        (r"ab{2}cdef", b"cdef"),
    ],
)
def test_the_fixed_text_of_a_pattern(pattern: str, expected: bytes) -> None:
    assert expected == rules.fixed_text(pattern)


@settings(max_examples=30)
@given(
    st.from_regex(r"[ab]{1,3}(\.|\\d|[xy]\+|(c|dd)|e{2}|f\?)[gh]{1,3}", fullmatch=True), st.data()
)
def test_every_match_holds_the_fixed_text(pattern: str, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(pattern, fullmatch=True))
    assert rules.fixed_text(pattern) in text.encode("utf-8", "replace")


def test_every_shipped_rule_names_its_forks_and_has_an_own_way_to_be_found() -> None:
    known = signatures.shipped()._rules
    names = {rule.product for rule in known}
    assert len(names) >= 150
    assert [] == [beaten for rule in known for beaten in rule.beats if beaten not in names]


needs_hyperscan = pytest.mark.skipif(
    importlib.util.find_spec("hyperscan") is None,
    reason="needs the extra 'fast' (hyperscan), and it is absent",
)


@needs_hyperscan
@settings(max_examples=50)
@given(st.lists(st.sampled_from([b"ab", b"abc", b"bc", b"x\0", b"zz"])), st.binary(max_size=20))
def test_both_engines_find_the_same_texts(parts: list[bytes], noise: bytes) -> None:
    content = noise + b"".join(parts) + noise
    assert FAST.find(content) == PLAIN.find(content)


TEXTS = [b"ab", b"abc", b"bc", b"x\0", b"zzz"]
PLAIN = literals.Literals(TEXTS, literals.AhoCorasick)
FAST = (
    literals.Literals(TEXTS, literals.Hyperscan) if importlib.util.find_spec("hyperscan") else PLAIN
)


@needs_hyperscan
@pytest.mark.parametrize("pattern", [version_texts._WHOLE, version_texts._DOTTED])
def test_both_engines_find_the_same_versions(pattern: bytes) -> None:
    plain, fast = version_texts.plain_finder(pattern), version_texts.fast_finder(pattern)

    @given(st.lists(st.sampled_from([b"\0", b"1", b".", b"v", b"a", b"\xff", b" ", b"12.3"])))
    def agree(parts: list[bytes]) -> None:
        content = b"".join(parts)
        assert {start for start, _ in fast(content)} == {start for start, _ in plain(content)}

    agree()


def test_numbers_too_short_for_a_version_do_not_use_up_the_bound() -> None:
    noise = b"\xff7\0\xffv1\0\xff17\0" * version_texts.MAX_STRINGS
    assert {len(noise) + 1: b"1.2"} == version_texts.whole(noise + b"\xff1.2\0")


def test_texts_across_the_border_of_chunks_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literals, "_CHUNK", 16)
    content = b"." * 14 + b"abc" + b"." * 11 + b"zzz"
    assert {0: [14], 1: [14], 2: [15], 4: [28]} == PLAIN.find(content)


@given(st.binary(max_size=400))
def test_any_bytes_are_examined(content: bytes) -> None:
    KNOWN.claims(content)
    version_texts.whole(content)
    version_texts.in_context(content)


# Names under which the fixtures know a product, where ours differ.
ALSO = {"mysqld": "mysql", "ndb_mgmd": "mysql", "mysql-cluster": "mysql", "postgres": "postgresql",
        "nginx-openresty": "openresty", "valkey-server": "valkey", "heimdal-krb5": "heimdal",
        "pypy-shared-lib": "pypy", "swipl": "swi-prolog"}  # fmt: skip
MARK = b"### byte snippet to follow ###\n"


def snippets(shared: Path) -> list[tuple[str, str, str, bytes]]:
    """Return product, version, file name and bytes of every snippet of real programs."""

    path = shared / "data" / "fixtures" / "binary-snippets.tar.zst"
    if not path.exists():
        pytest.skip("needs the snippets of real programs, and they are absent")
    found = []
    for entry in layers.walk(io.BytesIO(path.read_bytes()), media.OCI_LAYER):
        if entry.kind is Kind.FILE:
            _, product, version, *_, name = entry.path.split("/")
            content = entry.read(1_000_000)
            found.append((ALSO.get(product, product), version, name, content.rpartition(MARK)[2]))
    return found


def test_snippets_of_real_programs_get_no_wrong_product(shared: Path) -> None:
    known = signatures.shipped()
    right, wrong = 0, []
    for product, version, name, content in snippets(shared):
        told: tuple[Claim, ...] = known.claims(content)
        is_right = [each for each in told if each.product == product]
        wrong += [(product, version, name, each) for each in told if each.product != product]
        wrong += [
            (product, version, name, each)
            for each in is_right
            if not (version.startswith(each.version) or each.version.startswith(version))
        ]
        right += bool(is_right)
    assert [] == [each for each in wrong if each[0] != "mysql"]
    assert right >= 50

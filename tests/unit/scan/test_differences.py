"""What two reports say differently."""

from __future__ import annotations

import msgspec

from seawall.scan import differences
from seawall.scan.outputs import difference
from seawall.scan.severity import Severity
from seawall.testing import reports

FULL = reports.full()


def with_findings(*findings):
    return msgspec.structs.replace(FULL, findings=findings)


def test_a_report_does_not_differ_from_itself():
    found = differences.between(FULL, FULL)
    assert ((), (), (), ()) == (found.new, found.gone, found.changed, found.packages)
    assert 7 == found.unchanged


def test_new_and_gone_are_seen_from_the_first_to_the_second():
    first, *others = FULL.findings
    found = differences.between(with_findings(*others), with_findings(first, *others[1:]))
    assert ([first], [others[0]]) == ([*found.new], [*found.gone])


def test_an_update_that_leaves_the_hole_open_is_a_change():
    old = FULL.findings[3]
    new = msgspec.structs.replace(old, version="9", purl="p@9", severity=Severity.CRITICAL)
    found = differences.between(with_findings(old), with_findings(new))
    assert ((), ()) == (found.new, found.gone)
    assert ("version", "severity") == found.changed[0].fields


def test_a_rebuild_that_moves_layers_is_none():
    moved = [msgspec.structs.replace(one, layer="sha256:1", layer_index=9) for one in FULL.findings]
    found = differences.between(FULL, with_findings(*moved))
    assert (7, ()) == (found.unchanged, found.changed)


def test_a_hole_under_another_name_is_found_by_its_aliases():
    old = FULL.findings[1]
    new = msgspec.structs.replace(old, id=old.aliases[0], aliases=(old.id,))
    assert 1 == differences.between(with_findings(old), with_findings(new)).unchanged


def test_packages_are_compared_by_all_their_versions():
    inventory = msgspec.structs.replace(
        FULL.inventory, components=(msgspec.structs.replace(reports.in_python("/a"), version="4"),)
    )
    found = differences.between(FULL, msgspec.structs.replace(FULL, inventory=inventory))
    by_name = {one.name: one for one in found.packages}
    assert (("3.1.2",), ("4",)) == (by_name["jinja2"].before, by_name["jinja2"].after)
    assert (("1.36.1",), ()) == (by_name["busybox"].before, by_name["busybox"].after)


def test_other_feeds_make_reports_hard_to_compare():
    clean = reports.clean()
    assert differences.between(clean, clean).is_comparable
    other = msgspec.structs.replace(clean, feeds=())
    found = differences.between(clean, other)
    assert not found.is_comparable
    assert "NOT QUITE COMPARABLE" in "\n".join(difference.lines(found))


def test_hostile_names_do_not_move_the_cursor():
    found = differences.between(reports.clean(), reports.hostile())
    for line in difference.lines(found):
        assert line.isprintable()

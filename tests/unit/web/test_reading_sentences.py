"""Every kind of event has its sentence; what other versions wrote is named."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import seawall
from seawall import audit
from seawall.core import actor as actors
from seawall.fleet.events import ContainerCreated
from seawall.identity.events import LoginFailed
from seawall.policy.events import AdmissionRefused, VerdictGiven
from seawall.registry.events import ManifestPushed, TagMoved
from seawall.scan.events import FindingsChanged, ReportMade
from seawall.web import sentences


def kinds_of_the_house() -> set[type[audit.Event]]:
    for module in pkgutil.walk_packages(seawall.__path__, "seawall."):
        if module.name.endswith(".events"):
            importlib.import_module(module.name)
    found, todo = set[type[audit.Event]](), [audit.Event]
    while todo:
        for kind in todo.pop().__subclasses__():
            todo.append(kind)
            if kind.__module__.startswith("seawall."):
                found.add(kind)
    return found


def entry(event: audit.Event, body: bytes | None = None) -> audit.Entry:
    return audit.Entry(
        seq=1,
        at="2026-01-01T12:00:00.000000Z",
        kind=event.kind(),
        actor=actors.SYSTEM,
        repository=event.repository,
        digest=event.digest,
        body=audit.body_of(event) if body is None else body,
        hash=b"",
    )


PUSHED = ManifestPushed(
    media_type="x", tags=["1", "2"], size=1, subject=None, artifact_type="", is_image=True
)


def test_every_kind_of_event_of_the_house_has_a_sentence() -> None:
    assert kinds_of_the_house() == set(sentences.kinds().values())


@pytest.mark.parametrize(
    ("expected", "event"),
    [
        ("pushed an image as 1, 2", PUSHED),
        (
            "moved the tag 1 away from aaaaaaaaaaaa",
            TagMoved(tag="1", previous="sha256:" + "a" * 64),
        ),
        (
            "made the tag for signatures of bbbbbbbbbbbb",
            TagMoved(tag=f"sha256-{'b' * 64}.sig", previous=None),
        ),
        (
            "scanned 1 package: 2 high; 1 can be fixed",
            ReportMade(
                findings_by_severity={"high": 2},
                fixable=1,
                fixable_by_severity={"high": 1},
                components=1,
                unjudged=0,
                is_partial=False,
                feeds=[],
            ),
        ),
        (
            "new advisories: newly vulnerable: CVE-1; withdrawn: CVE-2",
            FindingsChanged(
                newly_vulnerable=["CVE-1"],
                newly_fixed=[],
                withdrawn=["CVE-2"],
                changes=2,
                findings_by_severity={"high": 1},
                fixable=0,
                exploited=0,
            ),
        ),
        (
            "judged the image 1: refused by policy built-in (no rule says yes)",
            VerdictGiven(tag="1", allowed=False, policy="built-in"),
        ),
        (
            "was refused: run alpine (no reason was written down)",
            AdmissionRefused(action="run", image="alpine", reasons=()),
        ),
        (
            "ran app as container cccccccccccc under verdict 7",
            ContainerCreated(container="c" * 64, engine="e", image="app", verdict=7),
        ),
        (
            "failed to log in as somebody unknown, 2 times in a row",
            LoginFailed(name="", failures=2, unrecorded=0),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_event_is_told_in_one_sentence(expected: str, event: audit.Event) -> None:
    assert expected == sentences.of_entry(entry(event))


def test_an_event_of_another_version_is_named_and_not_left_out() -> None:
    assert "caused ManifestPushed, written in a form that this version does not read" == (
        sentences.of_entry(entry(PUSHED, b"{}"))
    )


def test_an_event_of_an_unknown_kind_is_named() -> None:
    class SomethingNew(audit.Event):
        pass

    assert "caused SomethingNew" == sentences.of_entry(entry(SomethingNew()))


def test_long_texts_are_cut() -> None:
    told = sentences.of_entry(entry(AdmissionRefused(action="run", image="x" * 9_999, reasons=())))

    assert len(told) < 300


def test_something_that_is_no_event_has_no_sentence() -> None:
    with pytest.raises(TypeError):
        sentences.of(object())

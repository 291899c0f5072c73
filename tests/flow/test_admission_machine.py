"""Whatever happens in whatever order, nothing runs that no trusted key vouches for now."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from seawall.core.errors import NotFoundError
from seawall.engine.model import Admitted
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.testing import images, signatures
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import CRITICAL, OPERATOR, OTHER, Stage, image, osv

IMAGES: Final = tuple(image(pillow=version) for version in ("9.0", "11.0", "11.1"))
KEYS: Final = tuple(signatures.new_key() for _ in range(2))
TAGS: Final = ("1", "2")
MAX_SCAN_AGE: Final = dt.timedelta(days=7)

made = st.sampled_from(IMAGES)
tags = st.sampled_from(TAGS)
keys = st.sampled_from(range(len(KEYS)))


class House(RuleBasedStateMachine):
    """One repository of a house that all examples share; a model of who signed what in it."""

    stage: ClassVar[Stage]
    clock: ClassVar[FakeClock]
    numbers: ClassVar[Iterator[int]] = itertools.count()
    admitted: ClassVar[int] = 0

    @initialize(signed_for=st.sampled_from(("nothing", "this", "another")))
    def start(self, signed_for: str) -> None:
        self.repository = RepositoryName(f"shop/app-{next(self.numbers)}")
        self.tagged: dict[str, Digest] = {}
        self.signed: set[tuple[int, Digest, str]] = set()
        self.trusted: set[int] = set()
        for number in range(len(KEYS)):
            self.distrust(number)
        if signed_for != "nothing":  # one image may run, or lacks the signature only
            sign = self.sign if signed_for == "this" else self.sign_for_another_repository
            clean = IMAGES[-1]
            self.push(clean, "1")
            sign(0, clean, "1")
            self.trust(0)
            self.work()

    def teardown(self) -> None:
        for one in IMAGES:  # or later examples would renew their reports, too
            with contextlib.suppress(NotFoundError):
                self.stage.house.registry.delete_manifest(self.repository, one.digest, OPERATOR)

    @rule(made=made, tag=tags)
    def push(self, made: images.Image, tag: str) -> None:
        self.tagged[tag] = self.stage.push(self.repository, made, tag)

    @rule(number=keys, made=made, tag=tags)
    def sign(self, number: int, made: images.Image, tag: str) -> None:
        if made.digest in self.tagged.values():
            self.stage.sign(KEYS[number], self.repository, made, tag)
            self.signed.add((number, made.digest, tag))

    @rule(number=keys, made=made, tag=tags)
    def sign_for_another_repository(self, number: int, made: images.Image, tag: str) -> None:
        if made.digest in self.tagged.values():
            self.stage.sign(KEYS[number], OTHER, made, tag, into=self.repository)

    @rule(number=keys)
    def trust(self, number: int) -> None:
        self.stage.trust(KEYS[number], f"key-{number}", [str(self.repository)])
        self.trusted.add(number)

    @rule(number=keys)
    def trust_for_another_repository(self, number: int) -> None:
        self.stage.trust(KEYS[number], f"key-{number}", ["other/*"])
        self.trusted.discard(number)

    @rule(number=keys)
    def distrust(self, number: int) -> None:
        with contextlib.suppress(NotFoundError):
            trusted = self.stage.house.trusted_keys
            trusted.distrust(KEYS[number].public.key_id, actor=OPERATOR)
        self.trusted.discard(number)

    @rule(fixed=st.sampled_from(("10.0", "11.1")))
    def import_advisories(self, fixed: str) -> None:
        path = self.stage.directory / "PyPI.jsonl"
        path.write_text(osv("PYSEC-2026-1", "PyPI", "pillow", fixed, CRITICAL) + "\n")
        self.stage.house.advisories.import_file(path, actor=OPERATOR)

    @rule(hours=st.sampled_from((1, 30, 200)))
    def wait(self, hours: int) -> None:
        self.clock.advance(dt.timedelta(hours=hours))

    @rule()
    def work(self) -> None:
        self.stage.work()

    @invariant()
    def nothing_runs_that_nobody_vouches_for(self) -> None:
        for tag, digest in self.tagged.items():
            self._ask(f"{self.repository}:{tag}", digest, {tag})
        for digest in set(self.tagged.values()):
            self._ask(f"{self.repository}@{digest}", digest, set(TAGS))

    def _ask(self, name: str, digest: Digest, named: set[str]) -> None:
        answer = self.stage.may_run(name)
        if not isinstance(answer, Admitted):
            return
        type(self).admitted += 1
        assert answer.digest == digest
        assert any((key, digest, tag) in self.signed for key in self.trusted for tag in named)
        report = self.stage.house.reports.latest(digest)
        assert report is not None
        scanned_at = dt.datetime.fromisoformat(report.scanned_at)
        assert self.clock.now() - scanned_at <= MAX_SCAN_AGE


def test_nothing_runs_that_no_trusted_key_vouches_for() -> None:
    with tempfile.TemporaryDirectory() as directory:
        clock = FakeClock()
        with Stage.opened(Path(directory), clock) as stage:
            stage.import_feeds()
            House.stage, House.clock = stage, clock
            run_state_machine_as_test(
                House,
                settings=settings(
                    max_examples=15,
                    stateful_step_count=20,
                    deadline=None,
                    phases=(Phase.reuse, Phase.generate),  # to shrink it takes minutes
                    suppress_health_check=list(HealthCheck),
                ),
            )
    assert House.admitted > 0

"""`seawall explain IMAGE`: may it run, which rule says so, and what would change that."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seawall.cli import local

if TYPE_CHECKING:
    from seawall.config import Settings
    from seawall.flows.vouching import NumberedStep
    from seawall.policy import Verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="[HOST/]REPOSITORY[:TAG][@DIGEST]")
    parser.add_argument("--proof", action="store_true", help="show every step that was proven, too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = "Exit codes: 0 it may run, 1 it may not, 2 wrong input, 3 it is not here"


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall import policy
    from seawall.app import setup

    reference = local.own_image(options.image, settings)
    with setup.opened(settings) as house:
        digest = local.find(reference, house)
        tag = None if reference.digest else reference.tag
        judgement = house.judge.judge(reference.repository, digest, tag=tag)
    verdict, steps = judgement.verdict, judgement.vouched.steps
    if options.json:
        print(json.dumps(_document(verdict) | {"proof": [dataclasses.asdict(s) for s in steps]}))
        return 0 if verdict.is_allowed else 1
    print(policy.explain(verdict))
    if options.proof:
        _print_steps(steps)
    return 0 if verdict.is_allowed else 1


def _print_steps(steps: Sequence[NumberedStep]) -> None:
    part = ""
    for step in steps:
        if step.part != part:
            print(f"  {local.printable(step.part)}")
        part = step.part
        mark = "ok" if step.is_passed else "NO"
        print(
            f"  {step.number:>2}  {step.name:<11} {mark}  {local.printable(step.detail)}".rstrip()
        )


def _document(verdict: Verdict) -> dict[str, object]:
    return {
        "is_allowed": verdict.is_allowed,
        "repository": verdict.repository,
        "digest": verdict.digest,
        "policy": verdict.policy,
        "rules": [
            {
                "rule": result.rule,
                "mode": result.mode.value,
                "is_passed": result.is_passed,
                "evidence": result.evidence,
                "remedy": result.remedy,
                "waived": list(result.waived),
            }
            for result in verdict.results
        ],
    }

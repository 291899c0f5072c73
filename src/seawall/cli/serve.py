"""`seawall serve PROCESS`: run one process alone; `seawall up` starts its processes with this."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seawall.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("process", choices=["web", "gate", "worker"])
    parser.add_argument("--index", type=int, default=0, help="number of the worker")
    parser.add_argument("--ready-fd", type=int, default=-1, help=argparse.SUPPRESS)
    parser.add_argument("--lifeline-fd", type=int, default=-1, help=argparse.SUPPRESS)


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import processes
    from seawall.app.lifeline import Lifeline

    lifeline = Lifeline(ready_descriptor=options.ready_fd, lifeline_descriptor=options.lifeline_fd)
    match options.process:
        case "web":
            processes.run_web(settings, lifeline)
        case "gate":
            processes.run_gate(settings, lifeline)
        case _:
            processes.run_worker(settings, lifeline, index=options.index)
    return 0

"""`seawall up`: start everything over one state directory, and stay until told to stop."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seawall.app.setup import Prepared
    from seawall.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Starts the web process (registry, tokens, pages), the gate in front of the Docker\n"
        "Engine, and the workers that scan. Ctrl-C stops all of them cleanly. Settings stand in\n"
        "seawall.toml in the state directory; without that file the safe defaults hold."
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import lock, processes, setup, supervisor

    started = time.monotonic()
    _say(f"state in {settings.state}")
    setup.make_directories(settings)
    with lock.held(settings.run), lock.family(settings.run, _say) as family:
        prepared = setup.prepare(settings)
        _tell_first_password(prepared)
        children = processes.children(settings)
        supervisor.Supervisor(children=children, say=_say, family=family).run(
            on_ready=lambda: _announce(settings, prepared, time.monotonic() - started)
        )
        _say("stopped")
    return 0


def _tell_first_password(prepared: Prepared) -> None:
    """Show it before anything is started: a start that fails must not swallow it."""
    if prepared.first_password is not None:
        _say("")
        _say("first administrator  admin")
        _say(f"password             {prepared.first_password.reveal()}")
        _say("shown this once; change it with: seawall user password admin")
        _say("")


def _announce(settings: Settings, prepared: Prepared, seconds: float) -> None:
    options = settings.options
    _say(f"pages and registry  {settings.url}  ({options.web.host}:{options.web.port})")
    _say(f"gate, mutual TLS    tcp://{options.gate.names[0]}:{options.gate.port}")
    _say(f"gate, this machine  unix://{settings.gate_socket}")
    _say(f"workers             {options.workers.count}")
    if prepared.engine:
        _say(f"engine              {prepared.engine}")
    else:
        _say("engine              none found: images are kept and scanned, nothing runs")
        _say("                    install one: apt-get install docker.io, then start dockerd;")
        _say("                    it is used as soon as it answers")
    for hint in prepared.hints:
        _say(hint)
    _say(f"ready in {seconds:.1f} s; Ctrl-C stops")


def _say(line: str) -> None:
    print(f"seawall: {line}" if line else "", file=sys.stderr, flush=True)

"""The processes: what each consists of, and how `seawall up` starts it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import uvloop
from aiohttp import web

from seawall import notary
from seawall.api import enrolment as enrolment_api
from seawall.api import log as log_api
from seawall.api import pending as pending_api
from seawall.app import engine_socket, issuing, rooms
from seawall.app.lifeline import Lifeline
from seawall.app.setup import opened
from seawall.app.supervisor import Child
from seawall.config import Settings
from seawall.core import files, ids
from seawall.core.errors import SeawallError
from seawall.distribution import door, tokens
from seawall.engine import docker
from seawall.flows import forgetting, rejudging, scanning, transparency
from seawall.flows.forgetting import Forgetting
from seawall.gate import server as gate
from seawall.gate.settings import GateSettings
from seawall.gate.tls import TlsFiles
from seawall.ingress import boundary, browser, server, tls
from seawall.ingress.bearer import BearerAuthenticator
from seawall.ingress.credentials import Credentials
from seawall.ingress.sessions import LoginSessions
from seawall.isolation import seccomp
from seawall.jobs import dispatch
from seawall.jobs.clockwork import Clockwork, Duty
from seawall.jobs.worker import Worker
from seawall.scan.workers import Workers
from seawall.web import failures, pages
from seawall.web.reading import HousePages, engines

ENGINE_FALLBACK = Path("/var/run/docker.sock")
ENGINE_DEADLINE_S: Final = 10.0
EVERY_HOUR: Final = dt.timedelta(hours=1)

_log = logging.getLogger(__name__)


def children(settings: Settings) -> list[Child]:
    """Return the processes that `seawall up` runs."""
    names = ["web", "gate"]
    arguments: dict[str, Sequence[str]] = {name: [name] for name in names}
    for index in range(settings.options.workers.count):
        arguments[f"worker-{index}"] = ["worker", "--index", str(index)]
    return [
        Child(
            name=name,
            arguments=["serve", "--state", str(settings.state), *words],
            log=settings.logs / f"{name}.log",
        )
        for name, words in arguments.items()
    ]


def run_web(settings: Settings, lifeline: Lifeline) -> None:
    """Serve registry, tokens and pages until told to stop."""
    _log_to_stderr()
    with opened(settings) as house:
        uvloop.run(_web(house, lifeline))


def run_gate(settings: Settings, lifeline: Lifeline) -> None:
    """Stand in front of the engine until told to stop."""
    _log_to_stderr()
    with opened(settings) as house:
        uvloop.run(_gate(house, lifeline))


def run_worker(settings: Settings, lifeline: Lifeline, *, index: int) -> None:
    """Scan and judge until told to stop. Layers are read by processes that may do nothing else."""
    _log_to_stderr()
    stop = lifeline.stop_event()
    with opened(settings) as joined, Workers() as readers:
        confined = dataclasses.replace(joined.scanning, read_layer=readers.facts_of)
        house = dataclasses.replace(joined, scanning=confined)
        clockwork = duties(house)
        clockwork.start()
        lifeline.ready()
        worker(house, clockwork, owner=_owner(settings, index)).run(stop)


def duties(house: rooms.House) -> Clockwork:
    """Return what the workers do by the clock."""
    renew = Duty(name="renew-reports", every=EVERY_HOUR, do=house.scanning.renew_reports)
    uploads = Duty(name="drop-uploads", every=EVERY_HOUR, do=_drop_uploads(house))
    measure = Duty(name="measure", every=EVERY_HOUR, do=house.scanning.trending.measure)
    forget = Duty(name="forget-reports", every=EVERY_HOUR, do=_forgetting(house).forget_deleted)
    found = (renew, uploads, measure, forget)
    return Clockwork(database=house.database, clock=house.clock, duties=found)


def worker(house: rooms.House, clockwork: Clockwork, *, owner: str) -> Worker:
    """Return a worker that does everything there is to do."""
    return Worker(
        database=house.database,
        clock=house.clock,
        owner=owner,
        tasks=house.scanning.tasks()
        | house.rejudging.tasks()
        | house.logging.tasks()
        | _forgetting(house).tasks()
        | clockwork.tasks(),
        rules=dispatch.joined(
            scanning.RULES, rejudging.RULES, transparency.RULES, forgetting.RULES
        ),
        patient=scanning.PATIENT,
    )


def _owner(settings: Settings, index: int) -> str:
    """Return a name that the worker keeps in its next life, and none on another machine has."""
    here = files.read_or_create_private(settings.run / "replica", lambda: ids.new_id().encode())
    return f"{here.decode()}/worker-{index}"


def _forgetting(house: rooms.House) -> Forgetting:
    return Forgetting(
        database=house.database,
        registry=house.registry,
        reports=house.reports,
        receipts=house.receipts,
        find_containers=lambda: _containers(house.settings),
    )


def _containers(settings: Settings) -> frozenset[str] | None:
    """Return the ids of all containers that the engine has; None when it cannot be asked."""
    socket = engine_socket.find(settings)
    if socket is None:
        return None
    try:
        engine = docker.Docker(socket, deadline_s=ENGINE_DEADLINE_S)
        return frozenset(one.id for one in engine.containers(with_stopped=True))
    except SeawallError:
        return None


def _drop_uploads(house: rooms.House) -> Callable[[], None]:
    def drop() -> None:
        if dropped := house.registry.uploads.drop_expired():
            _log.info("dropped %d uploads that nobody finished", dropped)

    return drop


async def _web(house: rooms.House, lifeline: Lifeline) -> None:
    stop = lifeline.async_stop_event()
    options = house.settings.options.web
    files = rooms.server_files(house)
    authenticator = _authenticator(house)
    async with server.serve(
        web_application(house, authenticator),
        host=options.host,
        port=options.port,
        ssl_context=tls.server_context(files.pair),
        shortcut=notary.shortcut(house.trees, authenticator, clock=house.clock, is_secure=True),
    ):
        lifeline.ready()
        await stop.wait()


def web_application(
    house: rooms.House, authenticator: BearerAuthenticator | None = None
) -> web.Application:
    """Return the application of the web process."""
    credentials = Credentials(house.users, house.clock)
    authenticator = authenticator or _authenticator(house)
    service = tokens.TokenService(
        credentials=credentials,
        grants=house.grants,
        tokens=house.tokens,
        service=issuing.SERVICE,
        hosts=frozenset(house.settings.registry_hosts),
    )
    app = web.Application(
        middlewares=[boundary.answer_errors(failures.render), browser.security_headers]
    )
    app.router.add_routes(notary.routes(house.trees, authenticator))
    app.router.add_routes(door.routes(house.registry, authenticator))
    app.router.add_routes(tokens.token_routes(service))
    app.router.add_routes(
        log_api.routes(house.logging, house.witnesses, authenticator, house.clock)
    )
    app.router.add_routes(
        pending_api.routes(house.pending, authenticator, house.settings.registry_hosts[0])
    )
    app.router.add_routes(enrolment_api.routes(house.pinned_trees, authenticator, house.clock))
    logins = LoginSessions(house.sessions, credentials)
    app.router.add_routes(pages.routes(house_pages(house), logins, clock=house.clock))
    return app


def _authenticator(house: rooms.House) -> BearerAuthenticator:
    return BearerAuthenticator(
        tokens=house.tokens,
        grants=house.grants,
        realm=f"{house.settings.url}{tokens.PATH}",
        service=issuing.SERVICE,
    )


def house_pages(house: rooms.House) -> HousePages:
    """Return what fills the pages."""
    options = house.settings.options
    named = options.engine.socket
    sockets = (Path(named),) if named else docker.candidates()
    gate_address = f"tcp://{options.gate.names[0]}:{options.gate.port}"
    return HousePages(
        database=house.database,
        registry=house.registry,
        judge=house.judge,
        reports=house.reports,
        advisories=house.advisories,
        receipts=house.receipts,
        grants=house.grants,
        trusted_keys=house.trusted_keys,
        pending=house.pending,
        clock=house.clock,
        hosts=house.settings.registry_hosts,
        gate=gate_address,
        gate_setup=(
            "seawall client issue admin",
            f"export DOCKER_HOST={gate_address} DOCKER_TLS_VERIFY=1 "
            'DOCKER_CERT_PATH="$PWD/seawall-admin"',
        ),
        find_engine=lambda: engines.find(sockets),
        feeds_stale_after=dt.timedelta(days=options.feeds.stale_after_days),
    )


async def _gate(house: rooms.House, lifeline: Lifeline) -> None:
    stop = lifeline.async_stop_event()
    settings = house.settings
    files = rooms.server_files(house)
    engine = engine_socket.find(settings) or ENGINE_FALLBACK
    await gate.serve(
        GateSettings(
            engine_socket=engine,
            registry_hosts=settings.registry_hosts,
            socket=settings.gate_socket,
            host=settings.options.gate.host,
            port=settings.options.gate.port,
            tls=TlsFiles(
                certificate=files.pair,
                key=files.pair,
                client_ca=house.certificates.client_authority,
            ),
        ),
        admission=house.admission,
        receipts=house.gate_log(str(engine)),
        identify=house.certificates.user_of,
        pull_token=house.tokens.mint_pull_token,
        profile=seccomp.default_profile(),
        ready=lifeline.ready,
        stop=stop,
    )


def _log_to_stderr() -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )

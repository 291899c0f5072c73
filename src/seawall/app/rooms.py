"""Joins the rooms over one state directory. Every process and every local command uses this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from seawall import policy
from seawall.app import issuing
from seawall.audit.watching import EventWatch
from seawall.blobs.filesystem import FilesystemBlobs
from seawall.config import Settings
from seawall.core.clock import Clock, SystemClock
from seawall.fleet.events import ContainerCreated
from seawall.fleet.receipts import Receipts
from seawall.flows.admission import Admission
from seawall.flows.attestations import Attestations
from seawall.flows.judging import Judge
from seawall.flows.logged_signatures import LoggedSignatures
from seawall.flows.pinned_trees import PinnedTrees
from seawall.flows.receipts import GateLog
from seawall.flows.rejudging import Rejudging
from seawall.flows.scanning import Scanning
from seawall.flows.signatures import Signatures
from seawall.flows.transparency import Logging
from seawall.flows.vouching import Vouching
from seawall.identity.authorities import ServerFiles
from seawall.identity.certificates import Certificates
from seawall.identity.events import LoginFailed, LoginSucceeded
from seawall.identity.grants import Grants
from seawall.identity.sessions import Sessions
from seawall.identity.tokens import Tokens
from seawall.identity.users import Users
from seawall.policy.events import AdmissionRefused, VerdictGiven
from seawall.registry.service import Registry
from seawall.scan.advisories import Advisories
from seawall.scan.events import VexAccepted, VexRemoved
from seawall.scan.fingerprints.kept import KeptPacks
from seawall.scan.fingerprints.recognising import OfShelf
from seawall.scan.fingerprints.shelf import Shelf
from seawall.scan.inventory_programs import Recognition
from seawall.scan.reports import Reports
from seawall.scan.taught import TaughtPrograms
from seawall.scan.vex.model import Document
from seawall.scan.vex.store import VexDocuments
from seawall.store import Database
from seawall.store.watching import Numbering, WhileUnchanged
from seawall.trust import at_rest
from seawall.trust.at_rest import SealingKey
from seawall.trust.authorities import TrustedAuthorities
from seawall.trust.events import SignatureLogged
from seawall.trust.log.transparency import TransparencyLog
from seawall.trust.log.witnesses import Witnesses
from seawall.trust.pending import PendingFiles
from seawall.trust.pins import Pins
from seawall.trust.server_keys import ServerKeys
from seawall.trust.trees import Trees
from seawall.trust.trusted import TrustedKeys

KEPT_MAX_BYTES: Final = 64 * 1024 * 1024
"""Of signatures that are kept in memory."""
SMALL_MAX_BYTES: Final = 8 * 1024 * 1024
"""Of verdicts, of tags, of entries of the log."""

HARMLESS: Final = frozenset(
    kind.kind()
    for kind in (
        AdmissionRefused,
        ContainerCreated,
        LoginFailed,
        LoginSucceeded,
        SignatureLogged,
        VerdictGiven,
    )
)
"""Events after which all that vouches for an image, and its reports, are what they were before."""

SYSTEM_CLOCK: Final = SystemClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The rooms and the flows between them, over one database and one store of blobs."""

    settings: Settings
    database: Database
    clock: Clock
    users: Users
    grants: Grants
    sessions: Sessions
    certificates: Certificates
    tokens: Tokens
    registry: Registry
    trusted_keys: TrustedKeys
    trees: Trees
    advisories: Advisories
    reports: Reports
    receipts: Receipts
    signatures: Signatures
    judge: Judge
    admission: Admission
    scanning: Scanning
    rejudging: Rejudging
    vex: VexDocuments
    log: TransparencyLog
    witnesses: Witnesses
    logging: Logging

    @classmethod
    def build(cls, settings: Settings, database: Database, clock: Clock = SYSTEM_CLOCK) -> House:
        """Join the parts. Creates keys and authorities that are missing."""
        registry = Registry(database, FilesystemBlobs(settings.blobs), clock)
        trusted_keys, grants = TrustedKeys(database, clock), Grants(database, clock)
        reports, advisories = Reports(database, clock), Advisories(database, clock)
        watch = EventWatch(database, HARMLESS)
        trees = _trees(settings, database, clock, watch)
        log, witnesses = _log(settings, database, clock), Witnesses(database, clock)
        authorities = TrustedAuthorities(database, clock)
        signatures = _signatures(settings, registry, trusted_keys, authorities)
        vouching = Vouching(
            signatures=signatures,
            trees=_pinned_trees(settings, trees, Pins(database, clock, watch=watch), registry),
            logged=_logged(log, witnesses, watch),
            kept=WhileUnchanged(watch, max_weight=KEPT_MAX_BYTES),
        )
        vex = _vex(database, clock)
        judge = _judge(settings, clock, vouching, reports=reports, vex=vex, watch=watch)
        return cls(
            settings=settings,
            database=database,
            clock=clock,
            users=Users(database, clock),
            grants=grants,
            sessions=Sessions(database, clock),
            certificates=Certificates(database, clock, settings.pki),
            tokens=issuing.tokens_of(settings, database, clock),
            registry=registry,
            trusted_keys=trusted_keys,
            trees=trees,
            advisories=advisories,
            reports=reports,
            receipts=Receipts(database, clock),
            signatures=signatures,
            judge=judge,
            admission=Admission(
                registry=registry,
                grants=grants,
                judge=judge,
                kept=WhileUnchanged(watch, max_weight=SMALL_MAX_BYTES),
                hosts=settings.registry_hosts,
            ),
            scanning=Scanning(
                database=database,
                registry=registry,
                reports=reports,
                advisories=advisories,
                judge=judge,
                clock=clock,
                recognition=_recognition(settings, database, trusted_keys),
            ),
            rejudging=Rejudging(database=database, registry=registry, clock=clock),
            vex=vex,
            log=log,
            witnesses=witnesses,
            logging=Logging(database=database, log=log, clock=clock),
        )

    @property
    def fingerprints(self) -> KeptPacks:
        return KeptPacks(self.database, self.clock, Shelf(self.settings.fingerprints))

    @property
    def pinned_trees(self) -> PinnedTrees:
        return self.judge.vouching.trees

    @property
    def pending(self) -> PendingFiles:
        return PendingFiles(self.database, self.clock, self.trees)

    @property
    def pins(self) -> Pins:
        return self.pinned_trees.pins

    def gate_log(self, engine: str) -> GateLog:
        """Return what the gate writes to, for the engine at `engine`."""
        return GateLog(
            database=self.database,
            receipts=self.receipts,
            clock=self.clock,
            engine=engine,
            hosts=self.settings.registry_hosts,
        )


def server_files(house: House) -> ServerFiles:
    """Return the certificate of web and gate, good for every name of either."""
    options = house.settings.options
    return house.certificates.server_certificate(sorted({*options.web.names, *options.gate.names}))


def _recognition(
    settings: Settings, database: Database, trusted_keys: TrustedKeys
) -> Callable[[], Recognition]:
    taught = TaughtPrograms(database)
    return OfShelf(
        Shelf(settings.fingerprints),
        lambda: taught.trusting({key.key_id for key in trusted_keys.list()}),
    )


def _trees(settings: Settings, database: Database, clock: Clock, watch: Numbering) -> Trees:
    keys = ServerKeys.open(settings.keys)
    return Trees(database, clock, keys, hosts=frozenset(settings.registry_hosts), watch=watch)


def _log(settings: Settings, database: Database, clock: Clock) -> TransparencyLog:
    return TransparencyLog.open(
        database,
        clock,
        keys=settings.keys,
        sealing=SealingKey.open(settings.keys / at_rest.FILE_NAME),
        name=settings.options.web.names[0],
    )


def _pinned_trees(settings: Settings, trees: Trees, pins: Pins, registry: Registry) -> PinnedTrees:
    host = settings.registry_hosts[0]
    return PinnedTrees(trees=trees, pins=pins, registry=registry, host=host)


def _signatures(
    settings: Settings,
    registry: Registry,
    trusted_keys: TrustedKeys,
    authorities: TrustedAuthorities,
) -> Signatures:
    return Signatures(
        registry=registry,
        trusted_keys=trusted_keys,
        authorities=authorities,
        hosts=frozenset(settings.registry_hosts),
    )


def _logged(log: TransparencyLog, witnesses: Witnesses, watch: EventWatch) -> LoggedSignatures:
    return LoggedSignatures(
        log=log, witnesses=witnesses, kept=WhileUnchanged(watch, max_weight=SMALL_MAX_BYTES)
    )


def _vex(database: Database, clock: Clock) -> VexDocuments:
    changes = frozenset({VexAccepted.kind(), VexRemoved.kind()})
    watch = EventWatch(database, only=changes)
    kept = WhileUnchanged[str, tuple[Document, ...]](watch, max_weight=SMALL_MAX_BYTES)
    return VexDocuments(database, clock, kept=kept)


def _judge(
    settings: Settings,
    clock: Clock,
    vouching: Vouching,
    *,
    reports: Reports,
    vex: VexDocuments,
    watch: EventWatch,
) -> Judge:
    signatures = vouching.signatures
    return Judge(
        database=watch.database,
        registry=signatures.registry,
        vouching=vouching,
        attestations=Attestations(
            registry=signatures.registry,
            trusted_keys=signatures.trusted_keys,
            hosts=signatures.hosts,
        ),
        reports=reports,
        answers=vex.all,
        policies=lambda: policy.load_file(settings.policy),
        clock=clock,
        kept=WhileUnchanged(watch, max_weight=KEPT_MAX_BYTES),
        given=WhileUnchanged(
            EventWatch(watch.database, only=frozenset({VerdictGiven.kind()})),
            max_weight=SMALL_MAX_BYTES,
        ),
    )

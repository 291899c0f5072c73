"""The reading half of `seawall log`: show, verify, watch."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Final, Protocol

from seawall.cli import local, log_sources
from seawall.core import strictjson
from seawall.core.errors import InvalidInputError, SeawallError
from seawall.oci import patterns
from seawall.trust.log import entries, following
from seawall.trust.log.following import SeenEntry
from seawall.trust.log.notes import Note
from seawall.trust.log.trusted_roots import TrustedLog
from seawall.trust.log.watching import Alarm, Known, Watcher

if TYPE_CHECKING:
    from seawall.cli.log_sources import Source
    from seawall.config import Settings

SHOW_MAX: Final = 10_000


class Walk(Protocol):
    """`following.follow` or `following.replay`."""

    def __call__(
        self,
        memory: following.Memory | None,
        note: Note,
        log: TrustedLog,
        read: following.Read,
        *,
        each: following.Each,
    ) -> following.Memory: ...


def show(options: argparse.Namespace, settings: Settings) -> int:
    """Print the newest entries; the checkpoint's signature is checked, the rest is `verify`."""
    if options.limit < 1:
        raise InvalidInputError("--limit must be 1 or more")
    with log_sources.opened(options, settings, purpose="log") as source:
        checkpoint = following.check(source.reading.checkpoint(), source.log)
        at = max(0, checkpoint.size - min(options.limit, SHOW_MAX))
        while at < checkpoint.size:
            page = source.reading.entries(at, checkpoint.size)
            if not page:
                raise following.LogAlarmError(f"the log does not show its entry {at}")
            for entry in page:
                print(_line(entry, options.json))
            at += len(page)
    return 0


def verify(options: argparse.Namespace, settings: Settings) -> int:
    """Replay everything; remember how far it went. Alarms are raised."""
    unreadable: list[int] = []
    hidden = 0

    def look(entry: SeenEntry) -> None:
        nonlocal hidden
        if entry.body is None:
            hidden += 1
            return
        try:
            entries.parse(entry.body)
        except SeawallError:
            unreadable.append(entry.number)

    with log_sources.opened(options, settings, purpose="log") as source:
        known = source.remembered
        memory = following.replay(
            None if known is None else known.memory,
            source.reading.checkpoint(),
            source.log,
            source.reading.entries,
            each=look,
        )
        source.memory.save(source.log, memory)
    if unreadable:
        raise following.LogAlarmError(f"entry {unreadable[0]} is none that a Seawall writes")
    result = {
        "is_whole": True, "log": source.log.name, "log_id": source.log.key.key_id,
        "size": memory.size, "root": memory.root.hex(), "hidden": hidden,
        "seen_before": None if known is None else known.memory.size,
    }  # fmt: skip
    if options.json:
        print(json.dumps(result))
        return 0
    before = "seen for the first time" if known is None else f"grown from {known.memory.size}"
    print(f"whole: {memory.size} entries of {source.log.name}, {before}")
    print(f"root {memory.root.hex()}")
    if hidden:
        print(f"of {hidden} entries only the hash may be seen")
    return 0


def watch(options: argparse.Namespace, settings: Settings) -> int:
    """Follow the log from what was seen before; 1 when there was an alarm."""
    watched = options.pattern or ["**"]
    for pattern in watched:
        patterns.check(pattern)
    if options.every < 1:
        raise InvalidInputError("--every must be 1 or more")
    watcher = Watcher(watched=watched, known=_known(options, settings))
    alarms, told = 0, 0

    def look(entry: SeenEntry) -> None:
        nonlocal alarms
        alarm = watcher.look(entry)  # also of what was told before: tags say whose digests are
        if alarm is not None and entry.number >= told:
            alarms += 1
            _print_alarm(alarm, options.json)

    with log_sources.opened(options, settings, purpose="watch") as source:
        memory = None if source.remembered is None else source.remembered.memory
        told = before = 0 if memory is None else memory.size
        walk = following.replay
        while True:
            memory = _step(source, memory, walk, look)
            walk = following.follow
            source.memory.save(source.log, memory)
            _print_step(before, memory, options.json)
            told = before = memory.size
            if options.once:
                return 1 if alarms else 0
            time.sleep(options.every)


def _step(
    source: Source,
    memory: following.Memory | None,
    walk: Walk,
    look: following.Each,
) -> following.Memory:
    """Go on to the newest checkpoint; of a log elsewhere, its own proof is checked, too."""
    note = source.reading.checkpoint()
    if source.client is not None and memory is not None and memory.size:
        checkpoint = following.check(note, source.log)
        following.check_growth(memory, checkpoint)
        path = source.client.consistency(memory.size, checkpoint.size)
        following.check_consistency(memory, note, source.log, path)
    return walk(memory, note, source.log, source.reading.entries, each=look)


def _known(options: argparse.Namespace, settings: Settings) -> Known:
    from seawall.trust import key_files

    if options.known:
        ids = frozenset(str(key_files.read_public(path).key_id) for path in options.known)
        return lambda _repository: ids

    from seawall.app import databases
    from seawall.core.clock import SystemClock
    from seawall.trust.trusted import TrustedKeys

    with databases.opened_database(settings) as database:
        trusted = TrustedKeys(database, SystemClock()).list()

    def known(repository: str) -> frozenset[str]:
        return frozenset(
            str(key.key_id)
            for key in trusted
            if any(patterns.is_match(pattern, repository) for pattern in key.patterns)
        )

    return known


def _line(entry: SeenEntry, as_json: bool) -> str:
    said = None if entry.body is None else strictjson.decode_object(entry.body, max_bytes=2**20)
    if as_json:
        shown = {
            "number": entry.number, "leaf_hash": entry.leaf_hash.hex(),
            "repository": entry.repository, "entry": said,
        }  # fmt: skip
        return json.dumps(shown, ensure_ascii=False)
    if entry.body is None or said is None:
        return f"{entry.number:>6}  {entry.leaf_hash.hex()[:16]}  (not shown)"
    return f"{entry.number:>6}  {entry.leaf_hash.hex()[:16]}  {local.printable(_told(entry))}"


def _told(entry: SeenEntry) -> str:
    assert entry.body is not None
    try:
        parsed = entries.parse(entry.body)
    except SeawallError as error:
        return f"does not parse: {error.message}"
    match parsed:
        case entries.TagMove():
            where = f"{parsed.repository}:{parsed.tag}"
            return f"tag        {where} {parsed.previous or 'new'} → {parsed.digest or 'gone'}"
        case entries.KeyUse():
            return f"signature  {parsed.repository}@{parsed.digest} by {parsed.key_id[:12]}"
        case entries.Referral():
            return f"referrer   {parsed.repository}@{parsed.subject} {parsed.artifact_type}"
        case entries.TreeVersion() | entries.TreeTags():
            return _told_of_tree(parsed)
        case entries.SignatureEntry():
            return f"envelope   {entry.repository or ''} by {parsed.verifier.key_id[:12]}"


def _told_of_tree(tree: entries.TreeVersion | entries.TreeTags) -> str:
    if isinstance(tree, entries.TreeTags):
        tags = " ".join(change.tag for change in tree.changes)
        return f"tree tags  {tree.gun} {tree.role} {tree.version}: {tags}"
    versions = " ".join(f"{role} {version}" for role, version in sorted(tree.roles.items()))
    return f"tree       {tree.gun} {versions or 'deleted'}"


def _print_alarm(alarm: Alarm, as_json: bool) -> None:
    if as_json:
        shown = {
            "alarm": alarm.reason, "number": alarm.number,
            "repository": alarm.repository, "key_id": alarm.key_id,
        }  # fmt: skip
        print(json.dumps(shown), flush=True)
        return
    about = f"{alarm.repository or 'an image without a name'}, key {alarm.key_id[:12] or 'none'}"
    print(f"ALARM: entry {alarm.number}: {alarm.reason} ({local.printable(about)})", flush=True)


def _print_step(before: int, memory: following.Memory, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"size": memory.size, "root": memory.root.hex()}), flush=True)
    elif memory.size != before:
        print(f"grown from {before} to {memory.size} entries", flush=True)

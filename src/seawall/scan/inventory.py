"""Put the facts of layers together: what does a container of this image see?

Only what survives when all layers are laid on each other is reported (`inventory_view`).

A package is attributed to the layer since which it has been there in this version, not to the one
that rewrote the whole database last. Nothing is hidden: what could not be read is a notice, and
`is_partial` says that components may be missing.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

import msgspec

from seawall.oci.bounds import DEFAULT_LIMITS, Limits
from seawall.scan import (
    base_image,
    duplicates,
    inventory_config,
    inventory_programs,
    misconfiguration,
    purls,
)
from seawall.scan.image_source import LayerSource
from seawall.scan.inventory_facts import FACTS_VERSION, LayerFacts
from seawall.scan.inventory_layer import facts_of
from seawall.scan.inventory_programs import Recognition
from seawall.scan.inventory_view import View
from seawall.scan.model import (
    Component,
    Inventory,
    LayerInfo,
    Notice,
    NoticeKind,
    Unexplained,
    Weakness,
)

MAX_SECONDS: Final = 1800.0
"""Wall clock for all layers of one image together."""


class LayerReader(Protocol):
    """Reads one layer: here, or in a process of its own."""

    def __call__(
        self,
        layer: LayerSource,
        limits: Limits,
        *,
        monotonic: Callable[[], float],
        has_sketches: bool,
    ) -> LayerFacts: ...


_Item = TypeVar("_Item", Component, Unexplained)

COMBINE_MAX_SECONDS: Final = 120.0
"""Wall clock for laying the layers on each other; real images take milliseconds."""


def take(
    sources: Sequence[LayerSource],
    config: bytes | None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    max_seconds: float = MAX_SECONDS,
    known: Mapping[str, LayerFacts] | None = None,
    keep: Callable[[LayerFacts], None] = lambda facts: None,
    monotonic: Callable[[], float] = time.monotonic,
    recognition: Recognition = inventory_programs.SIGNATURES,
    read: LayerReader | None = None,
    parallel: int = 1,
) -> Inventory:
    """Read every layer once, lowest first, and return what the image holds.

    `read` is `facts_of` in this process, or that of `workers.Workers`, with so many layers in
    parallel.

    `known` are facts of layers by digest that need not be read again; `keep` is given the facts of
    each layer that was read, also incomplete ones. Raises only what opening or reading a layer
    raises (IntegrityError, UnavailableError …) and what `keep` raises; trouble inside is a notice.

    Where `recognition` compares texts, the layers of programs that nothing else explains are read
    once more, for summaries of their texts.
    """
    deadline = monotonic() + max_seconds
    facts: dict[str, LayerFacts] = dict(known or {})
    reader = read or facts_of

    def read_all(wanted: Collection[str], *, has_sketches: bool) -> None:
        def read_one(source: LayerSource) -> LayerFacts:
            seconds = max(0.0, min(limits.max_seconds, deadline - monotonic()))
            shorter = msgspec.structs.replace(limits, max_seconds=seconds)
            return reader(source, shorter, monotonic=monotonic, has_sketches=has_sketches)

        asked = {source.digest: source for source in sources if source.digest in wanted}
        for found in _read_all(read_one, tuple(asked.values()), parallel):
            if found.is_complete or found.digest not in facts:
                facts[found.digest] = found
                keep(found)

    def combined() -> Inventory:
        ordered = [facts[source.digest] for source in sources]
        end = monotonic() + COMBINE_MAX_SECONDS
        return combine(
            sources, ordered, config, is_late=lambda: monotonic() > end, recognition=recognition
        )

    read_all({source.digest for source in sources} - facts.keys(), has_sketches=False)
    result = combined()
    if recognition.wants_sketches:
        unread = {file.layer for file in result.unexplained if not facts[file.layer].has_sketches}
        if unread:
            read_all(unread, has_sketches=True)
            result = combined()
    return result


def _read_all(
    read: Callable[[LayerSource], LayerFacts], sources: Sequence[LayerSource], parallel: int
) -> Iterator[LayerFacts]:
    """Yield the facts of all layers in their order; the largest are begun first."""
    if parallel <= 1 or len(sources) <= 1:
        yield from map(read, sources)
        return
    with ThreadPoolExecutor(parallel, thread_name_prefix="layer") as threads:
        largest = sorted(sources, key=lambda source: -source.size)
        started = {source.digest: threads.submit(read, source) for source in largest}
        try:
            for source in sources:
                yield started[source.digest].result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def combine(
    sources: Sequence[LayerSource],
    facts: Sequence[LayerFacts],
    config: bytes | None,
    *,
    is_late: Callable[[], bool] = lambda: False,
    recognition: Recognition = inventory_programs.SIGNATURES,
) -> Inventory:
    """Return the inventory of the image whose layers, lowest first, have these facts.

    `recognition` says what an executable is that no package owns. Pure, and quick for all but
    hostile layers; `is_late` can stop it, which becomes a notice.
    """
    image = inventory_config.read(config, len(sources))
    created_by = [
        inventory_config.one_line(source.created_by) or told
        for source, told in zip(sources, image.created_by, strict=True)
    ]
    notices = [notice for layer in facts for notice in layer.notices]
    view = View()
    for index, layer in enumerate(facts):
        if is_late():
            text = f"out of time: the layers from number {index} on are left out"
            notices.append(Notice(kind=NoticeKind.LIMIT, message=text))
            break
        view.lay(layer)
    is_cut = any(notice.kind is NoticeKind.LIMIT for notice in notices)
    notices += image.notices
    notices += view.notices()
    notices += recognition.notices
    release = view.distribution()
    components: list[Component] = []
    unexplained: list[Unexplained] = []
    for at, item in (*view.components(), *view.programs(recognition.recognise)):
        place = _Place(str(sources[at].digest), at, created_by[at])
        if isinstance(item, Component):
            placed = place.of(item)
            components.append(msgspec.structs.replace(placed, purl=purls.of(placed, release)))
        else:
            unexplained.append(place.of(item))
    components = view.with_ways(components, image.start, is_late=is_late)
    return Inventory(
        components=duplicates.without(sorted(components, key=_order)),
        unexplained=tuple(sorted(unexplained, key=lambda file: file.path)),
        distribution=release,
        notices=tuple(notices),
        layers=tuple(map(_layer_info, sources, facts, created_by)),
        is_partial=is_cut or view.is_blind or not all(layer.is_complete for layer in facts),
        platform=image.platform,
        config_digest=image.digest,
        base=base_image.of_config(config, len(sources)),
        facts=FACTS_VERSION,
        weaknesses=_weaknesses(view, config, [str(source.digest) for source in sources]),
    )


def _layer_info(source: LayerSource, facts: LayerFacts, created_by: str) -> LayerInfo:
    return LayerInfo(
        digest=str(source.digest),
        size=source.size,
        created_by=created_by,
        files=facts.entries,
        unpacked_bytes=facts.unpacked_bytes,
    )


def _weaknesses(view: View, config: bytes | None, layers: Sequence[str]) -> tuple[Weakness, ...]:
    """Return what is wrong with the config, then with files in the order of their paths."""
    return (
        *misconfiguration.of_config(config, layers=layers),
        *(
            msgspec.structs.replace(one, layer=layers[at], layer_index=at)
            for at, one in sorted(view.weaknesses(), key=_weakness_order)
        ),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """The layer that brought something."""

    digest: str
    index: int
    created_by: str

    def of(self, item: _Item) -> _Item:
        return msgspec.structs.replace(
            item, layer=self.digest, layer_index=self.index, created_by=self.created_by
        )


def _weakness_order(item: tuple[int, Weakness]) -> tuple[str, int, str, int, str]:
    at, one = item
    return (one.path, at, one.rule, one.line, one.evidence)


def _order(component: Component) -> tuple[str, ...]:
    return (
        component.type,
        component.name,
        component.version,
        component.architecture,
        component.path,
        component.inside,
    )

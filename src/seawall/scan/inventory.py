"""Put the facts of layers together: what does a container of this image see?

Only what survives when all layers are laid on each other is reported (`inventory_view`).

A package is attributed to the layer since which it has been there in this version, not to the one
that rewrote the whole database last. Nothing is hidden: what could not be read is a notice, and
`is_partial` says that components may be missing.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from seawall.oci.bounds import DEFAULT_LIMITS, Limits
from seawall.scan import inventory_config, misconfiguration, purls
from seawall.scan.inventory_facts import LayerFacts
from seawall.scan.inventory_layer import LayerSource, facts_of
from seawall.scan.inventory_view import View
from seawall.scan.model import Component, Inventory, LayerInfo, Notice, NoticeKind

MAX_SECONDS: Final = 1800.0
"""Wall clock for all layers of one image together."""


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
) -> Inventory:
    """Read every layer once, lowest first, and return what the image holds.

    `known` are facts of layers by digest that need not be read again; `keep` is given the facts of
    each layer that was read, also incomplete ones. Raises only what opening or reading a layer
    raises (IntegrityError, UnavailableError …) and what `keep` raises; trouble inside is a notice.
    """
    deadline = monotonic() + max_seconds
    facts: dict[str, LayerFacts] = dict(known or {})
    for source in sources:
        if source.digest not in facts:
            seconds = max(0.0, min(limits.max_seconds, deadline - monotonic()))
            bounded = dataclasses.replace(limits, max_seconds=seconds)
            facts[source.digest] = facts_of(source, bounded, monotonic=monotonic)
            keep(facts[source.digest])
    ordered = [facts[source.digest] for source in sources]
    end = monotonic() + COMBINE_MAX_SECONDS
    return combine(sources, ordered, config, is_late=lambda: monotonic() > end)


def combine(
    sources: Sequence[LayerSource],
    facts: Sequence[LayerFacts],
    config: bytes | None,
    *,
    is_late: Callable[[], bool] = lambda: False,
) -> Inventory:
    """Return the inventory of the image whose layers, lowest first, have these facts.

    Pure, and quick for all but hostile layers; `is_late` can stop it, which becomes a notice.
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
    return Inventory(
        components=_components(view, sources, created_by),
        distribution=view.distribution(),
        notices=tuple(notices),
        layers=tuple(
            LayerInfo(
                digest=str(source.digest),
                size=source.size,
                created_by=told,
                files=layer.entries,
                unpacked_bytes=layer.unpacked_bytes,
            )
            for source, layer, told in zip(sources, facts, created_by, strict=True)
        ),
        is_partial=is_cut or view.is_blind or not all(layer.is_complete for layer in facts),
        platform=image.platform,
        config_digest=image.digest,
        weaknesses=misconfiguration.of_config(config, layers=[str(one.digest) for one in sources]),
    )


def _components(
    view: View, sources: Sequence[LayerSource], created_by: Sequence[str]
) -> tuple[Component, ...]:
    found = view.distribution()
    result = []
    for index, component in view.components():
        result.append(
            msgspec.structs.replace(
                component,
                purl=purls.of(component, found),
                layer=str(sources[index].digest),
                layer_index=index,
                created_by=created_by[index],
            )
        )
    return tuple(sorted(result, key=_order))


def _order(component: Component) -> tuple[str, ...]:
    return (
        component.type,
        component.name,
        component.version,
        component.architecture,
        component.path,
        component.inside,
    )

"""One package, once: what several files of an image say about the same code.

Two rules, and no others: a package at two places is two components, for each may be fixed alone.

    confirmed   a lock file or SBOM names a version whose files are in the image: the files count
    twins       the same script twice in one folder (`jquery.js` and `jquery.min.js`), or several
                files of one package that were copied there; what two programs of a folder hold is
                in two places, for each of them is built anew
"""

from __future__ import annotations

from collections.abc import Iterable

from seawall.scan.model import Component, PackageType, Role


def without(components: Iterable[Component]) -> tuple[Component, ...]:
    """Return the components, in their order, without those that only repeat another."""
    listed = tuple(components)
    present = {_code(item) for item in listed if item.role is not Role.DECLARED}
    twins: set[tuple[object, ...]] = set()
    kept: list[Component] = []
    for item in listed:
        if item.role is Role.DECLARED and _code(item) in present:
            continue
        is_copied = item.distribution is not None
        if (item.role is Role.BUNDLED or is_copied) and not item.inside:
            is_script = item.type is PackageType.NPM
            place = item.path.rpartition("/")[0] if is_script or is_copied else item.path
            twin = (*_code(item), place, item.layer, item.owned_by)
            if twin in twins:
                continue
            twins.add(twin)
        kept.append(item)
    return tuple(kept)


def _code(item: Component) -> tuple[object, ...]:
    return item.type, item.name, item.version, item.distribution

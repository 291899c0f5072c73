"""From learned packs to the packages of an inventory.

Three kinds of evidence, in this order; what comes later is asked only where nothing before
explained the file:

    exact       the file is a package's own: that package, of its distribution, and nothing that
                texts or the builder's note say about the same file; what its toolchain recorded
                inside (Go modules, crates) stands beside it
    taught      by build id, what signed images of this installation hold: named, not explained
    by texts    a product, with its upstream version where the texts tell it
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from seawall.scan import distribution, inventory_programs
from seawall.scan.files.model import Executable
from seawall.scan.fingerprints import recognition
from seawall.scan.fingerprints.pack import LearnedPackage, Pack
from seawall.scan.fingerprints.recognition import Identity, Kind, Library
from seawall.scan.fingerprints.shelf import Shelf, State
from seawall.scan.inventory_programs import Recognition
from seawall.scan.model import Evidence, Notice, NoticeKind, PackageType, Role
from seawall.scan.readers import Found

Lookup: TypeAlias = Callable[[str], Sequence[LearnedPackage]]
"""Gives the packages that images taught under a build id."""

TAUGHT_CONFIDENCE: Final = 0.5


def with_packs(
    known: Sequence[Pack], troubles: Sequence[str] = (), *, taught: Lookup = lambda _: ()
) -> Recognition:
    """Return what recognises executables by these packs, and by signatures where they are silent.

    `troubles` are sentences about packs that could not be read: each becomes a notice. `taught`
    is asked about programs that neither packs nor signatures explain.
    """
    library = Library(known)

    def recognise(executable: Executable) -> tuple[Found, ...]:
        return found_by(library, executable, taught)

    return Recognition(
        recognise=recognise,
        wants_sketches=any(pack.has_sketches for pack in known),
        notices=tuple(Notice(kind=NoticeKind.FINGERPRINTS, message=text) for text in troubles),
    )


class OfShelf:
    """The recognition by the packs of a shelf, read again when they have changed, and by what was
    taught by the word of keys that are trusted now."""

    def __init__(self, shelf: Shelf, taught: Callable[[], Lookup]) -> None:
        self._shelf = shelf
        self._taught = taught
        self._state: State | None = None
        self._packs: list[Pack] = []
        self._troubles: list[str] = []

    def __call__(self) -> Recognition:
        state = self._shelf.state()
        if state != self._state:
            self._packs, self._troubles = self._shelf.load()
            self._state = state
        return with_packs(self._packs, self._troubles, taught=self._taught())


def found_by(
    library: Library, executable: Executable, taught: Lookup = lambda _: ()
) -> tuple[Found, ...]:
    """Return the packages that an executable is or holds."""
    told = inventory_programs.by_signatures(executable)
    exact = library.exact(executable)
    if exact is not None:
        return (_exact(exact, executable), *_beside(exact, executable))
    if inventory_programs.is_explained(told):
        return told
    if executable.build_id and (named := _taught(taught(executable.build_id))):
        return (*told, named)
    known = {each.name for each in told}
    guessed = [each for each in library.by_texts(executable) if each.product not in known]
    return (*told, *map(_by_texts, guessed))


def _exact(identity: Identity, executable: Executable) -> Found:
    package = identity.package
    detail = f"learned as {identity.detail}"
    if doubt := recognition.disagreement(identity, executable):
        detail = f"{detail}; {doubt}"
    release = distribution.of_name(package.distribution) if package.type.is_system else None
    return Found(
        type=package.type,
        name=package.name,
        version=package.version,
        source_name=package.source_name if package.type.is_system else "",
        source_version=package.source_version if package.type.is_system else "",
        architecture=package.architecture if package.type.is_system else "",
        evidence=(Evidence(kind=identity.kind, detail=detail, confidence=identity.confidence),),
        distribution=release,
    )


def _beside(identity: Identity, executable: Executable) -> list[Found]:
    """Return what is said beside an exact match: not again, and in other words, what the file is.

    A distribution's package answers for the libraries that are copied into its files, as far as
    only texts tell of them.
    """
    is_systems = identity.package.type.is_system
    recorded = [each for each in executable.found if not (is_systems and each.type.is_system)]
    claimed = inventory_programs.by_signatures(executable)[len(executable.found) :]
    held = [each for each in claimed if each.role is Role.BUNDLED]
    return [*recorded, *([] if is_systems else held)]


def _taught(packages: Sequence[LearnedPackage]) -> Found | None:
    """Return the package that images taught; None where they do not agree which product it is."""
    if len({(package.type, package.product) for package in packages}) != 1:
        return None
    package = packages[0]
    return Found(
        type=package.type,
        name=package.name,
        version=package.version,
        source_name=package.source_name,
        source_version=package.source_version,
        architecture=package.architecture,
        evidence=(
            Evidence(
                kind=inventory_programs.TAUGHT,
                detail="a signed image has it in this package",
                confidence=TAUGHT_CONFIDENCE,
            ),
        ),
        distribution=distribution.of_name(package.distribution),
    )


def _by_texts(identity: Identity) -> Found:
    package = identity.package
    detail = f"texts of {package.name} {package.version}"
    if identity.detail:
        detail = f"{detail}: {identity.detail}"
    return Found(
        type=PackageType.GENERIC,
        name=identity.product,
        version=identity.version,
        role=identity.role,
        evidence=(Evidence(kind=Kind.SKETCH, detail=detail[:255], confidence=identity.confidence),),
    )

"""Programs that no package owns: what they say they are, and what nobody can explain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from seawall.scan.files.model import Claim, Executable
from seawall.scan.inventory_facts import Packages
from seawall.scan.model import Evidence, Notice, PackageType, Role
from seawall.scan.readers import Found

Recogniser: TypeAlias = Callable[[Executable], Sequence[Found]]
"""Says which packages an executable is or holds, those included that its builder recorded."""

TAUGHT: Final = "taught"
"""The kind of evidence that comes from other images."""

SURE_OF_VERSION: Final = 0.5
"""Below it, several versions stand in the file, and which is the product's own is a guess."""

_FOLDERS: Final = frozenset({PackageType.NPM, PackageType.COMPOSER})
"""Types whose manifest lies in the folder that holds all files of the package."""


def by_signatures(executable: Executable) -> tuple[Found, ...]:
    """Return what the builder recorded and version signatures claim: the recogniser that needs no
    learned fingerprints."""
    return (*executable.found, *(_found(claim) for claim in executable.claims))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """How executables are recognised that no package owns."""

    recognise: Recogniser = by_signatures
    wants_sketches: bool = False
    """Whether a summary of the texts of files that stay unexplained would help."""
    notices: tuple[Notice, ...] = ()
    """What readers of the report must know about it."""


SIGNATURES: Final = Recognition()


def is_explained(found: Collection[Found]) -> bool:
    """Tell whether one of the packages is the file itself, and not only something inside of it.

    What other images taught explains nothing: a package database is a claim of its image.
    """
    return any(each.role is not Role.BUNDLED and not _is_taught(each) for each in found)


def _is_taught(found: Found) -> bool:
    return any(proof.kind == TAUGHT for proof in found.evidence)


def folders_of(path: str, fact: Packages) -> set[str]:
    """Return the folders whose files a language package explains."""
    folder = path.rpartition("/")[0]
    found = set()
    for each in fact.found:
        if each.type in _FOLDERS and each.role is Role.INSTALLED:
            found.add(folder)
        elif each.type is PackageType.GEM and folder.endswith("specifications"):
            home = folder.removesuffix("specifications")
            found.add(f"{home}gems/{each.name}-{each.version}")
    return found


def _found(claim: Claim) -> Found:
    detail = f"{claim.product} by a text at {claim.offset}"
    evidence = Evidence(kind="signature", detail=detail, confidence=claim.confidence)
    return Found(
        type=claim.type,
        name=claim.name or claim.product,
        version=claim.version if claim.confidence >= SURE_OF_VERSION else "",
        role=claim.role,
        evidence=(evidence,),
    )

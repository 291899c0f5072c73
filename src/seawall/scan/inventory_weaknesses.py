"""What is wrong with files of an image themselves: secrets, and programs with rights of others.

A secret that a higher layer removes or overwrites can no longer be seen in a container, and is
still in the image: whoever pulls it has it. A program's rights matter only where it can be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import msgspec

from seawall.scan import misconfiguration
from seawall.scan.inventory_facts import LayerFacts, Privileged, Sums
from seawall.scan.inventory_owners import File
from seawall.scan.inventory_paths import resolve_parent
from seawall.scan.model import Weakness


@dataclass(frozen=True, slots=True)
class _Secret:
    file: File
    told: tuple[Weakness, ...]
    gone_in: int | None = None


class Weaknesses:
    """Grows with the layers of a view."""

    def __init__(self) -> None:
        self._secrets: dict[str, _Secret] = {}
        self._buried: list[_Secret] = []
        self._programs: dict[str, tuple[File, Privileged]] = {}

    def lay(
        self, layer: LayerFacts, number: int, lower: dict[str, str], covers: Callable[[str], bool]
    ) -> None:
        """Put the next layer on top; `lower` are the links below it, `covers` tells what it hides
        of what lies there."""
        for path in [path for path in self._secrets if covers(path)]:
            self._buried.append(replace(self._secrets.pop(path), gone_in=number))
        for path in [path for path in self._programs if covers(path)]:
            del self._programs[path]
        for path, secrets in layer.secrets.items():
            real = resolve_parent(path, lower) or path
            self._secrets[real] = _Secret(File(real, number, secrets.sums), secrets.found)
        for path, program in layer.privileged.items():
            real = resolve_parent(path, lower) or path
            self._programs[real] = (File(real, number, Sums()), program)

    def files(self) -> Iterator[File]:
        """Yield the files of which an owner matters."""
        for secret in (*self._secrets.values(), *self._buried):
            yield secret.file
        for file, _ in self._programs.values():
            yield file

    def found(self, owner: Callable[[File], str]) -> Iterator[tuple[int, Weakness]]:
        """Yield what is wrong, with the number of the layer that brought it.

        What lies unchanged in a package is no secret: everybody has it.
        """
        told: set[tuple[str, Sums]] = set()
        for secret in (*self._secrets.values(), *self._buried):
            content = (secret.file.path, secret.file.sums)
            if content in told or owner(secret.file):
                continue
            told.add(content)
            for one in secret.told:
                yield secret.file.layer, _buried(one, secret.gone_in)
        for path, (file, program) in sorted(self._programs.items()):
            weakness = misconfiguration.of_mode(
                path, program.mode, program.capabilities, owner=owner(file)
            )
            if weakness is not None:
                yield file.layer, weakness


def _buried(one: Weakness, gone_in: int | None) -> Weakness:
    if gone_in is None:
        return one
    return msgspec.structs.replace(
        one,
        evidence=f"{one.evidence}; gone from view in layer {gone_in}, and still in the image",
    )

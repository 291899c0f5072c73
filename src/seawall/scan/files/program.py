"""What readers of toolchain metadata need of a program, whatever its format."""

from __future__ import annotations

from typing import Protocol


class Part(Protocol):
    """A section: offset and size in bytes, both inside the file."""

    @property
    def offset(self) -> int: ...
    @property
    def size(self) -> int: ...


class Program(Protocol):
    """An ELF, PE or Mach-O file whose headers were read."""

    @property
    def bits(self) -> int: ...
    @property
    def byte_order(self) -> str:
        """`<` or `>`, as `struct` writes it."""
        ...

    def section(self, name: str) -> Part | None:
        """Return the first section of this name that has bytes in the file."""
        ...

    def offset_of(self, address: int) -> int | None:
        """Return where in the file the byte lies that is loaded at `address`."""
        ...

"""Files that nobody packaged: what the bytes of an executable say about it.

Pure: bytes in, frozen facts out. Nothing here knows layers, links or owners. `examine` is the one
entry point for the walk; `elf`, `pe` and `macho` read the three formats; `go`, `rust` and `dotnet`
read what toolchains leave inside; `signatures` finds versions in text by rules; `sketch` makes the
short summary by which learned fingerprints (`fingerprints`) know a file again.

The order of evidence: build id or hash, then the builder's note, then what a toolchain recorded,
then text. A program can say any version, so every claim names its kind of evidence.
"""

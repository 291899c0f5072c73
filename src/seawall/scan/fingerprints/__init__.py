"""Learned fingerprints: files of known packages, so that the same code is known elsewhere.

`learn` reads packages and yields what each program in them looks like; `pack` is the compact form
in which that is stored, signed and shipped; `recognition` compares an executable's facts with packs
and says what it is, by which evidence, how surely, and where two kinds of evidence disagree.
"""

"""Signed metadata in the format of Notary v1, which Docker Content Trust reads (not TUF 1.0).

Everything here is pure: bytes and a time in, values out. `names` and `metadata` parse strictly,
`keys` verifies, `build` writes, `rules` is what a server accepts, `chain` is what a client proves.
"""

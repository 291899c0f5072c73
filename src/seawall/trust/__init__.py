"""Who vouches: keys, signatures in cosign's formats, the numbered proof, the keys we trust.

What is pure (`keys`, `cosign`, `proof`) imports no database, so that `seawall verify` starts fast;
`trusted` holds this installation's set of trusted keys.
"""

"""Signatures of the Notary Project (notation): envelopes in JWS and COSE, certificates, referrers.

Source: notaryproject/specifications, "Signature specification" 1.1 and its two envelopes.
"""

"""cosign's signatures by a named person: a short-lived certificate instead of a key.

Verified against a trusted root that somebody supplied, without asking anybody. Nothing here signs.
"""

"""Who: people, their passwords, grants, sessions, tokens and client certificates.

The room refuses to guess: an unknown name costs as much as a wrong password, a right that nobody
granted does not exist, and there are no grants that deny (denial belongs to policy).
"""

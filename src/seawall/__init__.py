"""Seawall: the open, secure-by-default container platform."""

__version__ = "0.1.0"

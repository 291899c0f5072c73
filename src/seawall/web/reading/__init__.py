"""Fills the pages from the rooms: what a viewer may see, joined and bounded, nothing decided."""

from seawall.web.reading.house import HousePages

__all__ = ["HousePages"]

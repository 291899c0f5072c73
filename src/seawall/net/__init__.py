"""Outbound HTTP: bounded in bytes and time, guarded against redirects into private networks."""

from seawall.net.fetching import Fetched, Progress, fetch

__all__ = ["Fetched", "Progress", "fetch"]

"""The door for people: server-rendered pages that work without a script.

It asks `ports.Pages` for finished view models and `ports.Sessions` for who is looking, and decides
nothing itself. Absent on purpose: JavaScript, inline styles, remote assets, and any way to change
something but login and logout.
"""

from seawall.web.pages import routes

__all__ = ["routes"]

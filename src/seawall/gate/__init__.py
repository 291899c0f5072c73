"""The gate: the only way to an engine. It parses strictly, decides, and sends its own bytes.

It is a process of its own, because no ASGI server can hand over a connection (`Upgrade: tcp`).
`server.serve` is its entry; `ports` says what it needs from above.
"""

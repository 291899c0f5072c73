"""What a registry says against a request, as one bounded line that is safe to print."""

from __future__ import annotations

from typing import Final

from seawall.core import limits, strictjson
from seawall.core.errors import SeawallError
from seawall.core.strictjson import Json

MAX_BYTES: Final = 64 * limits.KIB


def told(body: bytes) -> str:
    """Return what an error says, as one bounded line: a problem document (RFC 9457), or the first
    of the errors that registries and trust servers list."""
    try:
        document = strictjson.decode_object(body, max_bytes=MAX_BYTES)
    except SeawallError:
        return ""
    title = document.get("title") or _first_message(document.get("errors"))
    if not isinstance(title, str):
        return ""
    return ": " + "".join(c if c.isprintable() else "?" for c in title[:300])


def why(error: Exception) -> str:
    """Return in a few words why a request failed."""
    for told in (getattr(error, name, None) for name in ("verify_message", "strerror")):
        if isinstance(told, str) and told:
            return told[:200]
    return str(error)[:200] or type(error).__name__


def _first_message(errors: Json) -> Json:
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return None
    detail = first.get("detail")
    inner = detail.get("Error") if isinstance(detail, dict) else None
    return (inner.get("Msg") if isinstance(inner, dict) else None) or first.get("message")

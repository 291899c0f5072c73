"""What every answer tells a browser, so that a page can do nothing that we did not write.

No script at all unless a door asks for it, no foreign resource, no frame, no sniffing, no referrer.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

STRICT_TRANSPORT: Final = "max-age=31536000"
NO_STORE: Final = "no-store"

_SAFE_ON_ANY_PORT: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers to an answer that is about to begin: connect it to the application's
    `on_response_prepare`, which also sees the answers to errors and the streamed ones.

    A header that a door set itself stays. `Cache-Control: no-store` goes on everything that says
    nothing about caching.
    """
    for name, value in fields(is_strict=is_strict(request.host, request.secure)).items():
        response.headers.setdefault(name, value)


def fields(*, is_strict: bool) -> dict[str, str]:
    """Return the headers that every answer has which does not set them itself."""
    strict = {"Strict-Transport-Security": STRICT_TRANSPORT} if is_strict else {}
    return {**HEADERS, "Cache-Control": NO_STORE, **strict}


def is_strict(host: str, is_secure: bool) -> bool:
    """Tell whether a browser is told to use TLS only for this `Host`.

    On localhost that would also bind every other program's port on the developer's machine.
    """
    return is_secure and _host_name(host) not in _SAFE_ON_ANY_PORT


@web.middleware
async def security_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The same as a middleware, for one sub-application; must stand outside `answer_errors`."""
    response = await handler(request)
    if not response.prepared:
        await add_security_headers(request, response)
    return response


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]

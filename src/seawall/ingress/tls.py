"""TLS as every listener of Seawall speaks it: 1.2 or newer, forward secrecy, HTTP/1.1."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from seawall.core.errors import UnavailableError

CIPHERS_OF_1_2: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


def server_context(pair: Path, *, client_authority: Path | None = None) -> ssl.SSLContext:
    """Return the context for the key and certificate in the PEM file `pair`.

    With `client_authority` every client must show a certificate that it signed; who that is, is
    then asked of `identity.certificates`. Raises UnavailableError when a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS_OF_1_2)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    try:
        context.load_cert_chain(pair)
        if client_authority is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cafile=client_authority)
            # A resumed session would skip the question whether the certificate still counts.
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
    except (OSError, ssl.SSLError) as error:
        raise UnavailableError(f"the certificate {pair.name} cannot be used: {error}") from error
    return context

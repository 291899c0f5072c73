"""The whole report as JSON: the same fields as `scan.report_model`, indented."""

from __future__ import annotations

import msgspec

from seawall.scan.outputs import Subject
from seawall.scan.report_model import Report


def write(report: Report, subject: Subject) -> bytes:
    """Return the report; its name is not part of it."""
    # Of a local image some texts are still digests, which the encoder does not take for texts.
    return msgspec.json.format(msgspec.json.encode(report, enc_hook=str)) + b"\n"

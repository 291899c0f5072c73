"""What the policy room announces."""

from __future__ import annotations

from seawall import audit
from seawall.core.reason import Reason


class VerdictGiven(audit.Event, frozen=True, kw_only=True):
    """An image was judged. `tag` is the one it was asked for by; None: by its digest."""

    tag: str | None = None
    allowed: bool
    policy: str
    reasons: tuple[Reason, ...] = ()


class AdmissionRefused(audit.Event, frozen=True, kw_only=True):
    """Somebody wanted to pull or run an image and was refused."""

    action: str  # "pull", "run" …
    image: str  # as it was asked for
    reasons: tuple[Reason, ...]

"""The trust of one repository, as its page shows it: two signers, a tag that was moved, a change
that waits.
"""

from __future__ import annotations

from typing import Final

from seawall.testing.page_samples import REGISTRY, SHOP, SHOP_OLD, ago, digest_of
from seawall.trust.tuf.chain import STEPS
from seawall.web import trust_views, views
from seawall.web.views import Outcome

RELEASE: Final = trust_views.Key(
    key_id=digest_of("release key").hex,
    name="release",
    hardware="YubiKey 5 24156621, slot 9c, touch always, PIN once",
    patterns=("shop/**",),
)
SECURITY: Final = trust_views.Key(
    key_id=digest_of("security key").hex, name="security", patterns=("**",)
)
ROOT: Final = trust_views.Key(key_id=digest_of("root key").hex, name="")

TRUST_PAGE: Final = trust_views.TrustPage(
    registry=REGISTRY,
    repository="shop/checkout",
    keys=(RELEASE, SECURITY),
    authorities=(
        trust_views.Authority(
            name="corp",
            kind="notation",
            identities=("x509.subject: C=US, ST=WA, O=example, CN=signer-a",),
        ),
    ),
    pin=trust_views.Pin(
        root_keys=(ROOT.key_id,),
        pinned_by="operator:root",
        pinned_at=ago(days=41),
        seen=(("root", 1), ("snapshot", 12), ("targets", 3), ("timestamp", 180)),
    ),
    tree=Outcome.ALLOWED,
    tree_note="the tree holds",
    steps=tuple(
        views.ProofStep(number=number, text=name, outcome=Outcome.ALLOWED)
        for number, name in STEPS.items()
        if number < 12
    ),
    refreshed_at=ago(hours=2),
    expires=ago(hours=-22),
    roles=(
        trust_views.Role(
            name="root", version=1, threshold=1, keys=(ROOT,), expires=ago(days=-3600)
        ),
        trust_views.Role(
            name="targets", version=3, threshold=1, keys=(ROOT,), expires=ago(days=-1000)
        ),
        trust_views.Role(
            name="targets/releases",
            version=7,
            threshold=2,
            keys=(RELEASE, SECURITY),
            expires=ago(days=-1000),
        ),
        trust_views.Role(
            name="targets/security",
            version=None,
            threshold=1,
            keys=(SECURITY,),
            expires=None,
        ),
    ),
    tags=(
        trust_views.Tag(
            name="2.4",
            digest=SHOP,
            outcome=Outcome.ALLOWED,
            note="",
            signers=("release", "security"),
            forms=("cosign-tag", "sigstore-bundle", "tuf"),
            newest=ago(hours=3),
        ),
        trust_views.Tag(
            name="stable",
            digest=SHOP_OLD,
            outcome=Outcome.REFUSED,
            note=f"tree, step 13 digest: stable stands for {SHOP}, not for {SHOP_OLD}",
            signers=("release",),
            forms=("cosign-tag",),
            newest=ago(days=20),
        ),
    ),
    tags_total=2,
    waiting=(
        trust_views.Waiting(
            role="targets/releases",
            version=8,
            missing=1,
            have_signed=(RELEASE,),
            may_sign=(SECURITY,),
            started_by="ci-robot",
            started_at=ago(minutes=12),
        ),
    ),
    log=(
        trust_views.LogEntry(
            number=311, kind="dsse", tag="2.4", digest=SHOP, key="release", at=ago(hours=3)
        ),
        trust_views.LogEntry(
            number=310, kind="seawall.tag", tag="2.4", digest=SHOP, key="", at=ago(hours=3)
        ),
    ),
    log_size=312,
)

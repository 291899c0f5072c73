"""Exact command lines that a reader can paste: what a page shows, checked by the reader's own hand.

Every word that came from outside is quoted for the shell.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from seawall.web import scan_views, trust_views, views


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A line for a shell and what it proves."""

    title: str
    line: str


def for_image(page: views.ImagePage) -> tuple[Command, ...]:
    """Return the commands that fetch, check, sign and explain exactly this image."""
    image = shlex.quote(f"{page.registry}/{page.repository}@{page.digest}")
    return (
        Command(title="Exactly this image, whatever the tags say later", line=f"IMAGE={image}"),
        Command(title="Pull it", line='docker pull "$IMAGE"'),
        Command(title="Why this verdict and what changes it", line='seawall explain "$IMAGE"'),
        Command(title="The proof of its signatures, step by step", line='seawall verify "$IMAGE"'),
        *_cosign(page.signatures),
        Command(title="Vouch for it", line='seawall sign "$IMAGE"'),
        Command(title="The report as JSON", line='seawall scan --json "$IMAGE"'),
    )


def for_comparison(query: scan_views.ComparisonQuery) -> tuple[Command, ...]:
    """Return the command that compares the same two images."""
    if not (query.old and query.new):
        return ()
    line = _line("seawall", "scan", query.new, "--against", query.old)
    return (Command(title="The same in a shell", line=line),)


def for_vulnerability(page: scan_views.Vulnerability) -> tuple[Command, ...]:
    """Return the command that says the same of a hole."""
    page_option = ("--page", str(page.page)) if page.page > 1 else ()
    line = _line("seawall", "where", page.id, *page_option)
    return (Command(title="The same in a shell, on the server", line=line),)


def for_trends(page: scan_views.Trends) -> tuple[Command, ...]:
    """Return the command that prints the same numbers."""
    names = (page.repository,) if page.repository else ()
    line = _line("seawall", "trends", *names, "--json")
    return (Command(title="The same in a shell, on the server", line=line),)


def for_trust(page: trust_views.TrustPage) -> tuple[Command, ...]:
    """Return the commands with which a reader checks what this page says, program by program."""
    repository = f"{page.registry}/{page.repository}"
    tag = page.tags[0].name if page.tags else "TAG"
    image = shlex.quote(f"{repository}:{tag}")
    file = f"./{page.keys[0].name}.pub" if page.keys else "./KEY.pub"
    key = shlex.quote(file)
    return (
        Command(title="The image, for the lines below", line=f"IMAGE={image}"),
        Command(title="Seawall: the whole proof, step by step", line='seawall verify "$IMAGE"'),
        Command(title="Seawall: may it run, and why", line='seawall explain "$IMAGE"'),
        Command(
            title="docker up to 28: pull only what the tree names",
            line='DOCKER_CONTENT_TRUST=1 docker pull "$IMAGE"',
        ),
        Command(
            title="docker up to 28: who signed which tag",
            line=_line("docker", "trust", "inspect", "--pretty", repository),
        ),
        Command(
            title="cosign, with a signer's public key",
            line=f'cosign verify --insecure-ignore-tlog --key {key} "$IMAGE"',
        ),
        Command(
            title="cosign 3, with the proof that the log has it",
            line=f"curl -fsS https://{page.registry}/api/trusted_root.json -o trusted_root.json\n"
            f'cosign verify --trusted-root trusted_root.json --key {key} "$IMAGE"',
        ),
        Command(title="notation, by its own trust policy", line='notation verify "$IMAGE"'),
        Command(
            title="skopeo, by its own policy.json",
            line='skopeo copy --policy policy.json docker://"$IMAGE" dir:checked',
        ),
    )


def first_push(registry: str) -> tuple[Command, ...]:
    """Return what brings the first image here."""
    return (
        Command(title="Log in", line=_line("docker", "login", registry)),
        Command(title="Name an image", line=_line("docker", "tag", "app", f"{registry}/app:1")),
        Command(title="Push it", line=_line("docker", "push", f"{registry}/app:1")),
    )


def first_run(overview: views.Overview) -> tuple[Command, ...]:
    """Return what runs a container through the gate; empty when no gate runs."""
    if overview.gate is None:
        return ()
    image = f"{overview.registry}/app:1"
    return (
        *(Command(title="Point docker at the gate", line=line) for line in overview.gate_setup),
        Command(title="Run an image from here", line=_line("docker", "run", "--rm", image)),
    )


def _cosign(signatures: Iterable[views.Signature]) -> Iterable[Command]:
    keys = {s.key: s.public_key for s in signatures if s.outcome is views.Outcome.ALLOWED}
    if keys:
        yield Command(title="The keys that are trusted here", line="seawall key list")
    for key, pem in sorted(keys.items()):
        file = f"./{key}.pub"
        if pem:
            line = f"{_line('printf', '%s', pem)} > {shlex.quote(file)}"
            yield Command(title=f"The public key of {key}, into a file", line=line)
        words = _line("cosign", "verify", "--insecure-ignore-tlog", "--key", file)
        title = f"The same with stock cosign and the public key of {key}"
        yield Command(title=title, line=f'{words} "$IMAGE"')


def _line(*words: str) -> str:
    return shlex.join(words)

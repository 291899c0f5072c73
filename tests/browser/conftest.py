"""The pages behind real TLS, and a real browser in front of them."""

from __future__ import annotations

import datetime as dt
import ipaddress
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from seawall.testing.clocks import FakeClock
from seawall.testing.page_samples import NOW
from seawall.testing.pages import FakeLogins, SamplePages
from seawall.web import routes

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
AXE_VERSION = "4.14.1"
DESKTOP = (1440, 900)
PHONE = (360, 740)


@dataclass
class Site:
    """A running server with the fakes that stand behind it."""

    url: str
    pages: SamplePages
    logins: FakeLogins


@dataclass
class Tab:
    """A page of the browser that remembers what its console complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)


def _tls(directory: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    path = directory / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    pages, logins = SamplePages(), FakeLogins()
    app = web.Application()
    app.add_routes(routes(pages, logins, clock=FakeClock(NOW)))
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=_tls(tmp_path)).start()
        port = runner.addresses[0][1]
        yield Site(url=f"https://127.0.0.1:{port}", pages=pages, logins=logins)
    finally:
        await runner.cleanup()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs chromium, and no program of that name is on the PATH")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture
async def open_tab(browser: Browser, site: Site) -> AsyncIterator[Callable[..., object]]:
    """A function that opens a fresh tab: `await open_tab(size=…, scripts=…, dark=…)`."""
    contexts: list[BrowserContext] = []

    async def opened(
        *, size: tuple[int, int] = DESKTOP, scripts: bool = True, dark: bool = False, scale: int = 1
    ) -> Tab:
        context = await browser.new_context(
            base_url=site.url,
            ignore_https_errors=True,
            java_script_enabled=scripts,
            viewport={"width": size[0], "height": size[1]},
            device_scale_factor=scale,
            color_scheme="dark" if dark else "light",
            is_mobile=size[0] < 600,
            has_touch=size[0] < 600,
        )
        contexts.append(context)
        tab = Tab(page=await context.new_page())
        tab.page.set_default_timeout(15_000)
        tab.page.on("console", lambda message: tab.complaints.append(message.text))
        tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        return tab

    yield opened
    for context in contexts:
        await context.close()


@pytest.fixture(scope="session")
def axe() -> Path:
    """axe-core, fetched into a cache folder of this user; skips where it cannot be had."""
    cache = Path.home() / ".cache" / "seawall-tests" / f"axe-{AXE_VERSION}"
    script = cache / "node_modules" / "axe-core" / "axe.min.js"
    if script.is_file():
        return script
    if shutil.which("npm") is None:
        pytest.skip("needs npm to fetch axe-core, and it is not installed")
    cache.mkdir(parents=True, exist_ok=True)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", cache]
    try:
        subprocess.run(
            ["npm", "install", *options, f"axe-core@{AXE_VERSION}"],
            capture_output=True,
            check=True,
            timeout=120,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"axe-core cannot be fetched: {error}")
    return script

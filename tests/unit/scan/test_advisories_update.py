"""Feeds over a real connection: the official zips, served from this machine."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.core.actor import SYSTEM
from seawall.scan import feed_sources, feeds
from seawall.scan.advisories import Advisories
from seawall.scan.feed_sources import Source
from seawall.scan.refreshes import Failure, Refresh
from seawall.store import Database
from seawall.testing.clocks import FakeClock


class FeedServer:
    """Serves `/<feed>/all.zip` with ETags, as the official distribution does."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.statuses: list[int] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = outer.files.get(self.path)
                etag = f'"{hashlib.md5(body or b"").hexdigest()}"'
                status = 404 if body is None else 200
                if body is not None and self.headers["If-None-Match"] == etag:
                    status, body = 304, b""
                outer.statuses.append(status)
                self.send_response(status)
                self.send_header("ETag", etag)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def put(self, feed: str, *ids: str) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ids:
                record = {
                    "id": name,
                    "affected": [{"package": {"ecosystem": feed, "name": "x"}, "versions": ["1"]}],
                }
                archive.writestr(f"{name}.json", json.dumps(record))
        self.files[f"/{feed}/all.zip"] = buffer.getvalue()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[FeedServer]:
    server = FeedServer()
    yield server
    server.close()


def test_brings_only_what_is_new(server: FeedServer, database: Database, tmp_path: Path) -> None:
    advisories = Advisories(database, FakeClock())

    def update() -> Refresh | Failure:
        (result,) = advisories.update(
            ["PyPI"], base_url=server.url, directory=tmp_path, actor=SYSTEM
        )
        return result

    server.put("PyPI", "CVE-1")
    first = update()
    assert isinstance(first, Refresh)
    assert ("CVE-1",) == first.added
    again = update()
    assert isinstance(again, Refresh)
    assert again.is_unchanged
    server.put("PyPI", "CVE-1", "CVE-2")
    third = update()
    assert isinstance(third, Refresh)
    assert ("CVE-2",) == third.added
    assert [200, 304, 200] == server.statuses


def test_a_missing_feed_is_told_and_the_others_come(
    server: FeedServer, database: Database, tmp_path: Path
) -> None:
    server.put("PyPI", "CVE-1")
    missing, found = Advisories(database, FakeClock()).update(
        ["Debian", "PyPI"], base_url=server.url, directory=tmp_path, actor=SYSTEM
    )
    assert isinstance(missing, Failure)
    assert "404" in missing.reason
    assert isinstance(found, Refresh)


def test_a_feed_with_a_name_of_its_own_comes_from_its_own_address(
    server: FeedServer, database: Database, tmp_path: Path
) -> None:
    server.files["/kev.json"] = json.dumps(
        {"CVE-2024-0001": ["2024-05-01", "Known", "x"], "CVE-2024-0002": ["today", "", "x"]}
    ).encode()
    source = Source(url=f"{server.url}/kev.json", licence="CC0", attribution="x", about="x")
    advisories = Advisories(database, FakeClock())
    for is_unchanged in (False, True):
        (result,) = advisories.update(
            ["kev"],
            base_url="http://127.0.0.1:9",
            directory=tmp_path,
            actor=SYSTEM,
            sources={"kev": source},
        )
        assert isinstance(result, Refresh)
        assert (1, is_unchanged) == (result.records, result.is_unchanged)


def test_known_sources_are_safe_and_have_terms() -> None:
    for name, source in feed_sources.KNOWN.items():
        assert feeds.checked_name(name) == name
        assert source.url.startswith("https://")
        assert source.licence
        assert source.attribution
    page = Path(__file__).resolve().parents[3] / "docs" / "reference" / "feeds.md"
    text = page.read_text()
    assert all(source.attribution in text for source in feed_sources.KNOWN.values())
    assert all(source.licence in text for source in feed_sources.KNOWN.values())

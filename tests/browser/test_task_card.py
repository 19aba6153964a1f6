"""The card's front-end module in a real Chromium, with a stub of anywidget's model and a small real HTTP server."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from jupyter_tasks.notebook import widgets

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STATIC = Path(widgets.__file__).parent / "static"
FILES = {
    "/card_harness.html": (Path(__file__).parent / "card_harness.html", "text/html"),
    "/task.js": (STATIC / "task.js", "text/javascript"),
    "/task.css": (STATIC / "task.css", "text/css"),
}
BASE = "/user/a%40b/"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)


@dataclass
class Site:
    """The harness, and the routes of a Jupyter server that the card calls."""

    url: str
    asked: list[tuple[str, dict[str, str], object]] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, kind = FILES.get(self.path.partition("?")[0], (None, ""))
            self._answer(200 if path else 404, kind, path.read_bytes() if path else b"")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.asked.append((self.path, dict(self.headers), body))
            action = self.path.rpartition("/")[2]
            if "elsewhere" in self.path:
                self._answer(404, "application/json", b'{"message": "Resource not found"}')
            elif action == "pause":
                error = {"message": "A workspace build is already active.", "hint": "Wait for it."}
                self._answer(409, "application/json", json.dumps(error).encode())
            elif action == "preview":
                answer = {"app": "preview", "path": "preview/capability/", "expires_at": "2026-01-01T00:00:00Z"}
                self._answer(200, "application/json", json.dumps(answer).encode())
            elif action == "interrupt":
                self._answer(200, "application/json", b'{"interrupted": true}')
            else:
                self._answer(204, "", b"")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            if kind:
                self.send_header("Content-Type", kind)
            self.send_header("Set-Cookie", "_xsrf=cross%20site")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}/card_harness.html"
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def chromium(tmp_path: Path) -> list[str]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine")
    return [program, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}"]


def _results(chromium: list[str], url: str) -> dict[str, bool]:
    command = [*chromium, "--virtual-time-budget=20000", "--dump-dom", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    match = re.search(r'<pre id="results">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match, done.stdout[-2000:] + done.stderr[-2000:]
    found: dict[str, bool] = json.loads(html.unescape(match[1]))
    return found


@pytest.mark.parametrize("scene", ["shows", "capabilities", "hostile", "kernel"])
def test_the_card(chromium: list[str], site: Site, scene: str) -> None:
    results = _results(chromium, f"{site.url}?scene={scene}")
    assert results
    assert [name for name, ok in results.items() if not ok] == []


@pytest.mark.parametrize("token", ["abc", ""])
def test_buttons_go_to_the_page_s_jupyter_server(chromium: list[str], site: Site, token: str) -> None:
    results = _results(chromium, f"{site.url}?scene=server&server={quote(BASE)}&token={token}")
    assert [name for name, ok in results.items() if not ok] == []
    paths = [path for path, _, _ in site.asked]
    root = f"{BASE}jupyter-tasks/api/v2/tasks/me"
    assert paths == [
        *(f"{root}/0b5e/{word}" for word in ("answer", "send", "interrupt", "preview", "pause")),
        f"{root}/elsewhere/pause",
    ]
    assert site.asked[0][2] == {"option": "ö"}
    _, headers, body = site.asked[1]
    assert isinstance(body, dict)
    assert body["input"] == "over http"
    assert body["key"]
    assert headers.get("Authorization") == (f"token {token}" if token else None)
    assert headers["X-XSRFToken"] == "cross site"


@pytest.mark.parametrize("theme", ["light", "dark", "bare"])
def test_it_can_be_drawn(chromium: list[str], site: Site, theme: str, tmp_path: Path) -> None:
    picture = tmp_path / f"card-{theme}.png"
    command = [*chromium, f"--screenshot={picture}", "--window-size=760,1400", f"{site.url}?theme={theme}"]
    subprocess.run(command, capture_output=True, timeout=50, check=True)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000  # a blank page has 6 kB

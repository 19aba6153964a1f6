"""Canary credentials: the engine has them and uses them, and nothing that is written anywhere holds one."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from luckless import engine_in, tasks_of, write_agent

from jupyter_tasks.testing.home import Home, until

pytestmark = pytest.mark.slow

KEY = "sk-ant-api03-canary-c0ffee-in-the-keys-file"
ENVIRONMENT = {
    name: f"canary-{name.lower().replace('_', '-')}-5ca1ab1e"
    for name in (
        *("JUPYTER_TOKEN", "JPY_API_TOKEN", "JUPYTERHUB_API_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN"),
        *("OPENAI_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "GEMINI_API_KEY", "SECRET_OF_THE_USER"),
    )
}
CANARIES = [KEY, *ENVIRONMENT.values()]
USAGE = {"input_tokens": 100, "output_tokens": 10}

# What runs inside: it writes down whatever it can see, calls, provokes errors, and says all of it on the terminal.
AGENT = r"""
import glob, json, os, sys, urllib.error, urllib.request

seen = ["environ %r" % dict(os.environ)]
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/mountinfo"):
    try:
        with open(path, "rb") as file:
            seen.append("%s %r" % (path, file.read(1 << 20)))
    except OSError as problem:
        seen.append("%s %s" % (path, problem))
for top in ("/run", "/tmp", "/home", os.environ["HOME"]):
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in ("site-packages", "node_modules", "lib", "lib64")]
        for name in names:
            path = os.path.join(folder, name)
            try:
                if os.path.isfile(path) and os.path.getsize(path) < 1 << 16 and len(seen) < 1000:
                    with open(path, "rb") as file:
                        seen.append("%s %r" % (path, file.read()))
            except OSError as problem:
                seen.append("%s %s" % (path, problem))

token = os.environ["JUPYTER_TASKS_TASK_TOKEN"]

def call(url, given, body):
    request = urllib.request.Request(url, data=body, headers={"x-api-key": given, "content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            seen.append("%s %s %r %r" % (url, answer.status, answer.headers.items(), answer.read()))
    except urllib.error.HTTPError as error:
        seen.append("%s %s %r %r" % (url, error.code, error.headers.items(), error.read()))
    except Exception as problem:
        seen.append("%s %r" % (url, problem))

for base, path in (
    (os.environ["ANTHROPIC_BASE_URL"] + "/v1", "/messages"), (os.environ["OPENAI_BASE_URL"], "/responses")
):
    for case in ("", "?case=stream", "?case=refuse", "?case=crash"):
        call(base + path + case, token, b'{"model": "claude-haiku-4-5"}')
    call(base + path, "wrong", b"{}")
    call(base + "/../../x", token, b"{}")
call(os.environ["JUPYTER_TASKS_GATEWAY_URL"] + "/gemini/v1beta/models?key=" + token, "", None)
text = "\n".join(seen)
with open("writing.txt", "w") as file:
    file.write(text)
os.replace("writing.txt", "seen.txt")
for line in seen[-14:]:
    print(line[:1500])
sys.stdin.read()
"""


class Vendor(BaseHTTPRequestHandler):
    """An upstream that says every credential it is given aloud."""

    protocol_version = "HTTP/1.1"
    given: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", "0")))
        own = self.headers.get("x-api-key") or self.headers.get("x-goog-api-key")
        secret = own or self.headers.get("authorization", "").removeprefix("Bearer ")
        type(self).given.append(secret)
        if self.path.endswith("case=crash"):
            self.close_connection = True
            return
        if self.path.endswith("case=stream"):
            self._stream(secret)
            return
        refused = self.path.endswith("case=refuse")
        body = json.dumps(
            {"error": {"message": f"invalid key {secret}"}}
            if refused
            else {"model": "claude-haiku-4-5", "said": f"{secret} {dict(self.headers)}", "usage": USAGE}
        ).encode()
        self.send_response(401 if refused else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-your-key", secret)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815

    def _stream(self, secret: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        half = len(secret) // 2
        for piece in (f"data: {secret[:half]}", f"{secret[half:]}\n\n"):  # cut through the middle
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece.encode()))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_arguments: object) -> None: ...


@contextlib.contextmanager
def vendor() -> Iterator[tuple[str, list[str]]]:
    """Its URL, and the credentials that it was given."""
    given: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Vendor,), {"given": given}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", given
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def traces(canary: str) -> list[bytes]:
    """A secret in the clothes that it may wear."""
    plain = canary.encode()
    return [
        plain,
        base64.b64encode(plain).rstrip(b"="),
        plain.hex().encode(),
        quote(canary, safe="").encode(),
        plain[8:],
    ]


def found_in(data: bytes) -> list[str]:
    return [canary for canary in CANARIES if any(trace in data for trace in traces(canary))]


def files_of(top: Path) -> list[Path]:
    """Every plain file, but the one that is meant to hold a key."""
    files = (path for path in top.rglob("*") if path.is_file() and not path.is_symlink())
    return [path for path in files if path != top / "state" / "keys.json"]


def token_in(said: bytes) -> bytes:
    """The task's token, which is no secret to its own workspace."""
    found = re.search(rb"JUPYTER_TASKS_TASK_TOKEN=(jt-[\w-]+)", said)
    assert found
    return found[1]


def test_no_credential_is_found_anywhere(home: Home) -> None:
    write_agent(home, "canary", AGENT, command="python3 -I agent.sh", programs='"python3"')
    with vendor() as (url, given):
        environment = {**ENVIRONMENT, "OPENAI_BASE_URL": f"{url}/v1", "GOOGLE_GEMINI_BASE_URL": url}
        # with ``env``, so that also what a detached engine is not given is there: an engine inside a server has it all
        with (
            engine_in(home, "env", *(f"{name}={value}" for name, value in environment.items())),
            tasks_of(home) as tasks,
        ):
            home.cli("keys", "add", "anthropic", "--base-url", url, "--stdin", stdin=f"{KEY}\n")
            shown = [home.cli("keys", "list").stdout, home.cli("keys", "test", "anthropic", check=False).stdout]
            task = tasks.create("canary", prompt="look around")
            seen = home.state / "workspaces"
            [written] = until(lambda: list(seen.rglob("seen.txt")), 30, home.log())
            said = written.read_bytes()
            used = tasks.when(task, lambda found: found.usage and found.usage.input >= 200)
            shown += [
                str(tasks.client.messages(task)),
                tasks.said(task),
                str(used),
                home.cli("list", "-o", "json").stdout,
            ]
            shown += [tasks.said(task, kind) for kind in ("script", "agent")]
            tokens = [token_in(said)]
            tasks.client.pause(task)
            tasks.has(task, "paused")
            written.unlink()
            tasks.client.resume(task)
            until(written.exists, 30, home.log())
            tokens.append(token_in(written.read_bytes()))
            shown.append(written.read_text())
        # it was really called, with the real keys, and the vendor really said them
        assert KEY in given
        assert ENVIRONMENT["OPENAI_API_KEY"] in given
        assert ENVIRONMENT["GEMINI_API_KEY"] in given
        assert said.count(b" 200 ") >= 4, said[-4000:]
        assert b"invalid key ****" in said
        assert used.capabilities.cost
        assert used.cost is not None
        assert used.cost.amount == "0.0003"
        assert tokens[0] != tokens[1]  # a resume is another build
    assert found_in(said) == []
    assert found_in("\n".join(shown).encode()) == []
    assert {str(path): found for path in files_of(home.root) if (found := found_in(path.read_bytes()))} == {}
    assert (home.state / "keys.json").stat().st_mode & 0o777 == 0o600

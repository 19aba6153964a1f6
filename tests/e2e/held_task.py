"""A template whose agent works for as long as its prompt says, and whose app echoes what it is asked."""

from __future__ import annotations

from luckless import write_template

from jupyter_tasks.testing.home import Home

_MAIN = """
data "coder_task" "me" {}
resource "terraform_data" "local_workspace" {
  input = { memory = "512MB", programs = ["python3"], files = "${path.module}/files" }
}
resource "coder_agent" "main" {
  os   = "linux"
  arch = "amd64"
  dir  = "~/project"
}
resource "coder_script" "start" {
  agent_id     = coder_agent.main.id
  display_name = "Start"
  run_on_start = true
  script       = <<-EOT
    cd ~/project
    nohup python3 -I app.py > ~/app.log 2>&1 < /dev/null &
    nohup agentapi server --type custom --port 3284 \
      "--initial-prompt=$(echo '${base64encode(data.coder_task.me.prompt)}' | base64 -d)" -- python3 -I agent.py \
      > ~/agentapi.log 2>&1 < /dev/null &
  EOT
}
resource "coder_app" "preview" {
  agent_id = coder_agent.main.id
  slug     = "preview"
  url      = "http://localhost:8000"
}
resource "coder_app" "agent" {
  agent_id = coder_agent.main.id
  slug     = "agent"
  url      = "http://localhost:3284"
  healthcheck {
    url       = "http://localhost:3284/status"
    interval  = 1
    threshold = 5
  }
}
resource "coder_ai_task" "task" { app_id = coder_app.agent.id }
"""
_AGENT = r"""
import re, sys, time

def say(state):
    sys.stdout.write(f"\x1b]7501;state={state}:app=held\x1b\\")
    sys.stdout.flush()

sys.stdout.write("ready\n> ")
say("idle")
for line in sys.stdin:
    say("working")
    end = time.monotonic() + float(re.findall(r"for ([0-9.]+)", line)[-1])  # it comes in the brackets of a paste
    while time.monotonic() < end:
        time.sleep(0.1)
    sys.stdout.write("done\n> ")
    say("idle")
"""
_APP = r"""
import base64, hashlib, http.server, json, struct

class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.headers.get("Upgrade") == "websocket":
            return self.echo()
        body = json.dumps({"path": self.path, "headers": self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def echo(self):
        # the first frame of text comes back, behind what headers the handshake had
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        size = self.rfile.read(2)[1] & 127
        mask = self.rfile.read(4)
        text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(size))).decode()
        said = json.dumps({"text": text, "headers": self.headers.items()}).encode()
        self.wfile.write(struct.pack("!BBH", 0x81, 126, len(said)) + said)
        self.wfile.flush()
        self.close_connection = True

http.server.ThreadingHTTPServer(("127.0.0.1", 8000), App).serve_forever()
"""


def write_held(home: Home) -> dict[str, str]:
    """Write the template. Returns: what a request to create names of it; its ``input`` is "work for SECONDS"."""
    write_template(home, "held", _MAIN, {"agent.py": _AGENT, "app.py": _APP})
    return {"template": "held"}

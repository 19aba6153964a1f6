"""Runs Codex under AgentAPI: ``start.py SETTINGS PORT``, the first prompt on standard input.

Everything that Codex would ask, fetch or update by itself is answered on its command line, so that no file of the
user's is written. Python 3.9, standard library only: it runs inside the workspace.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

SANDBOXES = {"bypassPermissions": "danger-full-access", "acceptEdits": "workspace-write"}
SLUG = "codex"


def main():
    """Replace this process by AgentAPI."""
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    agent = ["codex"]
    for key, value in overrides(settings, os.environ, str(Path.cwd())):
        agent += ["-c", f"{key}={toml(value)}"]
    session = settings["resume"] or (settings["continue"] and last_session(codex_home(), str(Path.cwd())))
    if session:
        agent += ["resume", session]
    server = ["agentapi", "server", "--type", "codex", "--term-width", "120", "--port", sys.argv[2]]
    os.execvp("agentapi", [*server, "--", *agent])  # noqa: S606


def overrides(settings, environ, directory):
    """(key, value) of each setting. With a task token in the environment, calls go to the engine's gateway."""
    unattended = settings["mode"] == "bypassPermissions"
    yield "approval_policy", "never" if unattended else "on-request"
    yield "sandbox_mode", SANDBOXES.get(settings["mode"], "read-only")
    yield "projects", {directory: {"trust_level": "trusted"}}
    yield "check_for_update_on_startup", False
    yield "analytics.enabled", False
    yield "feedback.enabled", False
    for feature in ("plugins", "apps", "daemon_auto_start"):
        yield f"features.{feature}", False
    yield "tui.animations", True  # its window title tells when it waits for an approval
    if settings["model"]:
        yield "model", settings["model"]
        newer = successor(settings["model"])
        if newer:  # else the first Enter would take the newer model
            yield "notice.model_migrations", {settings["model"]: newer}
    if settings["effort"]:
        yield "model_reasoning_effort", settings["effort"]
    if settings["system"]:
        yield "developer_instructions", settings["system"]
    if environ.get("JUPYTER_TASKS_TASK_TOKEN"):
        url = environ.get("OPENAI_BASE_URL") or environ.get("JUPYTER_TASKS_GATEWAY_URL", "") + "/openai/v1"
        provider = {"name": "OpenAI", "base_url": url, "wire_api": "responses", "env_key": "JUPYTER_TASKS_TASK_TOKEN"}
        yield "model_providers.gateway", provider
        yield "model_provider", "gateway"
    for name, server in settings["servers"].items():
        yield f"mcp_servers.{name}", codex_server(server)
    if settings["report"]:
        yield (
            "mcp_servers.coder",
            {
                "command": "coder",
                "args": ["exp", "mcp", "server"],
                "env": {"CODER_MCP_APP_STATUS_SLUG": SLUG, "CODER_MCP_ALLOWED_TOOLS": "coder_report_task"},
                "env_vars": ["CODER_AGENT_URL", "CODER_AGENT_TOKEN"],
                "default_tools_approval_mode": "approve",  # a report is no question to the user
            },
        )


def successor(model):
    """The model that Codex would offer instead of ``model``, or ""."""
    command = ["codex", "debug", "models", "--bundled"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
        known = {found["slug"]: found.get("upgrade") for found in json.loads(done.stdout)["models"]}
        return str((known.get(model) or {}).get("model") or "")
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def codex_server(server):
    """An MCP server as Codex writes it, from the form that the others share."""
    kept = {key: value for key, value in server.items() if key not in ("type", "headers") and value is not None}
    if server.get("headers"):
        kept["http_headers"] = server["headers"]
    return kept


def toml(value):
    """A JSON value as TOML."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{toml(str(key))}={toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(toml, value)) + "]"
    if isinstance(value, str):
        # JSON's strings are TOML's, but for DEL and what JSON writes as pairs of surrogates
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def codex_home():
    """Where Codex keeps its sessions."""
    return Path(os.environ.get("CODEX_HOME") or Path.home() / ".codex")


def last_session(home, directory):
    """Id of the newest conversation that a person had in ``directory``, or ""; one without a turn is none."""
    files = sorted(home.glob("sessions/*/*/*/rollout-*.jsonl"), key=lambda path: path.name, reverse=True)
    for path in files[:200]:
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                about = json.loads(file.readline(1 << 20))["payload"]
                ours = about["cwd"] == directory and about.get("source") == "cli"
                if ours and any('"role":"user"' in line for line in file):
                    return str(about["id"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return ""


if __name__ == "__main__":
    main()

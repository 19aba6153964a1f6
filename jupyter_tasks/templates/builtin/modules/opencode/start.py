"""Runs OpenCode under AgentAPI: ``start.py SETTINGS PORT``, the first prompt on standard input.

What OpenCode needs to know is handed to it in its environment, on top of the configuration that is there. Python 3.9,
standard library only: it runs inside the workspace.
"""

import json
import os
import sqlite3
import sys
from pathlib import Path

SLUG = "opencode"
PERMISSIONS = {
    "bypassPermissions": {"*": "allow"},
    "acceptEdits": {"*": "ask", "read": "allow", "glob": "allow", "grep": "allow", "list": "allow", "edit": "allow"},
    "default": {"*": "ask", "read": "allow", "glob": "allow", "grep": "allow", "list": "allow"},
}
# provider: where its calls go unless the template says otherwise, the variable that says so, and what comes after that
PROVIDERS = {
    "anthropic": ("/anthropic", "ANTHROPIC_BASE_URL", "/v1"),
    "openai": ("/openai/v1", "OPENAI_BASE_URL", ""),
}


def main():
    """Replace this process by AgentAPI."""
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    config = configuration(settings, os.environ)
    if settings["system"]:
        instructions = Path(sys.argv[1]).with_name("instructions.md")
        instructions.write_text(settings["system"], encoding="utf-8")
        config["instructions"] = [str(instructions)]
    os.environ["OPENCODE_CONFIG_CONTENT"] = json.dumps(config)
    for name in ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD"):
        os.environ[f"OPENCODE_DISABLE_{name}"] = "1"
    agent = ["opencode"]
    if settings["model"]:
        agent += ["--model", full_model(settings["model"])]
    if settings["mode"] == "plan":
        agent += ["--agent", "plan"]
    if settings["session"]:
        agent += ["--session", settings["session"]]
    elif settings["continue"] and has_session():
        agent += ["--continue"]
    server = ["agentapi", "server", "--type", "opencode", "--term-width", "120", "--port", sys.argv[2]]
    os.execvp("agentapi", [*server, "--", *agent])  # noqa: S606


def full_model(model):
    """provider/model; Anthropic's when no provider is named."""
    return model if "/" in model else f"anthropic/{model}"


def configuration(settings, environ):
    """What goes on top of the user's configuration. With a task token, calls go to the engine's gateway."""
    config = {
        "autoupdate": False,
        "share": "disabled",
        "permission": PERMISSIONS.get(settings["mode"], PERMISSIONS["default"]),
        "mcp": {name: opencode_server(server) for name, server in settings["servers"].items()},
    }
    if settings["report"]:
        config["permission"] = {**config["permission"], "coder_coder_report_task": "allow"}
        config["mcp"]["coder"] = {
            "type": "local",
            "command": ["coder", "exp", "mcp", "server"],
            "environment": {"CODER_MCP_APP_STATUS_SLUG": SLUG, "CODER_MCP_ALLOWED_TOOLS": "coder_report_task"},
            "enabled": True,
        }
    provider, _, model = full_model(settings["model"] or "").partition("/")
    if environ.get("JUPYTER_TASKS_TASK_TOKEN") and provider in PROVIDERS:
        path, variable, version = PROVIDERS[provider]
        base = environ.get(variable) or environ.get("JUPYTER_TASKS_GATEWAY_URL", "") + path
        own = {"options": {"baseURL": base + version, "apiKey": environ["JUPYTER_TASKS_TASK_TOKEN"]}}
        if model:
            own["models"] = {model: {}}  # known to OpenCode or not
        config["enabled_providers"] = [provider]
        config["provider"] = {provider: own}
    extra = settings["config"]
    return merge(config, json.loads(extra)) if extra else config


def opencode_server(server):
    """An MCP server as OpenCode writes it, from the form that the others share."""
    if server.get("url"):
        return {"type": "remote", "url": server["url"], "headers": server.get("headers") or {}, "enabled": True}
    command = [server.get("command", ""), *(server.get("args") or [])]
    return {"type": "local", "command": command, "environment": server.get("env") or {}, "enabled": True}


def merge(under, over):
    """``over`` on top of ``under``, objects key by key."""
    if isinstance(under, dict) and isinstance(over, dict):
        return {**under, **{key: merge(under.get(key), value) for key, value in over.items()}}
    return over


def has_session():
    """Whether OpenCode has kept a conversation."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "opencode"
    if any(data.glob("storage/message/*/*.json")):
        return True
    for path in data.glob("opencode*.db"):
        try:
            database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            try:
                return bool(database.execute("select 1 from message limit 1").fetchall())
            finally:
                database.close()
        except sqlite3.Error:
            continue
    return False


if __name__ == "__main__":
    main()

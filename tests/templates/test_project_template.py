"""The template ``project`` and the modules of the agents: what is planned, and what their scripts really do.

The scripts run in a shell with an ``agentapi`` that writes down how it was called, for every agent.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from planning_inputs import AGENT, inputs

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.templates.analysis import analyse
from jupyter_tasks.templates.credentials import PROVIDERS, provider_of
from jupyter_tasks.templates.library import DirectoryLibrary, default_library
from jupyter_tasks.templates.modules import BuiltinModules
from jupyter_tasks.templates.plan import PlanInputs, WorkspacePlan
from jupyter_tasks.templates.plan_json import plan_from_json, plan_to_json
from jupyter_tasks.templates.planning import plan

HERE = '["claude","codex","opencode"]'
TOKEN = "token-of-the-build"
AGENTS = ("claude", "codex", "opencode", "custom", "offline")
MODES = ("bypassPermissions", "acceptEdits", "default", "plan")
HOSTILE = (
    "'; touch /tmp/hostile #",
    "$(touch /tmp/hostile)`touch /tmp/hostile`",
    '"\\"${path.module}%{ if true }x%{ endif }',
    "line one\nline two\r\n'EOF'\nEOT",
    "Grüße, 世界 🙂 \u202e\x7f",
)


def given(**values: Any) -> PlanInputs:
    values.setdefault("variables", {"agents_here": HERE})
    return inputs(**{"task_id": "33333333-3333-4333-8333-333333333333", "prompt": "x", "task_token": TOKEN, **values})


def project(agent: str | None = None, **values: Any) -> WorkspacePlan:
    parameters = {**({"agent": agent} if agent else {}), **values.pop("parameters", {})}
    if agent == "custom":
        parameters.setdefault("custom_command", "aider --yes-always")
    tree = default_library().get("project").tree
    return plan(tree, given(parameters=parameters, **values), template_version_id="v")


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("mode", MODES)
def test_every_agent_and_mode_is_planned(agent: str, mode: str) -> None:
    made = project(agent, parameters={"permission_mode": mode, "model": "some/model-1.5"})
    assert made.task is not None
    assert made.app(made.task.app_id) is not None
    assert made.local is not None
    assert made.agents[0].dir == "~/project"
    providers = {"claude": ("anthropic",), "codex": ("openai",), "opencode": ("anthropic",)}.get(agent, ())
    assert made.providers == providers
    programs = {"custom": ("aider",), "offline": ()}.get(agent, (agent,))
    assert made.local.programs == programs
    assert plan_from_json(json.loads(json.dumps(plan_to_json(made)))) == made


def test_the_model_says_whose_key_opencode_needs() -> None:
    assert project("opencode", parameters={"model": "openai/gpt-6"}).providers == ("openai",)


@pytest.mark.parametrize(
    ("here", "default"),
    [("[]", "offline"), ('["codex"]', "codex"), ('["opencode","codex"]', "codex"), (HERE, "claude")],
)
def test_the_first_agent_that_is_here_is_the_default(here: str, default: str) -> None:
    made = project(variables={"agents_here": here})
    agent = made.parameters[0]
    assert (agent.name, agent.value) == ("agent", default)
    assert [option.value for option in agent.options][-2:] == ["custom", "offline"]
    assert len(agent.options) == len(json.loads(here)) + 2
    said = [script.display_name for script in made.agents[0].scripts]
    assert ("No coding agent found on this machine, the offline agent works" in said) == (here == "[]")
    assert ("No coding agent was found" in agent.description) == (here == "[]")
    template = default_library().get("project")
    found = default_library().analysis(template, {"agents_here": here})
    assert (found.task_capable, found.diagnostics) == (True, ())
    assert found.parameters[0].value == default


@pytest.mark.parametrize(
    ("parameters", "field", "text"),
    [
        ({"agent": "goose"}, "agent", "must be a valid option"),
        ({"agent": "custom"}, "custom_command", "is not set"),
        ({"agent": "custom", "custom_command": "'quoted' x"}, "custom_command", "begins with the name"),
        ({"mcp": '{"mcpServers":'}, "mcp", "must be a JSON object"),
        ({"mcp": "[]"}, "mcp", "must be a JSON object"),
        ({"mcp": '{"mcpServers":{"a b":{"command":"x"}}}'}, "mcp", "Each server has a name"),
        ({"mcp": '{"a.b":{"command":"x"}}'}, "mcp", "Each server has a name"),
        ({"mcp": '{"a":{"args":[]}}'}, "mcp", "Each server has a name"),
        ({"model": "two words"}, "model", "no name of a model"),
        ({"model": "-c evil"}, "model", "no name of a model"),
        ({"permission_mode": "all"}, "permission_mode", "must be a valid option"),
    ],
)
def test_a_wrong_value_is_the_callers_mistake(parameters: dict[str, str], field: str, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        project(parameters=parameters)
    assert [item.field for item in caught.value.validations] == [field]
    assert text in str(caught.value)


@pytest.mark.parametrize("preset", ["Ask first", "Plan first"])
def test_presets(preset: str) -> None:
    made = project("claude", preset=preset)
    mode = next(item.value for item in made.parameters if item.name == "permission_mode")
    assert mode == {"Ask first": "default", "Plan first": "plan"}[preset]


@pytest.mark.parametrize("agent", AGENTS)
def test_nothing_that_somebody_wrote_stands_in_a_script(agent: str) -> None:
    for text in HOSTILE:
        made = project(agent, prompt=f"prompt {text}", parameters={"setup_script": f"setup {text}"})
        scripts = "\n".join(script.script for script in made.agents[0].scripts)
        assert text not in scripts
        assert f"prompt {text}" in decoded(scripts)
        assert TOKEN not in scripts


def decoded(script: str) -> str:
    """Everything in a script that is base64, as text; also what is base64 inside of that."""
    words = [word.strip("'\"") for word in script.split() if len(word) > 6]
    found = []
    for word in words:
        try:
            text = base64.b64decode(word, validate=True).decode()
        except ValueError:
            continue
        found += [text, decoded(text)]
    return "\n".join(found)


# ---------------------------------------------------------------- what the scripts do


@dataclass(frozen=True)
class Workspace:
    """A home in which the scripts of a plan run, with programs that write down how they were called."""

    home: Path
    bin: Path

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def run(self, made: WorkspacePlan, **extra: str) -> str:
        """Run the start scripts as the workspace agent does; what the last one says."""
        agent = made.agents[0]
        env = {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:{Path(sys.executable).parent}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "JUPYTER_TASKS_TASK_TOKEN": TOKEN,
            "JUPYTER_TASKS_GATEWAY_URL": "http://127.0.0.1:1",
            **agent.env,
            **extra,
        }
        said = ""
        for script in sorted(agent.scripts, key=lambda item: not item.start_blocks_login):
            path = self.home / "script"
            path.write_text(script.script)
            done = subprocess.run(["sh", path], env=env, cwd=self.home, capture_output=True, text=True, timeout=30)
            assert done.returncode == 0, done.stderr
            said = done.stdout + done.stderr
        return said

    def called(self) -> tuple[list[str], str, dict[str, str]]:
        """Arguments, standard input and environment of ``agentapi``, once it was called."""
        for _ in range(500):
            if (self.home / "called").exists():
                break
            subprocess.run(["sleep", "0.02"], check=True)
        arguments = (self.home / "called.argv").read_bytes().decode().split("\0")[:-1]
        pairs = (self.home / "called.env").read_bytes().decode().split("\0")
        (self.home / "called").unlink()
        return (
            arguments,
            (self.home / "called.stdin").read_bytes().decode(),
            dict(p.split("=", 1) for p in pairs if "=" in p),
        )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "home of mine", tmp_path / "bin")
    made.home.mkdir()
    made.bin.mkdir()
    made.program(
        "agentapi",
        '#!/bin/sh\nprintf "%s\\0" "$@" > "$HOME/called.argv"\ncat > "$HOME/called.stdin"\n'
        'env -0 > "$HOME/called.env"\n: > "$HOME/called"\n',
    )
    root = Path(__file__).parents[2]
    made.program(
        "coder",
        f'#!/bin/sh\nPYTHONPATH="{root}" exec "{sys.executable}" -c '
        '\'import sys; from jupyter_tasks.agent.shims import run; sys.exit(run("coder", sys.argv[1:]))\' "$@"\n',
    )
    for name in ("claude", "codex", "opencode", "aider"):
        made.program(name, "#!/bin/sh\nexit 0\n")
    return made


def after(arguments: Sequence[str], flag: str) -> str:
    return arguments[list(arguments).index(flag) + 1]


def settings_of(arguments: Sequence[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for at, word in enumerate(arguments) if arguments[at - 1] == "-c")


def test_claude_code_starts_with_every_question_answered(workspace: Workspace) -> None:
    (workspace.home / ".claude.json").write_text('{"mine": 1, "projects": {"/x": {"mine": 2}}}')
    workspace.run(project("claude", parameters={"model": "opus", "mcp": '{"db":{"command":"db","args":["-x"]}}'}))
    arguments, prompt, env = workspace.called()
    assert arguments[:7] == ["server", "--type", "claude", "--term-width", "120", "--port", "3284"]
    assert arguments[7:9] == ["--", "claude"]
    assert after(arguments, "--permission-mode") == "bypassPermissions"
    assert after(arguments, "--model") == "opus"
    assert "coder_report_task" in after(arguments, "--append-system-prompt")
    servers = json.loads(Path(after(arguments, "--mcp-config")).read_text())["mcpServers"]
    assert servers["db"] == {"command": "db", "args": ["-x"]}
    assert servers["coder"]["env"]["CODER_MCP_APP_STATUS_SLUG"] == "ccw"
    assert prompt == "x"
    assert (env["ANTHROPIC_AUTH_TOKEN"], env["ANTHROPIC_BASE_URL"]) == (TOKEN, "http://127.0.0.1:1/anthropic")
    assert not {"ANTHROPIC_API_KEY", "CLAUDE_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"} & set(env)
    assert (env["IS_SANDBOX"], env["DISABLE_AUTOUPDATER"]) == ("1", "1")
    config = json.loads((workspace.home / ".claude.json").read_text())
    assert (config["mine"], config["projects"]["/x"], config["hasCompletedOnboarding"]) == (1, {"mine": 2}, True)
    assert config["projects"][str(workspace.home / "project")]["hasTrustDialogAccepted"]
    assert TOKEN not in (workspace.home / ".claude.json").read_text()


def test_claude_code_goes_on_with_its_session(workspace: Workspace) -> None:
    made = project("claude")
    workspace.run(made)
    session = after(workspace.called()[0], "--session-id")
    workspace.run(made)  # nothing was written yet: the same session begins again
    assert after(workspace.called()[0], "--session-id") == session
    kept = workspace.home / ".claude" / "projects" / "-home" / f"{session}.jsonl"
    kept.parent.mkdir(parents=True)
    kept.write_text('{"type":"mode"}\n')
    workspace.run(made)  # no turn: claude would refuse to resume it, and to begin it while the file is there
    assert after(workspace.called()[0], "--session-id") == session
    assert not kept.exists()
    kept.write_text('{"type":"mode"}\n{"parentUuid":null,"type":"user"}\n{"torn')
    workspace.run(made)
    arguments = workspace.called()[0]
    assert after(arguments, "--resume") == session
    assert "--session-id" not in arguments


def test_codex_starts_with_every_question_answered(workspace: Workspace) -> None:
    workspace.program("codex", '#!/bin/sh\necho \'{"models":[{"slug":"old","upgrade":{"model":"new"}}]}\'\n')
    mcp = '{"mcpServers":{"web":{"type":"http","url":"http://x","headers":{"A":"é\\"\\u007f"}}}}'
    workspace.run(project("codex", parameters={"model": "old", "mcp": mcp}))
    arguments, prompt, env = workspace.called()
    assert arguments[2] == "codex"
    found = settings_of(arguments)
    assert found["approval_policy"] == '"never"'
    assert found["sandbox_mode"] == '"danger-full-access"'
    assert found["notice.model_migrations"] == '{"old"="new"}'
    assert found["features.daemon_auto_start"] == "false"
    assert found["mcp_servers.web"] == '{"url"="http://x","http_headers"={"A"="é\\"\\u007f"}}'
    assert found["projects"] == f'{{"{workspace.home / "project"}"={{"trust_level"="trusted"}}}}'
    assert '"base_url"="http://127.0.0.1:1/openai/v1"' in found["model_providers.gateway"]
    assert '"env_key"="JUPYTER_TASKS_TASK_TOKEN"' in found["model_providers.gateway"]
    assert TOKEN not in "".join(arguments)
    assert (prompt, env["OPENAI_API_KEY"]) == ("x", TOKEN)
    assert "resume" not in arguments


@pytest.mark.parametrize(
    ("mode", "approval", "sandbox"),
    [("acceptEdits", "on-request", "workspace-write"), ("default", "on-request", "read-only")],
)
def test_codex_asks_when_it_is_to(workspace: Workspace, mode: str, approval: str, sandbox: str) -> None:
    workspace.run(project("codex", parameters={"permission_mode": mode}))
    found = settings_of(workspace.called()[0])
    assert (found["approval_policy"], found["sandbox_mode"]) == (f'"{approval}"', f'"{sandbox}"')


def test_codex_goes_on_with_the_newest_conversation_of_a_person(workspace: Workspace) -> None:
    place = workspace.home / ".codex" / "sessions" / "2026" / "11" / "22"
    place.mkdir(parents=True)
    directory = str(workspace.home / "project")

    def session(at: str, name: str, source: str, cwd: str, turn: bool) -> None:
        about = {"type": "session_meta", "payload": {"id": name, "cwd": cwd, "source": source}}
        turns = '{"payload":{"type":"message","role":"user"}}\n' if turn else ""
        (place / f"rollout-2026-11-22T{at}-{name}.jsonl").write_text(f"{json.dumps(about)}\n{turns}")

    made = project("codex")
    session("10-00-00", "empty", "cli", directory, False)
    workspace.run(made)
    assert "resume" not in workspace.called()[0]
    session("09-00-00", "older", "cli", directory, True)
    session("09-30-00", "wanted", "cli", directory, True)
    session("11-00-00", "aside", "exec", directory, True)
    session("12-00-00", "elsewhere", "cli", "/x", True)
    (place / "rollout-2026-11-22T13-00-00-torn.jsonl").write_text('{"type":"session_me')
    workspace.run(made)
    assert workspace.called()[0][-2:] == ["resume", "wanted"]


def test_opencode_gets_its_settings_on_top_of_the_users(workspace: Workspace) -> None:
    workspace.run(project("opencode", parameters={"model": "openai/gpt-6", "permission_mode": "acceptEdits"}))
    arguments, prompt, env = workspace.called()
    assert arguments[7:] == ["--", "opencode", "--model", "openai/gpt-6"]
    config = json.loads(env["OPENCODE_CONFIG_CONTENT"])
    options = config["provider"]["openai"]["options"]
    assert options == {"baseURL": "http://127.0.0.1:1/openai/v1", "apiKey": TOKEN}
    assert config["provider"]["openai"]["models"] == {"gpt-6": {}}
    assert (config["permission"]["*"], config["permission"]["edit"]) == ("ask", "allow")
    assert config["mcp"]["coder"]["command"] == ["coder", "exp", "mcp", "server"]
    assert "coder_report_task" in Path(config["instructions"][0]).read_text()
    assert prompt == "x"
    kept = workspace.home / ".local" / "share" / "opencode" / "storage" / "message" / "ses_1" / "msg_1.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    workspace.run(project("opencode", parameters={"permission_mode": "plan"}))
    assert workspace.called()[0][7:] == ["--", "opencode", "--agent", "plan", "--continue"]


def test_any_other_command(workspace: Workspace) -> None:
    workspace.run(project("custom", parameters={"custom_command": "aider --message 'two words' \"$HOME\""}))
    arguments, _, _ = workspace.called()
    assert arguments[2] == "custom"
    assert arguments[8:] == ["aider", "--message", "two words", "$HOME"]


@pytest.mark.parametrize("command", ["aider 'open", "not-installed-here"])
def test_a_command_that_cannot_run_is_said_in_the_log(workspace: Workspace, command: str) -> None:
    made = project("custom", parameters={"custom_command": command})
    with pytest.raises(AssertionError, match=r"cannot be split into words|is not in this workspace"):
        workspace.run(made)


@pytest.mark.parametrize("agent", ["claude", "codex", "opencode", "custom"])
def test_a_missing_program_is_said_in_the_log(workspace: Workspace, agent: str) -> None:
    (workspace.bin / {"custom": "aider"}.get(agent, agent)).unlink()
    with pytest.raises(AssertionError, match="is not in this workspace"):
        workspace.run(project(agent))


@pytest.mark.parametrize(
    ("agent", "prompt"),
    [
        *((agent, "é🙂" * 100_000) for agent in AGENTS),
        *((agent, text) for agent in ("claude", "offline") for text in HOSTILE),
        ("codex", ""),
    ],
    ids=lambda text: f"{len(text)}{text[:8] if text.isascii() else ''}",
)
def test_the_prompt_arrives_as_it_was_written(workspace: Workspace, agent: str, prompt: str) -> None:
    Path("/tmp/hostile").unlink(missing_ok=True)
    setup = 'pwd > "$HOME/pwd"; printf \'%s\' done > "$HOME/set-up"'
    made = project(
        agent,
        prompt=prompt,
        parameters={"setup_script": setup},
        variables={"agents_here": HERE, "project_subdirectory": "sub dir/$(touch hostile)'"},
    )
    workspace.run(made)
    arguments, received, _ = workspace.called()
    asked = next((word.partition("=")[2] for word in arguments if word.startswith("--initial-prompt=")), received)
    assert asked.strip() == prompt.strip()
    assert (workspace.home / "set-up").read_text() == "done"
    inside = workspace.home / "project" / "sub dir" / "$(touch hostile)'"
    assert (workspace.home / "pwd").read_text().strip() == str(inside)
    assert not Path("/tmp/hostile").exists()
    assert not list(workspace.home.rglob("hostile"))


def test_a_setup_script_that_fails_stops_the_start(workspace: Workspace) -> None:
    with pytest.raises(AssertionError):
        workspace.run(project("offline", parameters={"setup_script": "false\ntrue"}))
    assert not (workspace.home / "called").exists()


def test_a_setup_script_in_another_language(workspace: Workspace) -> None:
    text = f"#!{shutil.which('python3')}\nopen('made', 'w').write('x')\r\n"
    workspace.run(project("offline", parameters={"setup_script": text}))
    assert (workspace.home / "project" / "made").read_text() == "x"


# ---------------------------------------------------------------- keys


def test_names_of_variables_and_providers() -> None:
    assert provider_of("claude_code_oauth_token") == "anthropic"
    assert provider_of("OPENAI_API_KEY") == "openai"
    assert provider_of("database_password") is None
    assert {"anthropic", "openai", "gemini"} <= set(PROVIDERS)


MODULE = """
variable "agent_id" {
  type = string
}
variable "openai_api_key" {
  type      = string
  default   = ""
  sensitive = true
}
resource "coder_env" "key" {
  agent_id = var.agent_id
  name     = "MODULE_KEY"
  value    = var.openai_api_key
}
"""
ROOT = """
variable "anthropic_api_key" {
  type      = string
  sensitive = true
}
variable "gemini_api_key" {
  type = string
  default = ""
}
resource "coder_env" "key" {
  agent_id = coder_agent.main.id
  name     = "ROOT_KEY"
  value    = "${var.anthropic_api_key}|${var.gemini_api_key}"
}
module "m" {
  source   = "./m"
  agent_id = coder_agent.main.id
  %s
}
"""


@pytest.mark.parametrize(
    ("argument", "key", "providers"),
    [
        ("", TOKEN, ("anthropic", "openai")),
        ("openai_api_key = null", TOKEN, ("anthropic", "openai")),
        ('openai_api_key = "own"', "own", ("anthropic",)),
    ],
)
def test_the_task_token_stands_for_a_key(
    write: Callable[..., Path], argument: str, key: str, providers: tuple[str, ...]
) -> None:
    tree = write(AGENT + ROOT % argument, {"m/main.tf": MODULE})
    made = plan(tree, given(variables={}), template_version_id="v")
    assert made.agents[0].env == {"ROOT_KEY": f"{TOKEN}|", "MODULE_KEY": key}
    assert sorted(made.providers) == list(providers)
    named = plan(tree, given(variables={"anthropic_api_key": "mine"}), template_version_id="v")
    assert named.agents[0].env["ROOT_KEY"] == "mine|"
    assert "anthropic" not in named.providers
    found = analyse(tree)
    assert found.valid
    assert [(item.name, item.required) for item in found.variables] == [
        ("anthropic_api_key", False),
        ("gemini_api_key", False),
    ]
    assert sorted(found.providers) == list(providers)


def test_a_module_of_ours_is_part_of_the_version(tmp_path: Path) -> None:
    builtin = default_library().get("project").tree.parent
    shutil.copytree(builtin, tmp_path / "b")
    modules = tmp_path / "b" / "modules"
    library = DirectoryLibrary([(tmp_path / "b", True)], BuiltinModules(modules))
    first = {item.name: item.version_id for item in library.list()}
    assert library.get("project").version_id == default_library().get("project").version_id
    changed = modules / "agentapi" / "main.sh.tftpl"  # which project uses by way of claude-code
    changed.write_text(changed.read_text() + "# changed\n")
    second = {item.name: item.version_id for item in library.list()}
    assert second["project"] != first["project"]
    assert second["quickstart"] == first["quickstart"]

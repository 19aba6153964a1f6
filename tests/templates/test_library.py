# ruff: noqa: E501 - tables of texts
"""The library: which templates there are, their versions, their analysis; and the bundled app itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from planning_inputs import AGENT, inputs

from jupyter_tasks.errors import NotFound
from jupyter_tasks.templates.analysis import analyse
from jupyter_tasks.templates.library import DirectoryLibrary, default_library, front_matter
from jupyter_tasks.templates.planning import plan


def test_quickstart_is_there_and_task_capable() -> None:
    library = default_library()
    template = library.get("quickstart")
    assert template in library.list()
    assert (template.display_name, template.builtin, template.icon) == ("Quickstart", True, "/icon/widgets.svg")
    assert library.get(template.id) == template
    assert library.version(template.version_id) == template
    found = library.analysis(template)
    assert (found.task_capable, found.reason, found.valid) == (True, "", True)
    assert found.diagnostics == ()
    assert [item.name for item in found.parameters] == ["setup_script"]
    assert found.parameters[0].form_type == "textarea"
    assert [(item.name, item.default) for item in found.presets] == [
        ("Dashboard", True),
        ("Dashboard with fresh data", False),
    ]
    assert found.programs == ("python3",)
    assert library.analysis(template) is found


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(NotFound) as caught:
        default_library().get("quikstart")
    assert caught.value.hint == 'Did you mean "quickstart"? Available templates: project, quickstart.'
    for name in ("../quickstart", "", "modules", "a/b"):
        with pytest.raises(NotFound):
            default_library().get(name)
    with pytest.raises(NotFound):
        default_library().version("11111111-1111-4111-8111-111111111111")


def test_a_version_is_its_content(write: Callable[..., Path], tmp_path: Path) -> None:
    tree = write(AGENT)
    library = DirectoryLibrary([(tmp_path, False)])
    first = library.get("template")
    os.utime(tree / "main.tf", (1, 1))
    assert library.get("template").version_id == first.version_id
    write(AGENT + "# changed\n")
    second = library.get("template")
    assert second.version_id != first.version_id
    assert second.id == first.id
    write(AGENT)
    assert library.get("template").version_id == first.version_id
    (tree / "more").mkdir()
    (tree / "more" / "x").write_text("")
    assert library.get("template").version_id != first.version_id
    copy = tmp_path / "other" / "template"
    shutil.copytree(tree, copy)
    assert DirectoryLibrary([(copy.parent, False)]).get("template").version_id == library.get("template").version_id


def test_shipped_templates_cannot_be_taken_over(write: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    shutil.copytree(write(AGENT), tmp_path / "data" / "quickstart")
    places = [
        (default_library().get("quickstart").tree.parent, True),
        (tmp_path / "data", False),
        (tmp_path / "no", False),
    ]
    library = DirectoryLibrary(places)
    assert library.get("quickstart").builtin
    assert [item.name for item in library.list()] == ["project", "quickstart"]


def test_front_matter(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text('---\ndisplay_name: "A: b"\ndescription: with: colon\ntags: [x]\n  nested: no\n---\nicon: no\n')
    assert front_matter(readme) == {"display_name": "A: b", "description": "with: colon", "tags": "[x]"}
    readme.write_text("---\nnever: closed\n")
    assert front_matter(readme) == {}
    assert front_matter(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (AGENT, "The template declares no coder_ai_task, so no agent could be given a prompt."),
        ("locals {\n  a = 1\n}\n", "The template declares no coder_agent, so nothing could run in its workspaces."),
        ("locals {\n  a = \n}\n", "The template has errors."),
    ],
)
def test_why_a_template_takes_no_tasks(write: Callable[..., Path], text: str, reason: str) -> None:
    found = analyse(write(text))
    assert (found.task_capable, found.reason) == (False, reason)


def test_a_task_that_is_not_created_now_still_counts(write: Callable[..., Path]) -> None:
    found = analyse(write(AGENT + 'resource "coder_ai_task" "t" {\n  count = 0\n  app_id = "x"\n}\n'))
    assert found.task_capable


def test_what_is_only_asked_for_is_no_error(write: Callable[..., Path]) -> None:
    text = AGENT + 'variable "v" {\n  type = list( string )\n  description = "d"\n  sensitive = true\n}\n'
    text += 'data "coder_parameter" "p" {\n  name = "p"\n}\nresource "coder_env" "e" {\n  agent_id = coder_agent.main.id\n  name = "E"\n  value = var.v[0]\n}\n'
    found = analyse(write(text))
    assert found.diagnostics == ()
    variable = found.variables[0]
    assert (variable.name, variable.type, variable.required, variable.sensitive) == ("v", "list( string )", True, True)
    assert found.parameters[0].required


@pytest.fixture
def dashboard(tmp_path: Path) -> Path:
    tree = default_library().get("quickstart").tree
    return Path(shutil.copytree(tree / "app", tmp_path / "home" / "project"))


def test_the_dashboard_starts_by_its_script_and_answers(dashboard: Path) -> None:
    """The real script of a real plan, with a fresh-data preset: generates, starts, does not block."""
    tree = default_library().get("quickstart").tree
    made = plan(tree, inputs(preset="Dashboard with fresh data"), template_version_id="v")
    script = next(item.script for item in made.agents[0].scripts if item.display_name == "Dashboard")
    script = script.replace("nohup python3 -B -u server.py", f"nohup {sys.executable} -B -u server.py").replace(
        "< /dev/null &", '< /dev/null & echo "pid $!"'
    )
    environment = {"HOME": str(dashboard.parent), "PATH": os.environ["PATH"], "PORT": "0"}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, timeout=30, check=True)
    pid = int(next(line for line in done.stdout.splitlines() if line.startswith("pid ")).split()[1])
    try:
        assert "864 rows of sales" in done.stdout
        base = _address(dashboard.parent / ".dashboard.log")
        assert _get(f"{base}/healthz") == b"ok\n"
        page = _get(f"{base}/").decode()
        assert 'href="style.css"' in page
        assert 'src="/' not in page
        assert 'href="/' not in page
        assert b"--primary: #2563eb" in _get(f"{base}/style.css")
        assert _get(f"{base}/sales.js").startswith(b'window.SALES = [{"month"')
        for path in ("/../server.py", "/..%2fserver.py", "/nothing"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                _get(base + path)
    finally:
        os.kill(pid, 15)


def _address(log: Path) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if "http://" in (text := log.read_text() if log.exists() else ""):
            return text.split("http://localhost:")[1].split()[0].join(["http://127.0.0.1:", ""])
        time.sleep(0.02)
    raise AssertionError(log)


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return bytes(answer.read())


def test_the_agents_script_passes_the_prompt_untouched(tmp_path: Path) -> None:
    """A stand-in agentapi writes down what reaches it: any bytes of a prompt, and not as shell text."""
    tree = default_library().get("quickstart").tree
    home, programs = tmp_path / "home", tmp_path / "bin"
    programs.mkdir()
    home.mkdir()
    fake = programs / "agentapi"
    fake.write_text(
        '#!/bin/sh\n{ for a in "$@"; do printf "%s\\0" "$a"; done; cat; } > "$HOME/out.part"; mv "$HOME/out.part" "$HOME/out"\n'
    )
    fake.chmod(0o755)
    for prompt in ('it\'s $(touch x) `y` "z" ${HOME} %{ if }\n-- é\\n', "line\n" * 30_000):
        made = plan(
            tree, inputs(prompt=prompt, task_id="33333333-3333-4333-8333-333333333333"), template_version_id="v"
        )
        script = tmp_path / "script"
        script.write_text(next(item.script for item in made.agents[0].scripts if item.display_name == "Offline agent"))
        environment = {"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}"}
        subprocess.run(["sh", str(script)], env=environment, check=True, timeout=20, capture_output=True)
        deadline = time.monotonic() + 10
        while not (home / "out").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        *arguments, rest = (home / "out").read_text().split("\0")
        (home / "out").unlink()
        given = [word for word in arguments if word.startswith("--initial-prompt=")]
        first = given[0].removeprefix("--initial-prompt=") if given else rest
        assert first.rstrip("\n") == prompt.rstrip("\n")
        assert arguments[:7] == ["server", "--type", "custom", "--term-width", "120", "--port", "3284"]
        assert arguments[-2:] == ["--", "jupyter-tasks-offline-agent"]
        assert not (home / "project" / "x").exists()

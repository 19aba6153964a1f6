"""What can go wrong with the machine (disk, sandbox, memory, git, a long home), and what an engine does with time."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from luckless import PURPLE, Tasks, engine_in, tasks_of, write_agent

from jupyter_tasks.errors import ProgramMissing, SandboxUnavailable, StoreReadOnly
from jupyter_tasks.testing.home import Home, until

pytestmark = pytest.mark.slow

MAY_MOUNT = os.geteuid() == 0 and shutil.which("mount") is not None
ECHO = 'echo "an agent"; printf "> "; while read -r line; do echo "heard it"; printf "> "; done\n'
DENY = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'


def fetch(url: str, path: str = "") -> str:
    """A preview, also where ``*.localhost`` does not resolve."""
    parts = urlsplit(url)
    where = f"http://127.0.0.1:{parts.port}{parts.path}{path}"
    with urllib.request.urlopen(urllib.request.Request(where, headers={"Host": parts.netloc}), timeout=10) as answer:
        text = answer.read().decode()
    assert isinstance(text, str)
    return text


def sandboxes(home: Home) -> set[str]:
    """The sandboxes' processes; others come and go (git, for a review)."""
    return {line for line in home.processes() if "bwrap" in line}


# ------------------------------------------------------------------ disks


@pytest.fixture
def disk(home: Home) -> Iterator[Path]:
    """The state directory on a file system of its own, of 16 MiB."""
    if not MAY_MOUNT:
        pytest.skip("only root may mount a small disk")
    home.state.mkdir(parents=True)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(home.state)], capture_output=True)
    if made.returncode:
        pytest.skip(f"no disk can be mounted here: {made.stderr.decode()}")
    yield home.state
    home.cli("uninstall", "-y", check=False)
    pid = home.engine_pid()
    if pid is not None:
        home.kill_engine()
    subprocess.run(["umount", "-l", str(home.state)], check=True)


def fill(tasks: Tasks) -> None:
    for _ in range(50):
        tasks.create(prompt="x" * 20_000)


def test_a_full_disk(home: Home, disk: Path) -> None:
    with tasks_of(home) as tasks:
        task = tasks.create()
        tasks.is_(task, "Ready to review")
        filler = disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        with pytest.raises(StoreReadOnly, match="disk is full") as caught:
            fill(tasks)
        assert "nothing that was acknowledged is lost" in str(caught.value)
        accepted = len(tasks.client.list())
        assert tasks.client.usage().actual == accepted
        assert tasks.client.get(task).summary.value == "Ready to review"  # who is there is still served
        done = home.cli("create", "-t", "quickstart", "x" * 20_000, check=False)
        assert (done.returncode, "Traceback" in done.stderr, "disk is full" in done.stderr) == (1, False, True)
        filler.unlink()
        for other in tasks.client.list():
            if other.id != task:
                tasks.client.delete(other.id)
        tasks.client.send(task, "change the colour to teal")
        tasks.when(task, lambda _: "teal" in tasks.said(task, "chat").split("colour to teal")[-1])
        assert tasks.inputs(task) == [PURPLE, "change the colour to teal"]


def test_a_store_that_became_read_only(home: Home, disk: Path) -> None:
    with tasks_of(home) as tasks:
        task = tasks.create()
        tasks.is_(task, "Ready to review")
        tasks.client.pause(task)
        tasks.has(task, "paused")
        home.kill_engine()
        until(
            lambda: subprocess.run(["mount", "-o", "remount,ro", str(disk)]).returncode == 0, 5, str(home.processes())
        )
        try:
            done = home.cli("list", check=False)
            assert done.returncode == 7
            assert "Traceback" not in done.stderr
            assert "ead-only" in done.stderr, done.stderr
        finally:
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert tasks.client.get(task).status.value == "paused"
        tasks.client.resume(task)
        tasks.has(task, "active")
        assert tasks.inputs(task) == [PURPLE]


# ------------------------------------------------------------------ what is not there


def test_without_git(home: Home) -> None:
    bare = home.root / "bin"
    bare.mkdir()
    for program in ("python3", "sh"):
        (bare / program).symlink_to(shutil.which(program) or f"/usr/bin/{program}")
    home.env["PATH"] = str(bare)
    with engine_in(home), tasks_of(home) as tasks:
        task = tasks.create(path=str(bare))
        found = tasks.is_(task, "Ready to review")
        assert found.current_state is not None
        assert "purple" in found.current_state.message
        with pytest.raises(ProgramMissing, match="git is not installed") as caught:
            tasks.client.diff(task)
        assert "Install git" in caught.value.hint
        followed = home.cli("create", "-t", "quickstart", "--follow", "change the primary color theme to red")
        assert "git is not installed" in followed.stderr
        assert "Preview:" in followed.stdout
        tasks.client.pause(task)
        tasks.has(task, "paused")


def test_no_sandbox_to_be_had(home: Home) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-Ur", "true"]).returncode:
        pytest.skip("no user namespaces here to deny others in")
    write_agent(home, "foreign", ECHO)
    with engine_in(home, "unshare", "-Ur", "sh", "-c", DENY, "sh"), tasks_of(home) as tasks:
        for wrong in ({"template": "foreign"}, {"parameters": {"setup_script": "echo mine"}}):
            with pytest.raises(SandboxUnavailable, match="max_user_namespaces") as caught:
                tasks.create(**wrong)  # type: ignore[arg-type]
            assert "sysctl -w user.max_user_namespaces" in caught.value.hint
            assert 'c.LocalProvisioner.sandbox = "off"' in caught.value.hint
        assert tasks.client.usage().actual == 0
        colours = {"purple": "#7c3aed", "red": "#dc2626"}
        made = {colour: tasks.create(prompt=f"change the primary color theme to {colour}") for colour in colours}
        for colour, task in made.items():
            found = tasks.is_(task, "Ready to review")
            assert found.isolation is not None
            assert found.isolation.kind == "none"
            assert "user namespaces" in found.isolation.reason
            assert "Not isolated: " in tasks.said(task)
            url = tasks.client.preview(task, origin=True).url
            assert url is not None
            assert colours[colour] in fetch(url, "style.css")
            assert "static/style.css" in [file.path for file in tasks.client.diff(task).files]
        for words in (("list",), ("status", made["red"])):
            done = home.cli(*words)
            assert "not isolated" in (done.stdout + done.stderr).lower(), words
        tasks.client.pause(made["red"])
        tasks.has(made["red"], "paused")
        tasks.client.resume(made["red"])
        tasks.has(made["red"], "active")
        fresh = {"setup_script": "python3 generate.py --months 24 --until today"}
        third = tasks.create(preset="Dashboard with fresh data")
        tasks.is_(third, "Ready to review")
        assert tasks.client.get(third).parameters == fresh
        for task in (*made.values(), third):
            tasks.client.delete(task)
        tasks.nothing_is_left()


def test_too_much_memory(home: Home) -> None:
    hog = "import time; held = bytearray(200 << 20)\nfor at in range(0, len(held), 4096): held[at] = 1\ntime.sleep(60)"
    script = f'echo "an agent"; printf "> "; read -r line; if [ "$line" ]; then python3 -c "{hog}"; fi\n'
    write_agent(home, "hog", script, memory="96MiB", programs='"python3"')
    with tasks_of(home) as tasks:
        task = tasks.create("hog", "eat")
        found = tasks.has(task, "error")
        assert found.summary.value == "Failed"
        assert found.reason is not None
        assert "of memory, its limit is 96 MiB" in found.reason
        assert found.reason in tasks.said(task)
        until(lambda: not home.processes(), 5, lambda: str(home.processes()))
        home.cli("resume", "-y", task)
        again = tasks.has(task, "active")
        assert again.reason is None
        assert tasks.inputs(task) == ["eat"]
        assert tasks.client.usage().actual == 2


def test_a_home_of_ninety_characters() -> None:
    with tempfile.TemporaryDirectory(prefix="jt-") as short:
        root = Path(short) / ("h" * (90 - len(short) - 1))
        assert len(str(root)) == 90
        root.mkdir()
        home = Home(root)
        del home.env["JUPYTER_TASKS_RUNTIME_DIR"]
        home.env["XDG_RUNTIME_DIR"] = short
        try:
            done = home.cli("create", "-t", "quickstart", "--follow", PURPLE)
            assert "3 insertions(+), 3 deletions(-)" in done.stdout
            assert "Preview:" in done.stdout
        finally:
            home.end()


# ------------------------------------------------------------------ the engine and time


def test_an_idle_engine_ends_and_workspaces_run_on(home: Home) -> None:
    home.config("c.TasksEngine.idle_timeout = 1.0\n")
    task = home.cli("create", "-q", "--wait", "-t", "quickstart", PURPLE).stdout.strip()
    first = home.engine_pid()
    until(lambda: home.engine_pid() is None, 40, home.log())
    assert "workspaces run on" in home.log()
    running = sandboxes(home)
    assert running
    assert home.json("status", task)["summary"] == "Ready to review"
    assert home.engine_pid() not in (None, first)
    assert sandboxes(home) == running
    home.cli("send", task, "change the colour to teal")
    until(lambda: "to teal: " in home.cli("logs", task).stdout, 20, home.log())
    assert home.json("usage")["actual"] == 1


def test_a_newer_version_takes_over_while_workspaces_run_on(home: Home) -> None:
    newer = home.root / "newer"
    newer.mkdir()
    (newer / "sitecustomize.py").write_text("import jupyter_tasks._version as v\nv.__version__ = '99.0.0'\n")
    task = home.cli("create", "-q", "--wait", "-t", "quickstart", PURPLE).stdout.strip()
    first, running = home.engine_pid(), sandboxes(home)
    home.env["PYTHONPATH"] = os.pathsep.join([str(newer), *filter(None, [os.environ.get("PYTHONPATH")])])
    assert home.json("status", task)["summary"] == "Ready to review"
    second = home.engine_pid()
    assert second not in (None, first)
    with home.client() as client:  # the older one is no reason to change again
        assert client.buildinfo().version == "99.0.0"
        assert client.get(task).status.value == "active"
        assert home.engine_pid() == second
    assert sandboxes(home) == running
    home.cli("send", task, "change the colour to teal")
    until(lambda: "to teal: " in home.cli("logs", task).stdout, 20, home.log())
    assert home.json("usage")["actual"] == 1


# ------------------------------------------------------------------ secrets


SPY = r"""
echo "an agent"
printf "> "
while read -r line; do
  for each in /proc/[0-9]*; do tr '\0' '\n' < "$each/environ" 2> /dev/null; done > everything.txt
  for each in /proc/[0-9]*; do tr '\0' ' ' < "$each/cmdline" 2> /dev/null; echo; done >> everything.txt
  grep -rl 'canary''%s' ~ /tmp /var /run /etc /dev/shm > found.txt 2> /dev/null
  echo "looked everywhere"
  printf "> "
done
"""


def test_no_secret_gets_anywhere(home: Home) -> None:
    """Neither the user's keys into a workspace, a log, an event or the store, nor a preview's word after its time."""
    key = uuid4().hex
    canary = f"canary{key}"
    secrets = {
        name: f"{canary}-{number}"
        for number, name in enumerate(
            ("JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "ANTHROPIC_API_KEY", "OPENAI_API_KEY")
        )
    }
    home.env.update(secrets)
    write_agent(home, "spy", SPY.replace("%s", key))
    home.cli("list")
    pid = home.engine_pid()
    environ = Path(f"/proc/{pid}/environ").read_bytes()
    assert f"{canary}-3".encode() in environ  # the engine has the models' keys, and nothing of Jupyter's
    for number in (0, 1, 2):
        assert f"{canary}-{number}".encode() not in environ
    with tasks_of(home) as tasks:
        task = tasks.create("spy", "look")
        until(lambda: "looked everywhere" in tasks.said(task, "chat"), 60, home.log())
        (project,) = home.state.glob("workspaces/*/home/project")
        seen = (project / "everything.txt").read_text(errors="replace")
        assert "JUPYTER_TASKS_WORKSPACE=" in seen
        assert "agentapi" in seen
        assert canary not in seen
        assert (project / "found.txt").read_text() == ""
        shown = tasks.create()
        tasks.is_(shown, "Ready to review")
        url = tasks.client.preview(shown, origin=True).url
        assert url is not None
        word = (urlsplit(url).hostname or "").split(".")[0]
        assert len(word) >= 32
        assert "<title>Sales dashboard</title>" in fetch(url)
        tasks.client.pause(shown)
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(url)
        assert caught.value.code in (404, 410)
        tasks.has(shown, "paused")
        tasks.client.resume(shown)
        tasks.has(shown, "active")
        with pytest.raises(urllib.error.HTTPError):
            fetch(url)
        for kind in ("chat", "build", "script", "agent"):
            assert canary not in tasks.said(task, kind)
    home.kill_engine()  # what was in memory only is gone: now every byte that was written
    for file in home.root.rglob("*"):
        if file.is_file() and not file.is_symlink():
            content = file.read_bytes()
            assert canary.encode() not in content, file
            assert word.encode() not in content, file

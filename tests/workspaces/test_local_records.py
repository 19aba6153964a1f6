"""Records are read back as they were written, anything else is no record; processes are never mistaken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_tasks.workspaces import processes, processes_pidfd
from jupyter_tasks.workspaces.limits import Limits
from jupyter_tasks.workspaces.local_record import RunRecord, WorkspaceFolder
from jupyter_tasks.workspaces.processes import ProcessIdentity
from jupyter_tasks.workspaces.provisioner import Exit, Isolation

RECORD = RunRecord(
    workspace_id="w1",
    build_id="b1",
    token="secret",
    process=ProcessIdentity(4242, 99, "boot"),
    namespace=77,
    child=4241,
    isolation=Isolation(kind="none", reason="because"),
    home="/home/coder",
    limits=Limits(memory=1, processes=2, disk=3),
    ports={8000: 40001},
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def folder(tmp_path: Path) -> WorkspaceFolder:
    found = WorkspaceFolder(tmp_path, tmp_path / "links", "w1")
    found.root.mkdir()
    return found


def test_round_trip(folder: WorkspaceFolder) -> None:
    assert folder.read_run() is None
    folder.write_run(RECORD)
    assert folder.read_run() == RECORD
    assert (folder.root / "run.json").stat().st_mode & 0o777 == 0o600
    folder.clear_run()
    assert folder.read_run() is None


def test_first_reason_stays_until_the_next_run(folder: WorkspaceFolder) -> None:
    folder.write_exit(Exit(reason="first", limit="memory"))
    folder.write_exit(Exit(reason="second"))
    assert folder.read_exit() == Exit(reason="first", limit="memory")
    folder.write_run(RECORD)
    assert folder.read_exit() is None


@settings(
    max_examples=examples(150),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=st.binary(max_size=60) | JSON.map(lambda value: __import__("json").dumps(value).encode()))
def test_anything_else_is_no_record(folder: WorkspaceFolder, content: bytes) -> None:
    (folder.root / "run.json").write_bytes(content)
    (folder.root / "exit.json").write_bytes(content)
    assert folder.read_run() is None
    assert folder.read_exit() is None


def test_identity_needs_pid_start_and_boot() -> None:
    me = processes.identify(os.getpid())
    assert me is not None
    assert processes.alive(me)
    assert not processes.alive(replace(me, start_time=me.start_time - 1))
    assert not processes.alive(replace(me, boot="another"))
    assert processes.open_pidfd(replace(me, start_time=0)) is None
    assert processes.identify(1 << 22) is None


def test_end_kills_exactly_that_process() -> None:
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    )
    assert process.stdin is not None
    found = processes.identify(process.pid)
    assert found is not None
    assert processes.end(replace(found, start_time=1), timeout=1), "another process of that pid is gone already"
    assert process.poll() is None, "a process that was not meant was killed"
    assert processes.end(found, timeout=40)
    assert process.wait(40) == -signal.SIGKILL
    process.stdin.close()
    assert processes.end(found, timeout=1)


def test_only_adopted_children_are_collected() -> None:
    """A record may name a pid that is another child of ours by now: its exit code is not taken away."""
    process = subprocess.Popen(["sh", "-c", "exit 3"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert processes.reap(process.pid, timeout=0) is None
    assert process.wait(40) == 3
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 4"], {})
    processes.adopt(pid)
    assert processes.reap(pid, timeout=40) == 4
    assert processes.reap(pid, timeout=0) is None


def test_descriptors_by_number_alone() -> None:
    """As where Python was built without them."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    )
    fd = processes_pidfd.open_by_number(process.pid)
    assert not os.get_inheritable(fd)
    processes_pidfd.kill_by_number(fd)
    assert process.wait(40) == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        processes_pidfd.kill_by_number(fd)
    os.close(fd)
    with pytest.raises(ProcessLookupError):
        processes_pidfd.open_by_number(process.pid)
    process.communicate()
    assert processes_pidfd.available()


def test_name_with_brackets_and_spaces(tmp_path: Path) -> None:
    program = tmp_path / "a) R 1 (b"
    program.symlink_to(os.path.realpath("/bin/sleep"))
    process = subprocess.Popen([str(program), "20"])
    found = processes.identify(process.pid)
    process.kill()
    process.wait()
    assert found is not None
    assert found.start_time > 1000

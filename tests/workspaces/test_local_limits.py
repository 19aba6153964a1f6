"""Bounds are measured as they are meant, and a broken one is a sentence."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_tasks.workspaces.limits import Limits, Watchdog, readable_bytes
from jupyter_tasks.workspaces.limits_cgroup import Cgroup, delegated
from jupyter_tasks.workspaces.processes import descendants, proportional_memory, resident_memory

MIB = 1 << 20
LIMITS = Limits(memory=64 * MIB, processes=4, disk=MIB)


@pytest.fixture
def heavy() -> Iterator[int]:
    """A process with 60 MiB that it shares with three children of its own."""
    program = (
        "import os,sys\nb=bytearray(b'x')*(60<<20)\n"
        "for _ in range(3):\n  if os.fork()==0: sys.stdin.read(); os._exit(0)\n"
        "print('ready',flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield process.pid
    process.stdin.close()
    process.stdout.close()
    assert process.wait(40) == 0


def test_shared_pages_count_once(heavy: int, tmp_path: Path) -> None:
    pids = descendants(heavy)
    assert len(pids) == 4
    assert resident_memory(pids) > 200 * MIB
    assert 60 * MIB < proportional_memory(pids) < 90 * MIB
    dog = Watchdog(Limits(memory=100 * MIB, processes=4, disk=MIB), lambda: pids, tmp_path)
    assert dog.look(0.0) is None, "shared memory was counted more than once"
    usage = dog.usage()
    assert usage.processes == 4
    assert 60 * MIB < usage.memory < 90 * MIB


def test_broken_bounds_are_sentences(heavy: int, tmp_path: Path) -> None:
    pids = descendants(heavy)
    memory = Watchdog(Limits(memory=32 * MIB, processes=9, disk=MIB), lambda: pids, tmp_path).look(0.0)
    assert memory is not None
    assert memory.limit == "memory"
    assert "its limit is 32 MiB" in memory.reason
    count = Watchdog(Limits(memory=999 * MIB, processes=3, disk=MIB), lambda: pids, tmp_path).look(0.0)
    assert count is not None
    assert count.limit == "processes"
    assert "4 processes" in count.reason


def test_disk_is_walked_only_when_disk_went(tmp_path: Path) -> None:
    dog = Watchdog(LIMITS, list, tmp_path)
    assert dog.look(0.0) is None
    (tmp_path / "file").write_bytes(b"x" * (3 * MIB))
    assert dog.look(1.0) is None, "three MiB on this disk are no reason to walk"
    broken = dog.look(400.0)
    assert broken is not None
    assert broken.limit == "disk"
    assert "3.0 MiB" in broken.reason or "3 MiB" in broken.reason


def test_next_look_comes_sooner_near_the_bound(tmp_path: Path) -> None:
    far = Watchdog(Limits(memory=8 << 30, processes=4, disk=MIB), list, tmp_path)
    near = Watchdog(LIMITS, list, tmp_path)
    assert far.interval() == 1.0
    assert near.interval() == pytest.approx(0.1)


@pytest.mark.parametrize(("count", "text"), [(12, "12 bytes"), (4 << 30, "4.0 GiB"), (3 * MIB, "3 MiB")])
def test_sizes_for_people(count: int, text: str) -> None:
    assert readable_bytes(count) == text


def cgroup_tree(root: Path, own: str, given: str) -> Path:
    """A process's view of a cgroup file system, as plain files."""
    proc, mount = root / "proc", root / "cgroup"
    proc.mkdir()
    here = mount / own.strip("/")
    here.mkdir(parents=True)
    (proc / "cgroup").write_text(f"1:cpu:/\n0::{own}\n")
    (proc / "mountinfo").write_text(f"30 23 0:26 / {mount} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n")
    for directory in (here, here.parent):
        (directory / "cgroup.procs").write_text("")
        (directory / "cgroup.subtree_control").write_text("")
    (here.parent / "cgroup.subtree_control").write_text(given)
    return proc


def test_delegated_cgroup_is_the_nearest_with_controllers(tmp_path: Path) -> None:
    proc = cgroup_tree(tmp_path, "/user.slice/app.slice/engine.scope", "cpu memory pids")
    assert delegated(proc) == tmp_path / "cgroup/user.slice/app.slice"


def test_no_delegation(tmp_path: Path) -> None:
    assert delegated(cgroup_tree(tmp_path, "/user.slice/engine.scope", "cpu")) is None
    assert delegated(tmp_path / "nowhere") is None


def test_cgroup_of_a_workspace(tmp_path: Path) -> None:
    group = Cgroup.make(tmp_path, "w1", Limits(memory=5 * MIB, processes=7, disk=1, cpu_share=40))
    assert group is not None
    assert group.path == tmp_path / "jupyter-tasks-w1"
    said = {
        name: (group.path / name).read_text() for name in ("memory.max", "pids.max", "cpu.weight", "memory.oom.group")
    }
    assert said == {"memory.max": str(5 * MIB), "pids.max": "7", "cpu.weight": "40", "memory.oom.group": "1"}
    assert group.join(os.getpid())
    assert group.pids() == [os.getpid()]
    assert not group.out_of_memory()
    (group.path / "memory.events").write_text("low 0\nmax 12\noom 1\noom_kill 2\n")
    assert group.out_of_memory()
    assert not group.remove(timeout=0.02), "a directory with files in it cannot be removed"


def test_anonymous_memory_of_this_process_is_seen() -> None:
    before = proportional_memory([os.getpid()])
    with mmap.mmap(-1, 20 * MIB) as block:
        block.write(b"x" * (20 * MIB))
        assert proportional_memory([os.getpid()]) - before > 15 * MIB

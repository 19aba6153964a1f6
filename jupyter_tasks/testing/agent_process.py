"""A real workspace agent without a sandbox, for tests: a process of this machine, driven through the real link.

Owns starting and ending it. Whoever tests something above the link can use it in place of a provisioner.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.workspaces.agent_archive import agent_archive
from jupyter_tasks.workspaces.connection import Link
from jupyter_tasks.workspaces.provisioner import LinkAddress

__all__ = ["AgentProcess", "running_agent"]

TOKEN = "the link token of a test"  # noqa: S105 - it opens nothing


@dataclass(frozen=True, kw_only=True)
class AgentProcess:
    """A running agent: its folder, its process, its home directory, its link socket."""

    folder: Path
    home: Path
    process: subprocess.Popen[bytes]
    address: LinkAddress

    def link(
        self,
        *,
        token: str = TOKEN,
        allow_uids: Collection[int] | None = None,
        answer_limit: float = 10.0,
    ) -> Link:
        """A new engine's end of its link."""
        return Link(self.address, token, clock=SystemClock(), allow_uids=allow_uids, answer_limit=answer_limit)


@contextmanager
def running_agent(
    folder: Path,
    *,
    python: str = sys.executable,
    env: Mapping[str, str] | None = None,
    archive: Path | None = None,
) -> Iterator[AgentProcess]:
    """Start an agent whose files are below ``folder``; it is ended, with what it started, behind the block.

    Args: python: the interpreter to run it (>= 3.9); env: variables beside HOME and PATH; archive: the built agent.
    """
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    socket = folder / "link.sock"
    process = subprocess.Popen(
        [
            *(python, "-I", "-S", str(archive or agent_archive(directory=folder / "archive"))),
            *("--socket", str(socket), "--state", str(folder / "agent")),
        ],
        stdin=subprocess.PIPE,
        env={"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", **(env or {})},
    )
    try:
        if process.stdin is not None:
            process.stdin.write(TOKEN.encode() + b"\n")
            process.stdin.close()
        yield AgentProcess(folder=folder, home=home, process=process, address=LinkAddress(socket=socket))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

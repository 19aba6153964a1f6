"""A real workspace agent for every test that asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_tasks.testing.agent_process import AgentProcess, running_agent
from jupyter_tasks.workspaces.agent_archive import agent_archive
from jupyter_tasks.workspaces.connection import Link


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent as provisioners copy it in, built once."""
    return agent_archive(directory=tmp_path_factory.mktemp("archive"))


@pytest.fixture
def agent(tmp_path: Path, archive: Path) -> Iterator[AgentProcess]:
    """One running agent."""
    with running_agent(tmp_path / "agent", archive=archive) as found:
        yield found


@pytest.fixture
async def link(agent: AgentProcess) -> Link:
    """Its link, answering."""
    link = agent.link()
    await link.wait_ready(40)
    return link

"""The real agent CLIs, or the reason why they are not here."""

from __future__ import annotations

import pytest

from jupyter_tasks.testing.agent_clis import AgentClis, NoAgentClis, agent_clis


@pytest.fixture(scope="session")
def clis() -> AgentClis:
    """The CLIs. Where they cannot be had the test is skipped, or fails when "agents" is required."""
    try:
        return agent_clis()
    except NoAgentClis as error:
        pytest.skip(f"{error.message} {error.hint or ''}".strip())

"""Records what a real agent draws in a scene: ``python tests/agents/record.py claude work`` (or ``all all``).

The recordings are what ``tests/agentapi/test_recordings.py`` reads. Record anew when an agent's screens have changed,
and read the difference.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import anyio
from real_agent import Desk, running, until
from scenes import SCENES

from jupyter_tasks.testing.agent_clis import agent_clis
from jupyter_tasks.testing.scripted_llm import ScriptedLlm

RECORDINGS = Path(__file__).parents[1] / "agentapi" / "recordings"
ROOT = Path("/tmp/recording")  # the same everywhere: it is seen on the screen
SIZE = (100, 60)


async def record(kind: str, name: str) -> None:
    """Play the scene and write it down."""
    scene = SCENES[name]
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir()
    with ScriptedLlm(scene.plays(ROOT / "project"), key=scene.key) as llm:
        desk = Desk(ROOT, agent_clis(), llm)
        async with running(desk, kind, desk.command(kind, ask=scene.ask), size=SIZE) as (conversation, told, program):
            await until(lambda: conversation.ready)
            await anyio.sleep(0.5)
            await scene.act(conversation, llm)
            await anyio.sleep(0.5)
            for message in conversation.messages:
                print(f"## {message.role}\n{message.text}")
            print(told.states)
            tape = [[at, key, data.decode("utf-8", "surrogateescape")] for at, key, data in program.tape]
    about = {"agent": kind, "version": desk.clis.version(kind), "size": SIZE}
    lines = [json.dumps(entry, ensure_ascii=True) for entry in tape]
    head = json.dumps(about)[:-1]
    (RECORDINGS / f"{kind}-{name}.json").write_text(head + ', "tape": [\n' + ",\n".join(lines) + "\n]}\n")
    shutil.rmtree(ROOT)


if __name__ == "__main__":
    RECORDINGS.mkdir(exist_ok=True)
    for agent in ("claude", "codex") if sys.argv[1] == "all" else sys.argv[1:2]:
        for each in SCENES if sys.argv[2] == "all" else sys.argv[2:3]:
            print(f"#### {agent} {each}")
            anyio.run(record, agent, each)

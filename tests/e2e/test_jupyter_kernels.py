"""Real kernels of real Jupyter servers, a plain IPython, and the real engine: magics, cards, deaths, interrupts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from blocked import until_blocked
from held_task import write_held
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_servers import PROMPT, READY, Server

from jupyter_tasks.testing.home import Home, until

PLUGINS = Path(__file__).parent / "plugins"

pytestmark = pytest.mark.slow

Message = dict[str, Any]


class Kernel:
    """An ipykernel and its front end. ``cards``: the state of every card it opened, by model."""

    def __init__(self, client: BlockingKernelClient, interrupt: Callable[[], object]) -> None:
        self.client = client
        self.interrupt = interrupt
        self.cards: dict[str, Message] = {}

    def cell(self, code: str, seconds: float = 90) -> str:
        """Run a cell to its end. Returns: what it printed, and its result as text. Fails with the cell's error."""
        request = self.client.execute(code)
        out = ""
        while True:
            message = self.hear(seconds)
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            assert kind != "error", "\n".join(content["traceback"])
            if kind == "stream":
                out += content["text"]
            elif kind == "execute_result":
                out += content["data"]["text/plain"]
            elif kind == "status" and content["execution_state"] == "idle":
                return out

    def hear(self, seconds: float) -> Message:
        """The next message; cards are kept up to date with it, as a page does."""
        message: Message = self.client.get_iopub_msg(timeout=seconds)
        content = message["content"]
        if message["msg_type"] == "comm_open" and "state" in content["data"]:
            self.cards[content["comm_id"]] = dict(content["data"]["state"])
        elif message["msg_type"] == "comm_msg" and content["comm_id"] in self.cards:
            self.cards[content["comm_id"]].update(content["data"].get("state", {}))
        return message

    def card(self, seconds: float, true: Callable[[Message], bool]) -> Message:
        """A card's state, as soon as it is so; nobody runs a cell meanwhile."""
        end = time.monotonic() + seconds
        while True:
            found = next((card for card in self.cards.values() if "summary" in card and true(card)), None)
            if found is not None:
                return found
            assert time.monotonic() < end, self.cards
            self.hear(end - time.monotonic() + 1)


def ready(client: BlockingKernelClient) -> bool:
    """Whether the kernel answers. The client takes one whose heart beats late, on a busy machine, for dead."""
    try:
        client.wait_for_ready(timeout=20)
    except RuntimeError:
        return False
    return True


@pytest.fixture
def kernel(home: Home) -> Iterator[Callable[..., Kernel]]:
    """Have a server start an ipykernel."""
    with ExitStack() as stack:

        def start(server: Server) -> Kernel:
            url = server.url.replace("jupyter-tasks/", "api/kernels")
            number = server.http.post(url, json={"name": "python3"}).raise_for_status().json()["id"]
            client = BlockingKernelClient()
            client.load_connection_file(str(server.info.parent / f"kernel-{number}.json"))
            client.start_channels()
            stack.callback(client.stop_channels)
            until(lambda: ready(client), 30, server.said)
            made = Kernel(client, lambda: server.http.post(f"{url}/{number}/interrupt").raise_for_status())
            made.cell("%load_ext jupyter_tasks")
            return made

        home.env["IPYTHONDIR"] = str(home.root / "ipython")
        yield start


def ipython(home: Home, *lines: str) -> str:
    """What a plain IPython prints, in which these lines are run."""
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor", "-c", "\n".join(lines)],
        env=home.env | {"IPYTHONDIR": str(home.root / "ipython-alone")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def test_cards_survive_the_engines_death_in_mid_build(
    home: Home, serve: Callable[..., Server], kernel: Callable[..., Kernel]
) -> None:
    home.env["PYTHONPATH"] = os.pathsep.join([str(PLUGINS), *filter(None, [os.environ.get("PYTHONPATH")])])
    home.config('c.TasksEngine.provisioners = {"local": "killing.KillingProvisioner"}\n')
    first, second = serve().up(), serve().up()
    one, two = kernel(first), kernel(second)
    plain = ipython(home, "%load_ext jupyter_tasks", f"t = %task -t quickstart --name plain {PROMPT}", "print(t.id)")
    created = {plain.split()[-1]}
    one.cell(f"%%task -t quickstart -o task --name one\n{PROMPT}")
    created.add(one.cell("print(task.id)").strip())
    one.card(120, lambda card: card["summary"] == READY)

    order = home.state / "kill-at"
    order.write_text("start:progress:2")
    two.cell(f"%%task -t quickstart -o task --name two\n{PROMPT}")
    created.add(two.cell("print(task.id)").strip())
    until(lambda: not order.exists(), 30, home.log())
    # nobody but the cards and the Jupyter servers' relays is there: they bring the engine back and lose nothing
    card = two.card(120, lambda card: card["summary"] == READY and card["diff_stat"].get("files") == 1)
    assert card["problem"] == ""
    assert [message["role"] for message in card["messages"]] == ["agent", "user", "agent"]
    assert two.cell("print(task.wait(30).state)").strip() == "complete"
    for seen in (set(first.summaries()), set(second.summaries()), {task["id"] for task in home.json("list")}):
        assert seen == created
    assert "plain" in one.cell("%tasks list")
    assert home.json("usage")["actual"] == len(created)
    assert len(list((home.state / "workspaces").iterdir())) == len(created)


def test_a_kernel_goes_through_its_server_where_it_cannot_reach_the_engine(
    home: Home, serve: Callable[..., Server], kernel: Callable[..., Kernel]
) -> None:
    server = serve("/user/ann/").up()
    nowhere = home.root / "file"
    nowhere.write_text("")
    apart = kernel(server)
    other = {"JUPYTER_TASKS_RUNTIME_DIR": str(nowhere), "JUPYTER_TASKS_STATE_DIR": str(home.root / "other")}
    apart.cell(f"import os; os.environ.update({other!r})")
    apart.cell(f"%%task -t quickstart -o task\n{PROMPT}")
    task = apart.cell("print(task.id)").strip()
    assert set(server.summaries()) == {task}
    apart.card(120, lambda card: card["summary"] == READY)
    assert json.loads(apart.cell("import json; print(json.dumps(task.diff().additions))")) == 3
    assert not (home.root / "other").exists()


def test_interrupting_a_kernel_ends_the_waiting_and_not_the_task(
    home: Home, serve: Callable[..., Server], kernel: Callable[..., Kernel]
) -> None:
    held = write_held(home)["template"]
    server = serve().up()
    one = kernel(server)
    one.cell(f"%%task -t {held} -o task\nwork for 600")
    task = one.cell("print(task.id)").strip()
    until(lambda: server.summaries()[task] == "Working", 30, home.log())
    pid = int(one.cell("import os; print(os.getpid())"))
    request = one.client.execute("print('waiting'); task.wait()")
    while one.hear(60)["msg_type"] != "stream":
        pass
    until_blocked(pid)
    one.interrupt()
    while (message := one.hear(60))["msg_type"] != "error":
        pass
    assert message["parent_header"]["msg_id"] == request
    assert message["content"]["traceback"] == [f"Stopped waiting; task {home.json('list')[0]['name']} goes on."]
    assert server.summaries() == {task: "Working"}

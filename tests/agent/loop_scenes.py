"""Rare orders of events in the agent's loop, each brought about on purpose: ``python loop_scenes.py SCENE FOLDER``.

A process of their own, because the loop reaps every child there is. Each scene prints what came of it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType

from jupyter_tasks.agent.events import EventLog
from jupyter_tasks.agent.execs import LINGER, Exec
from jupyter_tasks.agent.loop import READ, Loop
from jupyter_tasks.agent.processes import Job, Processes
from jupyter_tasks.agent.server import Connection
from jupyter_tasks.agent.services import Service
from jupyter_tasks.agent.streams import Stream
from jupyter_tasks.agent.terminals import Terminal, Terminals

PATIENCE = 20.0


class Scene:
    """A loop, and ends that come when the scene wants them."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.loop = Loop(print)
        self.processes = Processes(self.loop)
        self.env = {"PATH": os.environ["PATH"]}
        self.gate = os.path.join(folder, "gate")
        os.mkfifo(self.gate)
        self.loop.later(PATIENCE, lambda: self.say("nothing came of it"))

    def say(self, what: object) -> None:
        """The scene has ended."""
        print(what)
        self.loop.stop()

    def stand_still(self) -> None:
        """Until every pause of the agent's is over."""
        select.select([], [], [], max(LINGER, 1.0) + 0.1)

    def gated(self, script: str) -> list[str]:
        """A program that waits at the gate."""
        return ["sh", "-c", f"read go < {self.gate}; {script}"]

    def end_while_reaping(self, pid: int) -> None:
        """Once the loop runs: what waits at the gate goes on and ends while the loop takes another child's end."""

        def release(_code: int) -> None:
            with open(self.gate, "w", encoding="ascii") as gate:
                gate.write("\n")
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

        null = os.open(os.devnull, os.O_RDWR)
        self.loop.later(0, lambda: self.processes.start(["true"], self.env, "/", (null, null, null), release))


def last_words(scene: Scene) -> None:
    """A program writes and ends after the loop looked which files have something."""
    heard = bytearray()

    def ended(code: int, _timed_out: bool) -> None:
        scene.say((code, bytes(heard)))

    job = Job(
        scene.processes,
        scene.gated("echo last words"),
        scene.env,
        "/",
        timeout=0,
        on_output=heard.extend,
        on_end=ended,
        on_silence=lambda: None,
    )
    scene.end_while_reaping(job.pid)
    scene.loop.run()


def a_terminals_end(scene: Scene) -> None:
    """The machine stands still between the end of a program and what it showed last."""
    terminals = Terminals(scene.processes, EventLog(scene.loop, dict), scene.folder)
    argv = scene.gated("head -c 6000 /dev/zero | tr '\\0' x")
    terminal, _ = terminals.open("t", "shell", argv, scene.env, "/", 80, 24)

    def closed(terminal: Terminal) -> None:
        scene.say(terminal.tape.head)

    terminal.on_close.append(closed)

    def watch() -> None:
        if terminal.exit is None:
            scene.loop.later(0, watch)
        else:
            scene.stand_still()

    watch()
    scene.end_while_reaping(terminal.pid)
    scene.loop.run()


def a_slow_reader(scene: Scene) -> None:
    """The machine stands still when a program has ended whose last output waits for a slow reader."""
    near, far = socket.socketpair()
    stream = Stream.of(scene.loop, near)
    stream.write(b"x" * 600_000)  # it is full
    argv = ["sh", "-c", f"echo one; read go < {scene.gate}; echo two"]
    Exec(scene.processes, Connection(scene.loop, stream), timeout=0).start(argv, scene.env, "/", stdin=False)
    answered = stream.pending
    heard = bytearray()

    def collect(_mask: int) -> None:
        data = far.recv(1 << 20)
        heard.extend(data)
        if not data:
            scene.say(b"two\n" in heard and b'"code":0' in heard)

    def begin() -> None:
        if stream.pending == answered:
            scene.loop.later(0.01, begin)
            return
        with open(scene.gate, "w", encoding="ascii") as gate:
            gate.write("\n")
        watch()

    def watch() -> None:
        if scene.loop.children:
            scene.loop.later(0.01, watch)
            return
        heard.extend(far.recv(1 << 20))
        scene.loop.watch(far.fileno(), READ, collect)
        scene.stand_still()

    begin()
    scene.loop.run()


def a_caller_who_left(scene: Scene) -> None:
    """Who asked for a program is gone before the answer."""
    near, far = socket.socketpair()
    far.close()
    exec_ = Exec(scene.processes, Connection(scene.loop, Stream.of(scene.loop, near)), timeout=0)
    exec_.start(["sleep", "60"], scene.env, "/", stdin=False)

    def watch() -> None:
        if scene.loop.children:
            scene.loop.later(0.01, watch)
        else:
            scene.say("ended")

    watch()
    scene.loop.run()


def an_engine_that_left(scene: Scene) -> None:
    """A client comes when the engine that parked a connection has gone, and that is not heard yet."""
    service = Service(scene.loop, "coder")
    service.listen(0)
    pairs = [socket.socketpair() for _ in range(2)]
    for near, _ in pairs:
        service.park(Stream.of(scene.loop, near))
    client = socket.create_connection(("127.0.0.1", service.port))
    pairs[0][1].close()
    engine = pairs[1][1]

    def serve(_mask: int) -> None:
        if engine.recv(1):
            engine.sendall(b"hello")

    scene.loop.watch(engine.fileno(), READ, serve)
    scene.loop.watch(client.fileno(), READ, lambda _mask: scene.say(client.recv(100)))
    scene.loop.run()


def a_signal_as_it_begins(scene: Scene) -> None:
    """The signal to end comes as soon as it is not deadly any more."""

    def end(frame: FrameType, event: str, _value: object) -> None:
        ours = event == "return" and frame.f_code is signal.signal.__code__
        if ours and signal.getsignal(signal.SIGTERM) is not before:
            sys.setprofile(None)
            signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    scene.loop.on_signal(signal.SIGTERM, lambda: scene.say("ended"))
    sys.setprofile(end)
    scene.loop.run()


SCENES: dict[str, Callable[[Scene], None]] = {
    scene.__name__: scene
    for scene in (
        last_words,
        a_terminals_end,
        a_slow_reader,
        a_caller_who_left,
        an_engine_that_left,
        a_signal_as_it_begins,
    )
}

if __name__ == "__main__":
    SCENES[sys.argv[1]](Scene(sys.argv[2]))

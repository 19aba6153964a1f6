"""``jupyter tasks attach``: the agent's own terminal in the user's.

Owns the loop of bytes, keys and sizes. Only looking is the default: no key reaches the agent until ``--take-over``.
The stream comes back by itself after a restart of the engine, at the byte where it broke.
"""

from __future__ import annotations

import base64
import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import anyio
import click

from jupyter_tasks.cli.options import task_argument
from jupyter_tasks.cli.screen import Filter
from jupyter_tasks.errors import EngineUnavailable, LinkLost
from jupyter_tasks.models import TerminalInput
from jupyter_tasks.notebook.client import AsyncClient

__all__ = ["attach_command"]

_BACK = -256 * 1024  # bytes of the past that are drawn first
_DETACH = b"\x1d"  # Ctrl-]
_LEAVE = frozenset(b"\x1d\x03q")  # what ends mere looking: Ctrl-], Ctrl-C, q
_CHUNK = 64 * 1024


@click.command("attach")
@task_argument
@click.option("--take-over", is_flag=True, help="Type into it, and give it the size of this terminal.")
def attach_command(task: str, take_over: bool) -> None:
    """Look at the agent's own terminal, or take it over.

    Ctrl-] detaches (without --take-over also Ctrl-C and q). The agent goes on either way.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("attach needs a terminal; `jupyter tasks logs` works without one.")
    keys = "Ctrl-] detaches" if take_over else "read-only, Ctrl-] or Ctrl-C detaches; --take-over lets you type"
    click.echo(f"Attached to {task} ({keys}).", err=True)
    screen = Filter()
    with _raw(sys.stdin.fileno(), sys.stdout.fileno(), screen):
        ended = anyio.run(_attach, task, take_over, screen)
    click.echo("\nThe agent's program has ended." if ended else "\nDetached; the task goes on.", err=True)


@dataclass(eq=False)
class _Size:
    """The size that the agent's terminal had; known once it is shown."""

    known: anyio.Event = field(default_factory=anyio.Event)
    cols: int = 0
    rows: int = 0


async def _attach(task: str, take_over: bool, screen: Filter) -> bool:
    """Until the user detaches (False) or the program ends (True)."""
    ended, size = False, _Size()
    async with AsyncClient() as client:
        found = await client.get(task)
        async with anyio.create_task_group() as group:

            async def show() -> None:
                nonlocal ended
                await _show(client, found.id, screen, size, take_over)
                ended = True
                group.cancel_scope.cancel()

            group.start_soon(show, name="show")
            if take_over:
                group.start_soon(_follow_size, client, found.id, size, name="size")
            await _read_keys(client, found.id, take_over)
            group.cancel_scope.cancel()
        if take_over and size.known.is_set() and not ended:  # its reader counts on the size it chose
            await client.type_terminal(found.id, TerminalInput(cols=size.cols, rows=size.rows))
    return ended


async def _show(client: AsyncClient, task: str, screen: Filter, size: _Size, take_over: bool) -> None:
    """Write the terminal's bytes to ours until its program ends."""
    offset, delay = _BACK, 0.1
    while True:
        try:
            async with client.terminal(task, offset=offset, follow=True) as terminal:
                if not size.known.is_set():
                    size.cols, size.rows = terminal.cols, terminal.rows
                    size.known.set()
                    if not take_over:
                        _compare(size)
                offset = terminal.offset
                async for chunk in terminal:
                    offset, delay = offset + len(chunk), 0.1
                    await anyio.to_thread.run_sync(_write, screen.feed(chunk), abandon_on_cancel=True)
                return
        except (EngineUnavailable, LinkLost):
            if delay > 5.0:
                raise
            await anyio.sleep(delay)
            delay *= 2


async def _read_keys(client: AsyncClient, task: str, take_over: bool) -> None:
    """Send keys until the one that detaches."""
    while True:
        await anyio.wait_readable(sys.stdin)
        data = os.read(sys.stdin.fileno(), _CHUNK)
        if not data:
            return
        if not take_over:
            if _LEAVE.intersection(data):
                return
            continue
        typed, detach, _ = data.partition(_DETACH)
        if typed:
            request = TerminalInput(data=base64.b64encode(typed).decode("ascii"), key=str(uuid4()))
            await client.type_terminal(task, request)
        if detach:
            return


async def _follow_size(client: AsyncClient, task: str, size: _Size) -> None:
    """Give the agent's terminal our size, now and whenever ours changes."""
    await size.known.wait()
    with anyio.open_signal_receiver(signal.SIGWINCH) as changes:
        await _resize(client, task)
        async for _ in changes:
            await _resize(client, task)


async def _resize(client: AsyncClient, task: str) -> None:
    size = _size()
    await client.type_terminal(task, TerminalInput(cols=size.columns, rows=size.lines))


def _size() -> os.terminal_size:
    """Of the terminal itself: COLUMNS and LINES of a shell do not follow it."""
    return os.get_terminal_size(sys.stdout.fileno())


def _compare(size: _Size) -> None:
    own = _size()
    if (own.columns, own.lines) != (size.cols, size.rows):
        theirs, ours = f"{size.cols}x{size.rows}", f"{own.columns}x{own.lines}"
        note = f"(the agent's terminal is {theirs}, yours {ours}: lines may be misplaced)\r\n"
        os.write(sys.stderr.fileno(), note.encode())


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sys.stdout.fileno(), view) :]


@contextmanager
def _raw(stdin: int, stdout: int, screen: Filter) -> Iterator[None]:
    """The terminal in raw mode; whatever happens, as it was before afterwards."""
    before = termios.tcgetattr(stdin)
    try:
        tty.setraw(stdin)
        yield
    finally:
        termios.tcsetattr(stdin, termios.TCSAFLUSH, before)
        os.write(stdout, screen.reset())

"""The engine from Python: ``Client`` for threads, ``AsyncClient`` for event loops.

Owns sending: connecting (and connecting again after the engine was restarted), retrying what may be repeated, the
streams of events and terminal bytes, and waiting. What the calls are is in ``calls``; the types are ``models``.

    client = Client()
    task = client.create(models.CreateTaskRequest(input="…", template="quickstart"))
    task = client.wait(task.id)

Every method raises errors of ``jupyter_tasks.errors``, the classes that the engine itself raised. ``task`` is a UUID, a
name or ``owner/name`` everywhere.

Events are hints, the engine's answers are the truth: a reader that shows a task fetches it again when an event says
that it changed and after a reconnect. ``Task.last_event_id`` says from where to follow without a gap.
"""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from jupyter_tasks.errors import TasksError
from jupyter_tasks.notebook import calls, discovery, transport
from jupyter_tasks.notebook.calls import Call
from jupyter_tasks.notebook.client_daily import DailyCalls
from jupyter_tasks.notebook.discovery import Connection
from jupyter_tasks.notebook.sse import Follow

if TYPE_CHECKING:
    import httpx

    from jupyter_tasks import models
    from jupyter_tasks.notebook.async_client import AsyncClient

__all__ = ["AsyncClient", "Client", "Terminal", "settled"]

T = TypeVar("T")

_PATIENCE = 5.0  # seconds without news until a waiting one asks by itself


def __getattr__(name: str) -> object:
    if name == "AsyncClient":
        from jupyter_tasks.notebook.async_client import AsyncClient

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def settled(task: models.Task) -> bool:
    """Whether there is nothing to wait for: idle, complete, failed, paused, in error, or it needs the user."""
    if task.attention is not None or task.status in {"paused", "error"}:
        return True
    state = None if task.current_state is None else task.current_state.state
    if task.status == "initializing":
        return state == "failure"  # its agent has ended before the start was over
    return task.status == "active" and state is not None and state != "working"


@dataclass(frozen=True, slots=True)
class Terminal:
    """Bytes of an agent's terminal. ``offset`` is where they really begin; ``cols`` and ``rows`` its size."""

    offset: int
    cols: int
    rows: int
    chunks: Iterator[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks


class Client(DailyCalls):
    """The engine, for threads. May be shared by them; ``close`` it, or use it in ``with``.

    Args:
        connection: where the engine is; else it is looked for at the first call (``discovery.find``).
        start: start an engine where none runs.
    """

    def __init__(self, connection: Connection | None = None, *, start: bool = True) -> None:
        self._given = connection
        self._start = start
        self._lock = Lock()
        self._open: tuple[Connection, httpx.Client] | None = None
        self._left: builtins.list[httpx.Client] = []  # of engines that are elsewhere now; streams may still end there

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. A later call opens them again."""
        with self._lock:
            every = [*self._left, *([self._open[1]] if self._open else ())]
            self._open, self._left = None, []
        for http in every:
            http.close()

    @property
    def connection(self) -> Connection:
        """The way to the engine, looked for if need be. Raises: EngineUnavailable."""
        return self._http()[0]

    def buildinfo(self) -> models.BuildInfo:
        """Who answers."""
        return self._do(calls.buildinfo())

    def list(self, query: str = "") -> Sequence[models.Task]:
        """Tasks, newest first. ``query`` as in Coder: ``owner:NAME status:STATUS``."""
        return self._do(calls.list_tasks(query)).tasks

    def create(self, request: models.CreateTaskRequest, *, owner: str = "me") -> models.Task:
        """Accept a task; it is built in the background. A lost answer makes no second task (idempotency key).

        Raises: InvalidInput, TemplateInvalid, NotFound, Conflict (name taken), LimitReached, ProgramMissing …
        """
        return self._do(calls.create(owner, request))

    def get(self, task: str) -> models.Task:
        """One task. Raises: NotFound."""
        return self._do(calls.get(task))

    def delete(self, task: str) -> None:
        """Delete a task and its workspace; the latter goes on in the background."""
        self._do(calls.delete(task))

    def update_input(self, task: str, text: str) -> None:
        """Another prompt for a paused task. Raises: Conflict when it is not paused."""
        self._do(calls.update_input(task, text))

    def send(self, task: str, text: str, *, key: str | None = None) -> None:
        """Say something to the agent. With the same ``key`` it is said once, however often it is sent."""
        self._do(calls.send(task, text, key))

    def interrupt(self, task: str) -> bool:
        """End the agent's turn. False: none was running."""
        return self._do(calls.interrupt(task)).interrupted

    def pause(self, task: str) -> models.WorkspaceBuild | None:
        """Stop the workspace. Returns the build that does it, at once."""
        return self._do(calls.pause(task)).workspace_build

    def resume(self, task: str) -> models.WorkspaceBuild | None:
        """Start the workspace again. Returns the build that does it, at once."""
        return self._do(calls.resume(task)).workspace_build

    def messages(self, task: str) -> Sequence[models.Message]:
        """The conversation."""
        return self._do(calls.messages(task)).messages

    def logs(self, task: str, kind: str = "chat") -> models.TaskLogsResponse:
        """Logs of a kind of ``models.LogKind``."""
        return self._do(calls.logs(task, kind))

    def builds(self, task: str) -> Sequence[models.WorkspaceBuild]:
        """The workspace's builds."""
        return self._do(calls.builds(task))

    def diff(self, task: str) -> models.DiffResponse:
        """What the agent changed."""
        return self._do(calls.diff(task))

    def preview(self, task: str, app: str | None = None, *, origin: bool = False) -> models.PreviewResponse:
        """A new capability for an app; ``origin``: with a URL on the engine's own loopback port."""
        return self._do(calls.preview(task, app, origin))

    def type_terminal(self, task: str, request: models.TerminalInput) -> bool:
        """Keystrokes or a new size for the agent's terminal. True: that key had been typed before."""
        return self._do(calls.type_terminal(task, request)).already

    def usage(self) -> models.UsageResponse:
        """Agent Workspace Builds of this period."""
        return self._do(calls.usage())

    def templates(self) -> Sequence[models.Template]:
        """Every template."""
        return self._do(calls.templates()).templates

    def template(self, name: str) -> models.Template:
        """One template with its parameters and presets. Raises: NotFound."""
        return self._do(calls.template(name))

    def doctor(self) -> dict[str, object]:
        """What the engine found out about this machine. Raises: NotFound where it cannot say."""
        return self._do(calls.doctor())

    def handover(self) -> None:
        """Ask the engine to end while workspaces run on; the next client starts another."""
        self._do(calls.handover())

    def events(self, *, after: int | None = None, task: str | None = None) -> Iterator[models.Event]:
        """Events with an id above ``after`` (None: from now on), of one task or of all, for ever.

        Comes back by itself, without losing or repeating one, when the engine was restarted.
        Raises: NotFound for an unknown task; EngineUnavailable after a minute without an answer.
        """
        follow = Follow(self.buildinfo().last_event_id if after is None else after)
        with closing(self._stream(calls.events(task), follow)) as found:
            for event in found:
                if event is not None:
                    yield event

    def watch(
        self, task: str, *, after: int | None = None, timeout: float | None = None
    ) -> Generator[tuple[models.Task, models.Event | None], None, None]:
        """A task as it is now, then again at each of its events, with that event (None: we asked by ourselves).

        The task is fetched when an event says that it changed; ``after`` begins with older events.
        Raises: TimeoutError after ``timeout`` seconds; NotFound when it was deleted meanwhile.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        current = self.get(task)
        asked = time.monotonic()
        yield current, None
        follow = Follow(current.last_event_id if after is None else after, deadline=deadline)
        with closing(self._stream(calls.events(current.id), follow)) as found:
            for event in found:
                now = time.monotonic()
                if deadline is not None and now >= deadline:
                    break
                news = is_news(event, now - asked)
                if news:
                    current, asked = self.get(current.id), now
                if news or event is not None:
                    yield current, event
        raise TimeoutError(overdue(current, timeout))

    def wait(
        self, task: str, *, until: Callable[[models.Task], bool] = settled, timeout: float | None = None
    ) -> models.Task:
        """The task, once ``until`` holds for it. ``timeout`` in seconds.

        Raises: TimeoutError; NotFound when it was deleted meanwhile.
        """
        with closing(self.watch(task, timeout=timeout)) as seen:
            for current, _ in seen:
                if until(current):
                    return current
        raise AssertionError("watch ends by raising only")

    @contextmanager
    def terminal(self, task: str, *, offset: int = 0, follow: bool = True) -> Iterator[Terminal]:
        """The agent's own terminal from ``offset`` on (negative: from the end). Hostile bytes, for an emulator only."""
        call = calls.terminal(task, offset, follow)
        with self._streaming(call, {}, None) as (connection, response):
            yield Terminal(*transport.terminal_head(response), chunks=_chunks(connection, response))

    def _do(self, call: Call[T]) -> T:
        try:
            return self._once(call)
        except TasksError as error:
            if not transport.again(call, error):
                raise
        self._look_again()
        return self._once(call)

    def _once(self, call: Call[T]) -> T:
        connection, http = self._http()
        transport.look(connection)
        with transport.failures(connection):
            response = http.request(**transport.request_arguments(call))
        if not response.is_success:
            raise transport.refusal(response.status_code, response.content, connection)
        return calls.decode(call, response.content)

    def _stream(self, call: Call[None], follow: Follow) -> Generator[models.Event | None, None, None]:
        """Events across reconnects; None for a sign of life, and when connected again."""
        while True:
            try:
                if follow.failures:
                    self._look_again()
                with self._streaming(call, follow.headers(), follow.patience()) as (connection, response):
                    for chunk in _chunks(connection, response):
                        yield from follow.fed(chunk)
                error = transport.ended(connection)
            except TasksError as caught:
                error = caught
            time.sleep(follow.failed(error))
            yield None

    @contextmanager
    def _streaming(
        self, call: Call[None], headers: dict[str, str], silence: float | None
    ) -> Iterator[tuple[Connection, httpx.Response]]:
        connection, http = self._http()
        arguments = transport.request_arguments(call) | {"timeout": transport.timeouts(silence), "headers": headers}
        transport.look(connection)
        with transport.failures(connection):
            response = http.send(http.build_request(**arguments), stream=True)
        try:
            if not response.is_success:
                with transport.failures(connection):
                    raise transport.refusal(response.status_code, response.read(), connection)
            yield connection, response
        finally:
            response.close()

    def _http(self) -> tuple[Connection, httpx.Client]:
        with self._lock:
            if self._open is None:
                self._open = _opened(self._given or discovery.find(start=self._start))
            return self._open

    def _look_again(self) -> None:
        """After a failure: have the engine started if need be, and go where it is now. Streams of others stay open."""
        if self._given is not None:
            time.sleep(transport.PAUSE)
            return
        connection = discovery.find(start=self._start)
        with self._lock:
            if self._open is not None and self._open[0] != connection:
                self._left.append(self._open[1])
                self._open = None
            self._open = self._open or _opened(connection)
        if connection.kind != "socket":
            time.sleep(transport.PAUSE)


def is_news(event: models.Event | None, quiet: float) -> bool:
    """Whether a waiting one asks again: the task changed, or nobody said anything for a while (``quiet`` seconds)."""
    return quiet >= _PATIENCE if event is None else event.type == "task" or quiet >= _PATIENCE


def overdue(task: models.Task, timeout: float | None) -> str:
    """What a TimeoutError says."""
    return f"Task {task.name} is still {task.summary.value} after {timeout or 0:g} s."


def _opened(connection: Connection) -> tuple[Connection, httpx.Client]:
    import httpx

    uds = None if connection.socket is None else str(connection.socket)
    carrier = httpx.HTTPTransport(uds=uds, verify=False) if uds else None
    return connection, httpx.Client(transport=carrier, **transport.settings(connection))


def _chunks(connection: Connection, response: httpx.Response) -> Iterator[bytes]:
    with transport.failures(connection):
        yield from response.iter_bytes()

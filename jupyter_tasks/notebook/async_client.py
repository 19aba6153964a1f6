"""``AsyncClient``: the twin of ``Client`` for event loops.

Owns the sending only; every method means what its namesake in ``client`` means, and a test holds the two alike.
"""

from __future__ import annotations

import builtins
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from jupyter_tasks.errors import TasksError
from jupyter_tasks.notebook import calls, discovery, transport
from jupyter_tasks.notebook.calls import Call
from jupyter_tasks.notebook.client import is_news, overdue, settled
from jupyter_tasks.notebook.client_daily import AsyncDailyCalls
from jupyter_tasks.notebook.discovery import Connection
from jupyter_tasks.notebook.sse import Follow

if TYPE_CHECKING:
    import httpx

    from jupyter_tasks import models

__all__ = ["AsyncClient", "AsyncTerminal"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AsyncTerminal:
    """Bytes of an agent's terminal. ``offset`` is where they really begin; ``cols`` and ``rows`` its size."""

    offset: int
    cols: int
    rows: int
    chunks: AsyncIterator[bytes]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.chunks


class AsyncClient(AsyncDailyCalls):
    """The engine, for one event loop. ``close`` it, or use it in ``async with``."""

    def __init__(self, connection: Connection | None = None, *, start: bool = True) -> None:
        self._given = connection
        self._start = start
        self._open: tuple[Connection, httpx.AsyncClient] | None = None
        self._left: builtins.list[httpx.AsyncClient] = []

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """See ``Client.close``."""
        every = [*self._left, *([self._open[1]] if self._open else ())]
        self._open, self._left = None, []
        for http in every:
            await http.aclose()

    async def buildinfo(self) -> models.BuildInfo:
        """See ``Client.buildinfo``."""
        return await self._do(calls.buildinfo())

    async def list(self, query: str = "") -> Sequence[models.Task]:
        """See ``Client.list``."""
        return (await self._do(calls.list_tasks(query))).tasks

    async def create(self, request: models.CreateTaskRequest, *, owner: str = "me") -> models.Task:
        """See ``Client.create``."""
        return await self._do(calls.create(owner, request))

    async def get(self, task: str) -> models.Task:
        """See ``Client.get``."""
        return await self._do(calls.get(task))

    async def delete(self, task: str) -> None:
        """See ``Client.delete``."""
        await self._do(calls.delete(task))

    async def update_input(self, task: str, text: str) -> None:
        """See ``Client.update_input``."""
        await self._do(calls.update_input(task, text))

    async def send(self, task: str, text: str, *, key: str | None = None) -> None:
        """See ``Client.send``."""
        await self._do(calls.send(task, text, key))

    async def interrupt(self, task: str) -> bool:
        """See ``Client.interrupt``."""
        return (await self._do(calls.interrupt(task))).interrupted

    async def pause(self, task: str) -> models.WorkspaceBuild | None:
        """See ``Client.pause``."""
        return (await self._do(calls.pause(task))).workspace_build

    async def resume(self, task: str) -> models.WorkspaceBuild | None:
        """See ``Client.resume``."""
        return (await self._do(calls.resume(task))).workspace_build

    async def messages(self, task: str) -> Sequence[models.Message]:
        """See ``Client.messages``."""
        return (await self._do(calls.messages(task))).messages

    async def logs(self, task: str, kind: str = "chat") -> models.TaskLogsResponse:
        """See ``Client.logs``."""
        return await self._do(calls.logs(task, kind))

    async def builds(self, task: str) -> Sequence[models.WorkspaceBuild]:
        """See ``Client.builds``."""
        return await self._do(calls.builds(task))

    async def diff(self, task: str) -> models.DiffResponse:
        """See ``Client.diff``."""
        return await self._do(calls.diff(task))

    async def preview(self, task: str, app: str | None = None, *, origin: bool = False) -> models.PreviewResponse:
        """See ``Client.preview``."""
        return await self._do(calls.preview(task, app, origin))

    async def type_terminal(self, task: str, request: models.TerminalInput) -> bool:
        """See ``Client.type_terminal``."""
        return (await self._do(calls.type_terminal(task, request))).already

    async def usage(self) -> models.UsageResponse:
        """See ``Client.usage``."""
        return await self._do(calls.usage())

    async def templates(self) -> Sequence[models.Template]:
        """See ``Client.templates``."""
        return (await self._do(calls.templates())).templates

    async def template(self, name: str) -> models.Template:
        """See ``Client.template``."""
        return await self._do(calls.template(name))

    async def doctor(self) -> dict[str, object]:
        """See ``Client.doctor``."""
        return await self._do(calls.doctor())

    async def handover(self) -> None:
        """See ``Client.handover``."""
        await self._do(calls.handover())

    async def events(self, *, after: int | None = None, task: str | None = None) -> AsyncIterator[models.Event]:
        """See ``Client.events``. Close it (``contextlib.aclosing``) when you leave the loop early."""
        follow = Follow((await self.buildinfo()).last_event_id if after is None else after)
        async with aclosing(self._stream(calls.events(task), follow)) as found:
            async for event in found:
                if event is not None:
                    yield event

    async def watch(
        self, task: str, *, after: int | None = None, timeout: float | None = None
    ) -> AsyncGenerator[tuple[models.Task, models.Event | None], None]:
        """See ``Client.watch``. Close it (``contextlib.aclosing``) when you leave the loop early."""
        deadline = None if timeout is None else time.monotonic() + timeout
        current = await self.get(task)
        asked = time.monotonic()
        yield current, None
        follow = Follow(current.last_event_id if after is None else after, deadline=deadline)
        async with aclosing(self._stream(calls.events(current.id), follow)) as found:
            async for event in found:
                now = time.monotonic()
                if deadline is not None and now >= deadline:
                    break
                news = is_news(event, now - asked)
                if news:
                    current, asked = await self.get(current.id), now
                if news or event is not None:
                    yield current, event
        raise TimeoutError(overdue(current, timeout))

    async def wait(
        self, task: str, *, until: Callable[[models.Task], bool] = settled, timeout: float | None = None
    ) -> models.Task:
        """See ``Client.wait``."""
        async with aclosing(self.watch(task, timeout=timeout)) as seen:
            async for current, _ in seen:
                if until(current):
                    return current
        raise AssertionError("watch ends by raising only")

    @asynccontextmanager
    async def terminal(self, task: str, *, offset: int = 0, follow: bool = True) -> AsyncIterator[AsyncTerminal]:
        """See ``Client.terminal``."""
        call = calls.terminal(task, offset, follow)
        async with self._streaming(call, {}, None) as (connection, response):
            yield AsyncTerminal(*transport.terminal_head(response), chunks=_chunks(connection, response))

    async def _do(self, call: Call[T]) -> T:
        try:
            return await self._once(call)
        except TasksError as error:
            if not transport.again(call, error):
                raise
        await self._look_again()
        return await self._once(call)

    async def _once(self, call: Call[T]) -> T:
        connection, http = await self._http()
        with transport.failures(connection):
            response = await http.request(**transport.request_arguments(call))
        if not response.is_success:
            raise transport.refusal(response.status_code, response.content, connection)
        return calls.decode(call, response.content)

    async def _stream(self, call: Call[None], follow: Follow) -> AsyncGenerator[models.Event | None, None]:
        import anyio

        while True:
            try:
                if follow.failures:
                    await self._look_again()
                async with self._streaming(call, follow.headers(), follow.patience()) as (connection, response):
                    async for chunk in _chunks(connection, response):
                        for event in follow.fed(chunk):
                            yield event
                error = transport.ended(connection)
            except TasksError as caught:
                error = caught
            await anyio.sleep(follow.failed(error))
            yield None

    @asynccontextmanager
    async def _streaming(
        self, call: Call[None], headers: dict[str, str], silence: float | None
    ) -> AsyncIterator[tuple[Connection, httpx.Response]]:
        connection, http = await self._http()
        arguments = transport.request_arguments(call) | {"timeout": transport.timeouts(silence), "headers": headers}
        with transport.failures(connection):
            response = await http.send(http.build_request(**arguments), stream=True)
        try:
            if not response.is_success:
                with transport.failures(connection):
                    raise transport.refusal(response.status_code, await response.aread(), connection)
            yield connection, response
        finally:
            await response.aclose()

    async def _http(self) -> tuple[Connection, httpx.AsyncClient]:
        found = self._open
        if found is None:
            connection = self._given or await self._find()
            found = self._open = self._open or _opened(connection)  # another call of this loop may have been quicker
        return found

    async def _find(self) -> Connection:
        import anyio

        return await anyio.to_thread.run_sync(lambda: discovery.find(start=self._start))

    async def _look_again(self) -> None:
        """See ``Client._look_again``."""
        import anyio

        if self._given is not None:
            await anyio.sleep(transport.PAUSE)
            return
        connection = await self._find()
        if self._open is not None and self._open[0] != connection:
            self._left.append(self._open[1])
            self._open = None
        self._open = self._open or _opened(connection)
        if connection.kind != "socket":
            await anyio.sleep(transport.PAUSE)


def _opened(connection: Connection) -> tuple[Connection, httpx.AsyncClient]:
    import httpx

    uds = None if connection.socket is None else str(connection.socket)
    carrier = httpx.AsyncHTTPTransport(uds=uds, verify=False) if uds else None
    return connection, httpx.AsyncClient(transport=carrier, **transport.settings(connection))


async def _chunks(connection: Connection, response: httpx.Response) -> AsyncIterator[bytes]:
    with transport.failures(connection):
        async for chunk in response.aiter_bytes():
            yield chunk

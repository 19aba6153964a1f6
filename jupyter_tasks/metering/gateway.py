"""The LLM gateway: calls out of workspaces, with the task's token changed into the user's credential.

Owns who may call (a reverse connection of a build's own workspace, with that build's token), how many calls at once,
and that every call is written down once. The protocol is ``gateway_wire``'s, one exchange ``gateway_call``'s, the way
to the vendor ``gateway_upstream``'s. Nothing that comes out of a workspace decides where a call goes but the name of
its provider.
"""

from __future__ import annotations

import hmac
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.abc import ByteStream, TaskGroup
from traitlets import Dict, Float, Int, TraitError, Unicode, validate
from traitlets.config import Config
from traitlets.config.configurable import Configurable

from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import TasksError
from jupyter_tasks.metering.credentials import Credential, Credentials
from jupyter_tasks.metering.credentials_providers import PROVIDERS, Provider
from jupyter_tasks.metering.gateway_call import Call, refuse
from jupyter_tasks.metering.gateway_headers import routed, tokens_in
from jupyter_tasks.metering.gateway_upstream import Upstreams
from jupyter_tasks.metering.gateway_wire import GONE, ClientConnection, Head, Refused, WireLimits
from jupyter_tasks.metering.prices import Prices
from jupyter_tasks.store.llm_rows import LlmCall

__all__ = ["PARKED", "SERVICE", "Gateway", "Grant", "Record"]

_log = logging.getLogger(__name__)

SERVICE = "gateway"
PARKED = 16
"""Reverse connections kept ready: agents open several connections in one moment."""
KEPT_CONNECTIONS = 32
"""Of a workspace; beyond, a connection closes after its answer, so that idle ones never keep a new one out."""
RECORD_TIMEOUT = 10.0
METHODS = ("GET", "HEAD", "POST")

Record = Callable[[LlmCall], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Whom a reverse connection serves: the task and the build whose workspace it leads into, with their token."""

    task_id: str
    build_id: str
    token: str = field(repr=False)
    providers: frozenset[str] = frozenset()
    """Whose credentials it may use; none named: all."""


class Gateway(Configurable):
    """LLM calls of workspaces."""

    prices = Dict(
        key_trait=Unicode(),
        default_value={},
        help=(
            "Prices of models in US dollars for a million tokens, before the table that is built in:"
            ' {"my-model-*": {"input": 1, "output": 5, "cache_read": 0.1, "cache_write": 1.25}}.'
            " The cost of a model without a price is not known."
        ),
    ).tag(config=True)
    concurrent_calls = Int(32, min=1, max=48, help="LLM calls of one task that may run at once; more get 429.").tag(
        config=True
    )
    request_mib = Int(64, min=1, max=1024, help="The longest body of an LLM call, in MiB.").tag(config=True)
    connect_timeout = Float(10.0, min=0.1, help="Seconds for a connection to an LLM provider.").tag(config=True)
    answer_timeout = Float(
        600.0, min=1.0, help="Seconds an LLM provider may say nothing, before its first byte and between two."
    ).tag(config=True)

    @validate("prices")
    def _are_prices(self, proposal: dict[str, Any]) -> dict[str, Any]:
        try:
            Prices(proposal["value"])
        except ValueError as error:
            raise TraitError(f"c.Gateway.prices: {error}") from error
        return dict(proposal["value"])

    def __init__(
        self,
        credentials: Credentials,
        record: Record,
        clock: Clock,
        *,
        config: Config | None = None,
        limits: WireLimits | None = None,
    ) -> None:
        """``record`` is awaited once for each call that may have used something, also for those that failed."""
        super().__init__(config=config or Config())
        self._credentials = credentials
        self._record = record
        self._clock = clock
        self._limits = limits or WireLimits(body=self.request_mib << 20)
        self._prices = Prices(self.prices)
        self._upstreams = Upstreams(connect_timeout=self.connect_timeout, read_timeout=self.answer_timeout)
        self._connections: Counter[str] = Counter()
        self._running: Counter[str] = Counter()

    async def serve(self, stream: ByteStream, grant: Grant) -> None:
        """Serve one reverse connection until its client has enough or breaks a rule; it is closed in the end.

        Nothing that the client or a vendor does raises.
        """
        client = ClientConnection(stream, self._limits)
        self._connections[grant.task_id] += 1
        try:
            async with stream, anyio.create_task_group() as records:
                try:
                    await self._requests(client, grant, records)
                except (*GONE, OSError):
                    _log.debug("a client of the gateway went away")
        finally:
            self._connections[grant.task_id] -= 1
            self._connections += Counter()  # drops zeros

    async def close(self) -> None:
        """Let go of the connections to vendors."""
        await self._upstreams.close()

    async def _requests(self, client: ClientConnection, grant: Grant, records: TaskGroup) -> None:
        written = anyio.Event()
        written.set()
        while True:
            try:
                head = await client.head()
            except Refused as refused:
                if client.can_answer:
                    await refuse(client, "openai", refused.status, f"Jupyter Tasks: {refused.message}", "bad_request")
                return
            if head is None:
                return
            written = await self._request(client, head, grant, records, written)
            if client.gone or self._connections[grant.task_id] > KEPT_CONNECTIONS or not await client.next():
                return

    async def _request(
        self, client: ClientConnection, head: Head, grant: Grant, records: TaskGroup, written: anyio.Event
    ) -> anyio.Event:
        """Serve one request; the event tells when the call before the next one has been written down."""
        route = routed(head.target)
        tokens = tokens_in(head.headers, head.target)
        if not any(hmac.compare_digest(token, grant.token.encode()) for token in tokens):
            wire = route[0].wire if route else "openai"
            await refuse(client, wire, 401, "Jupyter Tasks: this is not the token of this task.", "invalid_token")
            return written
        if route is not None and grant.providers and route[0].name not in grant.providers:
            message = f"Jupyter Tasks: this task has no use of {route[0].title}; its template names others."
            await refuse(client, route[0].wire, 403, message, "not_this_provider")
            return written
        if route is None or head.method not in METHODS:
            known = ", ".join(provider.route for provider in PROVIDERS.values())
            message = f"Jupyter Tasks: no such call. Those that make models answer are served below {known}."
            await refuse(client, route[0].wire if route else "openai", 404, message, "not_found")
            return written
        provider, path, query = route
        credential = await self._credential(client, provider)
        if credential is None:
            return written
        if self._running[grant.task_id] >= self.concurrent_calls:
            message = f"Jupyter Tasks: {self.concurrent_calls} calls of this task run at once."
            await refuse(client, provider.wire, 429, message, "too_many_calls")
            return written
        call = Call(head, credential, path, query)
        began, time = self._clock.monotonic(), self._clock.now()
        self._running[grant.task_id] += 1
        try:
            await call.run(client, self._upstreams)
        finally:
            self._running[grant.task_id] -= 1
            if call.metered:
                row = call.row(grant.task_id, grant.build_id, time, self._clock.monotonic() - began, self._prices)
                before, written = written, anyio.Event()
                # while the client goes on; one at a time, so that a hasty client waits for the store
                records.start_soon(self._write_down, row, before, written)
                if not before.is_set():
                    await before.wait()
        return written

    async def _write_down(self, row: LlmCall, before: anyio.Event, written: anyio.Event) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(RECORD_TIMEOUT) as limit:
            try:
                await before.wait()
                await self._record(row)
            except Exception:  # noqa: BLE001 -- the call is over: all that is left is to say so
                _log.exception("a call of task %s could not be written down", row.task_id)
            finally:
                written.set()
        if limit.cancelled_caught:
            _log.error("a call of task %s was not written down in %g s", row.task_id, RECORD_TIMEOUT)

    async def _credential(self, client: ClientConnection, provider: Provider) -> Credential | None:
        """The credential; None when the client was told that there is none."""
        try:
            found = self._credentials.find(provider.name)
        except TasksError as error:
            _log.warning("keys: %s", error)
            message = "Jupyter Tasks cannot use its keys. Outside this workspace, `jupyter tasks keys list` says why."
            await refuse(client, provider.wire, 401, message, "keys_unusable")
            return None
        if found is None:
            message = (
                f"Jupyter Tasks has no key for {provider.title}."
                f" Outside this workspace, run: jupyter tasks keys add {provider.name}"
            )
            await refuse(client, provider.wire, 401, message, "key_missing")
        return found

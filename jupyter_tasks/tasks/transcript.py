"""What is said in a task's conversation, written into the store.

Owns when that is (at once, and then at most twenty times a second) and that nothing is said twice: after a restart of
the engine a conversation is heard again from its beginning. What cannot be written now is kept and written later.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import anyio

from jupyter_tasks.agentapi.conversation import Conversation
from jupyter_tasks.agentapi.messages import Message
from jupyter_tasks.agentapi.signals import Evidence
from jupyter_tasks.errors import StoreError
from jupyter_tasks.store.journal import Change
from jupyter_tasks.store.llm_rows import refusal_of
from jupyter_tasks.store.talk_rows import (
    AppStatusRow,
    ConversationRow,
    add_app_status,
    set_conversation,
    settle_input,
    upsert_message,
)
from jupyter_tasks.tasks import message_json
from jupyter_tasks.tasks.house import House

__all__ = ["Transcript"]

_log = logging.getLogger(__name__)

FLUSH_EVERY = 0.05


@dataclass(slots=True)
class _Unwritten:
    """What the conversation said since the last flush."""

    messages: dict[int, Message] = field(default_factory=dict)
    evidence: Evidence | None = None
    talk_changed: bool = False
    settled: dict[int, str | None] = field(default_factory=dict)
    """Inputs by id: None where it was given to the agent, else why it never will be."""

    def before(self, later: _Unwritten) -> _Unwritten:
        """This, and what was said since."""
        return _Unwritten(
            {**self.messages, **later.messages},
            later.evidence or self.evidence,
            self.talk_changed or later.talk_changed,
            {**self.settled, **later.settled},
        )

    def __bool__(self) -> bool:
        return bool(self.messages or self.evidence or self.talk_changed or self.settled)


class Transcript:
    """The writer of one build's conversation."""

    def __init__(self, task_id: str, build_id: str, house: House) -> None:
        self._task_id = task_id
        self._build_id = build_id
        self._house = house
        self.prompt_sent = False
        self.said: AppStatusRow | None = None
        """What the store says the agent does in this build."""
        self._unwritten = _Unwritten()
        self._dirty = anyio.Event()
        self._writing = anyio.Lock()

    def message(self, message: Message) -> None:
        """A message is new, or has grown."""
        self._unwritten.messages[message.id] = message
        self._dirty.set()

    def evidence(self, evidence: Evidence) -> None:
        """The agent does something else now, or we know it otherwise."""
        self._unwritten.evidence = evidence
        self._dirty.set()

    def touch(self) -> None:
        """Something else of the conversation changed: attention, readiness, the prompt."""
        self._unwritten.talk_changed = True
        self._dirty.set()

    def settle(self, input_id: int, failure: str | None = None) -> None:
        """An input was given to the agent, or never will be: written together with the message that it became.

        Told in the same moment as that message; a kill would leave the one without the other in the store.
        """
        self._unwritten.settled[input_id] = failure
        self._dirty.set()

    async def run(self, conversation: Conversation) -> None:
        """Write until cancelled; the caller flushes once more at its end."""
        while True:
            await self._dirty.wait()
            await self.flush(conversation)
            await self._house.clock.sleep(FLUSH_EVERY)

    async def flush(self, conversation: Conversation) -> None:
        """Write what is unwritten, in one transaction. What cannot be written now is kept and written later."""
        async with self._writing:  # one after the other: what is kept must not come behind what was said later
            await self._write(conversation)

    async def _write(self, conversation: Conversation) -> None:
        self._dirty = anyio.Event()
        unwritten = self._unwritten
        if not unwritten:
            return
        self._unwritten = _Unwritten()
        attention = message_json.attention(conversation.attention)
        checkpoint = dict(conversation.checkpoint())
        prompt_sent = self.prompt_sent

        def work(change: Change) -> None:
            for message in unwritten.messages.values():
                said = message_json.row(message)
                upsert_message(change.connection, self._task_id, said)
                body = {"id": said.id, "role": said.role, "time": said.time.isoformat(), "parts": said.parts}
                change.emit("message", self._task_id, {"message_id": said.id}, live={"message": body})
            if unwritten.evidence is not None:
                status = _app_status(unwritten.evidence, self._build_id, change)
                if self.said is None or not _same(self.said, status):
                    add_app_status(change.connection, self._task_id, status)
                    change.once_it_stands(lambda: self._know(status))
            talk = ConversationRow(
                task_id=self._task_id,
                build_id=self._build_id,
                prompt_sent=prompt_sent,
                attention=_explained(change, self._build_id, attention),
                checkpoint=checkpoint,
            )
            set_conversation(change.connection, talk)
            for input_id, failure in unwritten.settled.items():
                settle_input(change.connection, input_id, change.now, failure)

        try:
            await self._house.change(self._task_id, work)
        except StoreError as error:  # a full or read-only disk: what was said is kept and written later
            _log.warning("task %s: the conversation could not be written: %s", self._task_id, error)
            self._unwritten = unwritten.before(self._unwritten)
            self._dirty.set()

    def _know(self, said: AppStatusRow) -> None:
        self.said = said


def _explained(change: Change, build_id: str, attention: dict[str, object] | None) -> dict[str, object] | None:
    """An agent whose key was refused asks to log in, which helps nobody here: the vendor's words tell the reason."""
    if attention is None or attention["kind"] != "auth":
        return attention
    refusal = refusal_of(change.connection, build_id)
    return attention if refusal is None else {**attention, "text": f"{refusal} (`jupyter tasks keys add` replaces it)"}


def _same(before: AppStatusRow, now: AppStatusRow) -> bool:
    """Whether nothing new is said: not after a restart either, when everything is heard once more."""
    return (before.state, before.source, before.message, before.uri) == (now.state, now.source, now.message, now.uri)


def _app_status(evidence: Evidence, build_id: str, change: Change) -> AppStatusRow:
    """An agent that is blocked waits for its user: Coder's word for that is idle; ``attention`` says the rest."""
    return AppStatusRow(
        build_id=build_id,
        state="idle" if evidence.state == "blocked" else evidence.state,
        message=evidence.text[:160],
        uri=evidence.uri,
        source=evidence.source,
        since=evidence.since,
        created_at=change.now,
    )

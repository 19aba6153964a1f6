"""Answers the question that an agent's menu asks: the right key, once, and only for the question that was meant.

Owns the choosing of an option and the typing of it. What is asked, and when it is gone, ``board`` says.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import anyio

from jupyter_tasks.agentapi.delivery import Write, put
from jupyter_tasks.agentapi.messages import Attention, Option
from jupyter_tasks.agentapi.pulse import Pulse
from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import AgentError, Conflict, InvalidInput

__all__ = ["Answering", "choice"]

_UNHEARD = 0.5
"""Seconds."""
_TAKEN_WITHIN = 2.0
"""Seconds in which a key is enough; then Enter follows it where the option is marked, else the key once more."""
_TRIES = 3
_GONE_WITHIN = 6.0
"""Seconds."""
_MARKED = re.compile(r"^[\s│┃|]*[❯›>→]\s*(\d{1,2})[.)]\s")
_WORDS = {
    "yes": "allow_once",
    "y": "allow_once",
    "ok": "allow_once",
    "no": "reject_once",
    "n": "reject_once",
}


def choice(attention: Attention | None, text: str) -> Option | None:
    """The option that ``text`` names: its id, its label, or yes or no where one option means that."""
    if attention is None:
        return None
    said = text.strip().casefold()
    for option in attention.options:
        if said in (option.id.casefold(), option.label.casefold()):
            return option
    meant = [option for option in attention.options if option.kind and option.kind == _WORDS.get(said)]
    return meant[0] if len(meant) == 1 else None


class Answering:
    """Answers one question after the other.

    Args:
        asked: what the agent asks now.
        rows: the screen now.
        write: writes to the terminal.
        pulse: beats when something changed.
        clock: time.
        keys: what is typed for an option's id.
    """

    def __init__(
        self,
        asked: Callable[[], Attention | None],
        rows: Callable[[], list[str]],
        write: Write,
        pulse: Pulse,
        clock: Clock,
        keys: Callable[[str], bytes] = str.encode,
    ) -> None:
        self._keys = keys
        self._asked, self._rows, self._write, self._pulse, self._clock = asked, rows, write, pulse, clock
        self._lock = anyio.Lock()
        self._answered: tuple[Attention, Option] | None = None

    async def answer(self, option: str, question: str | None = None) -> None:
        """See ``Conversation.answer``."""
        asked = self._asked()
        if question is not None and (asked is None or asked.id != question):
            if self._was_said(option, question):
                return
            raise _no_longer_asked()
        if asked is None and self._was_said(option):
            return
        chosen = choice(asked, option)
        if asked is None or not asked.options:
            raise AgentError(
                "The agent does not ask anything that has options.", hint="Look at the task again, or send a message."
            )
        if chosen is None:
            offered = ", ".join(f"{each.id} ({each.label})" for each in asked.options)
            raise InvalidInput(f"The agent does not offer {option[:100]!r}.", hint=f"It offers {offered}.")
        async with self._lock:
            if self._asked() == asked:
                await self._type(asked, chosen)
            elif self._answered != (asked, chosen):
                if question is not None:
                    raise _no_longer_asked()
                raise AgentError("The agent's question has changed.", hint="Look at what it asks now.")

    def _was_said(self, option: str, question: str | None = None) -> bool:
        """Whether that answer was taken last, to that question where one is named."""
        if self._answered is None:
            return False
        asked, chosen = self._answered
        return question in (None, asked.id) and choice(asked, option) == chosen

    async def _type(self, asked: Attention, chosen: Option) -> None:
        key = f"answer/{asked.since.isoformat()}/{chosen.id}"
        if await self._gone(asked, _UNHEARD):  # Claude Code hears nothing in a question's first moments
            raise AgentError("The agent's question has changed.", hint="Look at what it asks now.")
        self._answered = (asked, chosen)
        for tries in range(_TRIES):
            enter = tries and any(found[1] == chosen.id for found in map(_MARKED.match, self._rows()) if found)
            data = b"\r" if enter else self._keys(chosen.id)
            await put(self._write, data, f"{key}/{tries}", self._clock)
            if await self._gone(asked, _TAKEN_WITHIN):
                return
        if not await self._gone(asked, _GONE_WITHIN):
            self._answered = None
            raise AgentError("The agent did not take the answer.", hint="Open its terminal to see what it waits for.")

    async def _gone(self, asked: Attention, seconds: float) -> bool:
        return await self._pulse.until(lambda: self._asked() != asked, seconds)


def _no_longer_asked() -> Conflict:
    return Conflict(
        "The agent no longer asks what was answered: nothing was typed.",
        hint="Look at what it asks now.",
        code="question_gone",
        retryable=False,
    )

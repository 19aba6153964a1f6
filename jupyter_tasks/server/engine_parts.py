"""What an engine is made of.

Owns which object gets which, and where each keeps its files. When they start and end is ``engine``'s.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import anyio
from traitlets.config import Config

from jupyter_tasks import places
from jupyter_tasks.clock import Clock
from jupyter_tasks.config import TasksEngine
from jupyter_tasks.metering.credentials import Credentials
from jupyter_tasks.metering.entitlements import Entitlements
from jupyter_tasks.metering.gateway import Gateway
from jupyter_tasks.metering.task_tokens import TaskTokens
from jupyter_tasks.store.journal import Change, Journal
from jupyter_tasks.store.llm_rows import LlmCall, add_llm_call
from jupyter_tasks.tasks.creation import Creation
from jupyter_tasks.tasks.house import House
from jupyter_tasks.tasks.naming_model import namer_from
from jupyter_tasks.tasks.owner import Owner
from jupyter_tasks.tasks.previews import Capabilities
from jupyter_tasks.tasks.review import Review
from jupyter_tasks.tasks.slots import Slots
from jupyter_tasks.tasks.unisolated import may_run_unisolated
from jupyter_tasks.templates.library import Library
from jupyter_tasks.workspaces.provisioner import Provisioner

__all__ = ["make_creation", "make_house"]


def make_house(journal: Journal, settings: TasksEngine, config: Config, clock: Clock) -> House:
    """What sessions work with."""
    state = places.state_dir()
    credentials = Credentials(state / "keys.json", os.environ, clock=clock)

    async def record(call: LlmCall) -> None:
        await house.change(call.task_id, lambda change: add_llm_call(change.connection, call))

    house = House(
        journal=journal,
        clock=clock,
        slots=Slots(settings.max_active),
        provisioners=_provisioners(state, settings, config, clock),
        capabilities=Capabilities(clock),
        credentials=credentials,
        gateway=Gateway(credentials, record, clock, config=config),
        task_tokens=TaskTokens(state / "task-tokens.secret"),
        applies=state / "applies",
        review_of=lambda workspace_id: Review(state / "reviews" / f"{workspace_id}.git", clock),
    )
    return house


def make_creation(
    house: House, library: Library, owner: Owner, settings: TasksEngine, entitlements: Entitlements
) -> Creation:
    """What makes tasks."""

    def admit(change: Change) -> None:
        entitlements.check(change.connection, change.now)

    return Creation(
        house=house,
        library=library,
        owner=owner,
        admit=admit,
        default_template=settings.default_template,
        allow_unisolated=lambda plan, template_id: may_run_unisolated(library, template_id, plan.parameters),
        planning=anyio.CapacityLimiter(2),
        surveying=anyio.CapacityLimiter(2),
        namer=namer_from(os.environ),
    )


def _provisioners(state: Path, settings: TasksEngine, config: Config, clock: Clock) -> dict[str, Provisioner]:
    made: dict[str, Provisioner] = {}
    for name, dotted in settings.provisioners.items():
        module, _, attribute = dotted.rpartition(".")
        made[name] = getattr(import_module(module), attribute)(
            state=state, links=places.links_dir(), clock=clock, config=config
        )
    return made

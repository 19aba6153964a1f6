"""What of ``FakeService`` is daily work: answering, applying and undoing, the project, credentials, clean-up.

Owns the rules that a client sees (all or nothing, runnable files are asked for, unapplied work is kept); no file is
read or written. ``changed`` is what tests set: what an agent changed, by task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from jupyter_tasks import models
from jupyter_tasks.errors import Conflict, InvalidInput, NotFound
from jupyter_tasks.testing.service_room import FakeRoom, now

__all__ = ["FakeDaily"]

_URLS = {"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"}
_HELD = frozenset({"conflict", "refused"})


@dataclass(eq=False)
class FakeDaily(FakeRoom):
    """``changes``: by task id, what an apply would do with each file. ``diffs``: what ``diff`` answers."""

    changes: dict[str, list[models.AppliedFile]] = field(default_factory=dict)
    diffs: dict[str, models.DiffResponse] = field(default_factory=dict)
    project: models.ProjectInfo = field(default_factory=models.ProjectInfo)
    """What every project looks like."""
    accepted: bool = True
    """Whether vendors accept the credentials."""
    _applies: dict[str, list[models.ApplyResponse]] = field(default_factory=dict)
    _keys: dict[str, models.Key] = field(default_factory=dict)

    def set_changes(self, task: models.Task, files: Sequence[models.AppliedFile]) -> models.Task:
        """The agent changed these files."""
        self.changes[task.id] = [*files]
        return self._store(self._find(task.id).model_copy(update={"unapplied": len(files)}))

    # ------------------------------------------------------------ TasksApi

    async def answer(self, user: str, task: str, option: str, question: str | None = None) -> None:
        found = self._find(task)
        self.calls.append(("answer", user, found.id, option, question))
        if found.attention is None:
            raise Conflict(f"The agent of {found.name} asks nothing.")
        if question not in (None, found.attention.id):
            raise Conflict(f"The agent of {found.name} asks something else by now.")
        ids = [each.id for each in found.attention.options]
        if option not in ids:
            raise InvalidInput(f'"{option}" is not among the options.', hint=f"They are {', '.join(ids)}.")
        self._store(found.model_copy(update={"attention": None}))

    async def survey(self, request: models.ProjectRequest) -> models.ProjectInfo:
        self.calls.append(("survey", request))
        if request.project == "none":
            return models.ProjectInfo(mounts=request.mounts, carried=request.carry or [])
        changes = {"mounts": request.mounts} if request.mounts else {}
        return self.project.model_copy(update=changes)

    async def diff(self, user: str, task: str) -> models.DiffResponse:
        found = self.diffs.get(self._find(task).id)
        return found or models.DiffResponse(files=[], additions=0, deletions=0, patch="")

    async def apply(self, user: str, task: str, request: models.ApplyRequest) -> models.ApplyResponse:
        found = self._find(task)
        self.calls.append(("apply", user, found.id, request))
        everything = self.changes.get(found.id, [])
        chosen = [file for file in everything if _among(file.path, request.paths)]
        if request.paths and not chosen:
            raise NotFound(f"No changed file of {found.name} is {request.paths[0]} or below it.")
        held = any(file.action in _HELD or (file.runnable and not request.accept_runnable) for file in chosen)
        done = bool(chosen) and not held and not request.dry_run
        answer = models.ApplyResponse(
            id=str(uuid4()) if done else None,
            applied=done,
            dry_run=request.dry_run,
            target=request.target or self.project.root or "/project",
            files=chosen,
            branch=request.branch,
            commit="0123456789abcdef0123456789abcdef01234567" if done and request.branch else None,
        )
        if done:
            self._applies.setdefault(found.id, []).append(answer)
            self.set_changes(found, [file for file in everything if file not in chosen])
        return answer

    async def undo(self, user: str, task: str) -> models.UndoResponse:
        found = self._find(task)
        self.calls.append(("undo", user, found.id))
        applies = self._applies.get(found.id)
        if not applies:
            raise Conflict(f"Nothing of {found.name} was applied.")
        last = applies.pop()
        self.set_changes(found, [*self.changes.get(found.id, []), *last.files])
        return models.UndoResponse(id=last.id, undone=True, target=last.target, files=last.files)

    async def keys(self) -> models.KeysResponse:
        return models.KeysResponse(keys=[*self._keys.values()], providers=[*_URLS])

    async def put_key(self, provider: str, request: models.PutKeyRequest) -> models.Key:
        self.calls.append(("put_key", provider, request))
        if provider not in _URLS:
            raise InvalidInput(
                f"No provider is called {provider!r}.", hint=f"There are: {', '.join(_URLS)}.", code="no_such_provider"
            )
        if not request.secret.get_secret_value().strip():
            raise InvalidInput("The credential is empty.")
        self._keys[provider] = models.Key(
            provider=provider,
            kind=request.kind or "api_key",
            source="file",
            base_url=request.base_url or _URLS[provider],
            added_at=now(),
        )
        return self._keys[provider]

    async def delete_key(self, provider: str) -> None:
        if self._keys.pop(provider, None) is None:
            raise _no_key(provider)

    async def test_key(self, provider: str) -> models.KeyTestResponse:
        if provider not in self._keys:
            raise _no_key(provider)
        if self.accepted:
            return models.KeyTestResponse(ok=True, status=200, message="Accepted.", models=["model-1", "model-2"])
        return models.KeyTestResponse(ok=False, status=401, message="invalid x-api-key")

    async def prune(self, request: models.PruneRequest) -> models.PruneResponse:
        self.calls.append(("prune", request))
        pruned = [self._prospect(task, request) for task in self._tasks.values()]
        leaving = [each for each in pruned if each.action == "delete"]
        if not request.dry_run:
            for each in leaving:
                gone = self._tasks.pop(each.id)
                self.publish(models.EventType.task, gone.id, {"id": gone.id, "name": gone.name, "deleted": True})
        return models.PruneResponse(dry_run=request.dry_run, tasks=pruned, bytes=sum(each.bytes for each in leaving))

    # ------------------------------------------------------------ inside

    def _prospect(self, task: models.Task, request: models.PruneRequest) -> models.PrunedTask:
        days = 30.0 if request.older_than is None else request.older_than
        old = (now() - task.updated_at).total_seconds() >= days * 86_400
        if not old:
            kept = f"changed in the last {days:g} days"
        elif task.status is not models.TaskStatus.paused:
            kept = "not paused"
        elif task.unapplied and not request.include_unapplied:
            kept = "changes that were not applied"
        else:
            kept = ""
        return models.PrunedTask(
            id=task.id,
            name=task.name,
            action="keep" if kept else "delete",
            reason=kept or f"unchanged for {days:g} days",
            bytes=1_000_000,
            unapplied=task.unapplied,
        )


def _among(path: str, wanted: Sequence[str]) -> bool:
    return not wanted or any(path == each or path.startswith(each.rstrip("/") + "/") for each in wanted)


def _no_key(provider: str) -> NotFound:
    return NotFound(f"There is no credential of {provider}.", hint=f"`jupyter tasks keys add {provider}` adds one.")

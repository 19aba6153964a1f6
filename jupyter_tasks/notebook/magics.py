"""``%load_ext jupyter_tasks``: ``%%task`` and ``t = %task PROMPT`` make a task, ``%tasks VERB`` does everything else.

Owns the magics and their hooks into a shell. A prompt is never read as a verb, because verbs have a magic of their own.
How a line is read is in ``magics_options``, the verbs in ``magics_verbs``, how a prompt gets here as typed in
``magics_input``. Nothing of the server is imported, and the engine is not asked before it is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from jupyter_tasks.errors import InvalidInput, TasksError
from jupyter_tasks.notebook import magics_input
from jupyter_tasks.notebook.magics_options import TASK_OPTIONS, Parsed, help_of, parse

if TYPE_CHECKING:
    from jupyter_tasks import models
    from jupyter_tasks.notebook.handle import TaskHandle
    from jupyter_tasks.notebook.handle_session import Session

__all__ = ["TaskMagics", "load", "unload"]

_USAGE = """%%task [options]            (the prompt is the cell)
t = %task [options] PROMPT  (the prompt is the rest of the line)"""
_ABOUT = (
    "Hand a prompt to a coding agent; it works in a workspace of its own. Gives a task handle at once (also as _).\n"
    "{name} in the prompt is filled with that variable's text; {{ }} are literal braces; -- ends the options."
)


def load(shell: Any, session: Session | None = None) -> None:
    """Put the magics into ``shell``. Twice is once. ``session``: a certain engine, for tests."""
    _loaded(shell)
    shell.register_magics(TaskMagics(shell, session))
    magics_input.install(shell)
    from jupyter_tasks.notebook.magics_complete import install

    install(shell)


def unload(shell: Any) -> None:
    """Take them out again and end what runs in the background of this kernel; tasks go on."""
    loaded = _loaded(shell)
    magics_input.uninstall(shell)
    from jupyter_tasks.notebook.magics_complete import uninstall

    uninstall(shell)
    for kind in ("line", "cell"):
        for name in ("task", "tasks"):
            shell.magics_manager.magics[kind].pop(name, None)
    if loaded is not None:
        shell.magics_manager.registry.pop(TaskMagics.__name__, None)
        loaded.close()


def _loaded(shell: Any) -> TaskMagics | None:
    found = shell.magics_manager.registry.get(TaskMagics.__name__)
    return found if isinstance(found, TaskMagics) else None


@magics_class
class TaskMagics(Magics):
    """The magics of one shell."""

    def __init__(self, shell: Any, session: Session | None = None) -> None:
        super().__init__(shell)
        self.host = shell
        self._session = session
        self.latest: str | None = None
        """Id of the task that was made here last; verbs without a name mean it."""

    @property
    def session(self) -> Session:
        """The way to the engine, made when it is first needed."""
        if self._session is None:
            from jupyter_tasks.notebook.handle_session import session

            self._session = session()
        return self._session

    def close(self) -> None:
        """End what was opened, if anything was."""
        if self._session is not None:
            self._session.close()

    @no_var_expand
    @line_cell_magic
    def task(self, line: str, cell: str | None = None) -> TaskHandle | None:
        """Hand a prompt to a coding agent; it works in a workspace of its own. ``%task --help`` says more."""
        with plain_errors():
            where = "%task" if cell is None else "%%task"
            asked = parse(line, TASK_OPTIONS, where=where)
            if asked.on("help"):
                print(help_of(_USAGE, _ABOUT, TASK_OPTIONS))
                return None
            handle = self._create(asked, _prompt(asked, cell))
            if not asked.on("wait"):
                return handle
            if cell is None:
                return handle.wait()
            self._show_while_waiting(handle)
            return None

    @no_var_expand
    @line_cell_magic
    def tasks(self, line: str, cell: str | None = None) -> object:
        """Verbs for tasks: list, status, messages, send, diff … ``%tasks --help`` lists them all."""
        from jupyter_tasks.notebook.magics_verbs import run

        with plain_errors():
            return run(self, line, cell)

    def handle(self, task: str | None) -> TaskHandle:
        """The handle of a task by name, or of the latest one. Raises: InvalidInput when there is none."""
        from jupyter_tasks.notebook.handle import TaskHandle

        wanted = task or self.latest
        if wanted is None:
            raise InvalidInput("Which task? None was made in this kernel yet.", hint="%tasks list shows their names.")
        return TaskHandle(wanted, session=self.session)

    def _create(self, asked: Parsed, prompt: str) -> TaskHandle:
        from jupyter_tasks.notebook.handle import TaskHandle

        variable = asked.one("output")
        if variable is not None and not variable.isidentifier():
            raise InvalidInput(f"-o {variable!r} is not a name for a variable.", code="bad_option")
        request = _request(asked, self._filled(prompt, raw=asked.on("raw")))
        handle = TaskHandle(self.session.client.create(request), session=self.session)
        self.latest = handle.id
        if variable is not None:
            self.host.user_ns[variable] = handle
        return handle

    def _filled(self, prompt: str, *, raw: bool) -> str:
        if raw:
            return prompt
        from jupyter_tasks.notebook.filling import fill

        filled = fill(prompt, self.host.user_ns)
        for cut in filled.cuts:
            sys.stderr.write(f"Note: {cut}\n")
        return filled.text

    def _show_while_waiting(self, handle: TaskHandle) -> None:
        """Show the card first, because it lives while the cell waits; ``_`` is the handle as without ``--wait``."""
        from IPython.display import display

        display(handle)  # type: ignore[no-untyped-call]
        self.host.displayhook.update_user_ns(handle)
        handle.wait()


def _prompt(asked: Parsed, cell: str | None) -> str:
    if cell is not None:
        if asked.rest:
            raise InvalidInput(
                f"%%task: {asked.rest!r} is not an option.",
                hint="The prompt goes into the lines below; or use %task with the prompt on one line.",
                code="bad_option",
            )
        prompt = cell.strip("\r\n")
    else:
        prompt = asked.rest
    if not prompt.strip():
        raise InvalidInput(
            "A task cannot be started with an empty input.",
            hint="Write the prompt below %%task, or after %task on the same line.",
        )
    return prompt


def _request(asked: Parsed, prompt: str) -> models.CreateTaskRequest:
    from jupyter_tasks import models

    return models.CreateTaskRequest(
        input=prompt,
        template=asked.one("template"),
        preset=asked.one("preset"),
        parameters=asked.pairs("parameter"),
        name=asked.one("name"),
        python_env=sys.prefix,
        path=os.environ.get("PATH"),
        directory=_directory(),
        project=_place(asked.one("project"), but="none"),
        files=asked.options.get("files", []),
        mounts=[str(_place(mount)) for mount in asked.options.get("mount", [])],
        carry=[] if asked.on("no-carry") else None,
        large=asked.on("large"),
    )


def _place(given: str | None, *, but: str | None = None) -> str | None:
    """A directory as the engine has to hear it, from the root on; ``but`` is a word and no directory."""
    if given is None or given == but:
        return given
    return os.path.abspath(os.path.expanduser(given))  # noqa: PTH100, PTH111 - links stay as the user named them


def _directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - Path.cwd() says the same in a longer way
    except OSError:  # it was deleted under us
        return None


@contextmanager
def plain_errors() -> Iterator[None]:
    """Our own errors are shown as their sentences, without a traceback; their classes stay as they are."""
    try:
        yield
    except TasksError as error:
        error._render_traceback_ = _renderer(error)  # type: ignore[attr-defined]
        raise


def _renderer(error: TasksError) -> Callable[[], Sequence[str]]:
    def render() -> Sequence[str]:
        fields = [f"  {wrong.field}: {wrong.detail}" for wrong in error.validations]
        return [f"{type(error).__name__}: {error}", *fields]

    return render

"""Tab completion after ``%task``, ``%%task`` and ``%tasks``: options and verbs. Never asks the engine."""

from __future__ import annotations

from typing import Any

from jupyter_tasks.notebook.magics_options import TASK_OPTIONS, Option

__all__ = ["complete", "install", "uninstall"]

_KEYS = ("%task", "%%task", "%tasks", "%%tasks")


def install(shell: Any) -> None:
    """Register with the shell's completer. Twice is once."""
    uninstall(shell)
    for key in _KEYS:
        shell.set_hook("complete_command", _hook, str_key=key)


def uninstall(shell: Any) -> None:
    """Take it out again."""
    completers = getattr(shell.Completer, "custom_completers", None)
    for key in _KEYS:
        if completers is not None:
            completers.strs.pop(key, None)  # the dispatcher has no other way to remove one


def _hook(_shell: Any, event: Any) -> list[str]:
    return complete(event.text_until_cursor)


def complete(text: str) -> list[str]:
    """What may stand at the end of ``text``, a magic's line up to the cursor."""
    words = text.split()
    magic, words = words[0].lstrip("%") if words else "", words[1:]
    begun = "" if not text or text[-1].isspace() else (words[-1] if words else "")
    before = words if not begun else words[:-1]
    if magic == "task":
        return _starting(begun, _spellings(TASK_OPTIONS)) if all_options(before) else []
    from jupyter_tasks.notebook.magics_verbs import VERBS

    if not before:
        return _starting(begun, [verb.name for verb in VERBS] + ["help"])
    for verb in VERBS:
        if before[0] in {verb.name, *verb.aliases}:
            return _starting(begun, [*_spellings(verb.options), "--help"]) if begun.startswith("-") else []
    return []


def all_options(words: list[str]) -> bool:
    """Whether the prompt has not begun yet."""
    value = {name: bool(option.value) for option in TASK_OPTIONS for name in option.names}
    expected = False
    for word in words:
        if expected:
            expected = False
        elif word == "--" or word.partition("=")[0] not in value:
            return False
        else:
            expected = value[word.partition("=")[0]] and "=" not in word
    return not expected


def _spellings(options: tuple[Option, ...]) -> list[str]:
    return [name for option in options for name in option.names if name.startswith("--")]


def _starting(begun: str, words: list[str]) -> list[str]:
    return [word for word in words if word.startswith(begun)]

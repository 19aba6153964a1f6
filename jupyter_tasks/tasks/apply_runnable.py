"""Files that run by themselves: what starts them, without anybody naming them.

Owns the table. A file is in it when something starts it that the user does for another reason: to enter a directory,
to open it in an editor, to commit, to start Python, a kernel, R or a test run, to install packages, or to push. Code of
the project that runs because the user runs the project (modules, notebooks, setup.py, a Makefile, noxfile.py) is not
in it, nor are instructions to agents (AGENTS.md): they are text.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Container

__all__ = ["runner"]

_CI = "CI, with the repository's secrets"
_HOOKS = "git hooks"
_AGENTS = "coding agents, on this machine"

# Of the whole path in lower case; the first that matches tells.
_TABLE = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (r"(.*/)?\.envrc", "direnv, on entering the directory"),
        (r"(.*/)?(\.?mise(\.[^/]*)?\.toml|\.mise/.*|\.config/mise.*)", "mise, on entering the directory"),
        (r"(.*/)?(\.autoenv(\.zsh)?|\.env\.(zsh|bash|fish))", "autoenv, on entering the directory"),
        (r"(.*/)?\.vscode/.*|.*\.code-workspace", "Visual Studio Code"),
        (r"(.*/)?\.idea/.*|.*\.iml", "the JetBrains IDEs"),
        (r"(.*/)?(\.vs|\.zed|\.fleet|\.nova)/.*|.*\.sublime-project", "an editor, on opening the project"),
        (r"(.*/)?(\.exrc|\.nvimrc|\.nvim\.lua|\.lvimrc|\.local\.vimrc)", "Vim"),
        (r"(.*/)?\.dir-locals(-2)?\.el", "Emacs"),
        (r"(.*/)?(\.devcontainer/.*|\.devcontainer\.json|\.gitpod\.yml|\.?devfile\.ya?ml)", "development containers"),
        (r"(.*/)?\.pre-commit-(config|hooks)\.ya?ml", "pre-commit, on git commit"),
        (r"(.*/)?(\.husky|\.?githooks|\.?git-hooks|\.hooks|\.lefthook)/.*", _HOOKS),
        (r"(.*/)?(\.?lefthook(-local)?\.(ya?ml|toml|json)|\.overcommit\.yml|\.huskyrc.*|\.lintstagedrc.*)", _HOOKS),
        (r"(.*/)?(conftest\.py)", "pytest"),
        (r"(.*/)?(sitecustomize|usercustomize)(\.py|/.*)|.*\.pth", "every start of Python"),
        (r"(.*/)?\.pdbrc", "the Python debugger"),
        (r"(.*/)?(pyvenv\.cfg|bin/(python|pip|activate)[^/]*)", "whatever looks for a Python in the project"),
        (r"(.*/)?(jupyter_[^/]*config\.(py|json)|jupyter_[^/]*config\.d/.*|\.jupyter/.*)", "Jupyter"),
        (r"(.*/)?(\.ipython/.*|ipython_[^/]*config\.(py|json)|profile_[^/]*/startup/.*)", "every start of IPython"),
        (r"(.*/)?(\.rprofile|\.renviron|\.rdata|renv/activate\.r)", "every start of R"),
        (r"(.*/)?\.?binder/(postbuild|start)|(postbuild|start)", "Binder"),
        (r"(.*/)?(\.claude/.*|\.mcp\.json|\.claude\.json)", _AGENTS),
        (r"(.*/)?\.(cursor|codex|gemini|opencode|windsurf|continue|amazonq|kiro|qwen|goose|roo|cline)/.*", _AGENTS),
        (r"(.*/)?(opencode\.jsonc?|\.aider\.conf\.yml|\.goosehints|\.cursorrules)", _AGENTS),
        (r"(.*/)?(\.npmrc|\.yarnrc(\.yml)?|\.yarn/.*|\.pnpmfile\.c?js|binding\.gyp)", "npm install"),
        (r"(.*/)?\.cargo/config(\.toml)?", "cargo"),
        (r"\.(github|gitea|forgejo)/(workflows|actions)/.*|(.*/)?action\.ya?ml", _CI),
        (r"\.gitlab-ci\.yml|\.gitlab/.*\.ya?ml|\.circleci/.*|\.buildkite/.*|\.woodpecker(/.*|\.ya?ml)", _CI),
        (r"\.?azure-pipelines[^/]*\.ya?ml|jenkinsfile|\.travis\.yml|\.drone\.ya?ml|bitbucket-pipelines\.yml", _CI),
        (r"appveyor\.yml|\.appveyor\.yml|\.cirrus\.(ya?ml|star)|\.semaphore/.*|cloudbuild\.ya?ml", _CI),
    )
)
_LIFECYCLE = (
    *("preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare", "dependencies"),
)
_TAKEN_FIRST = frozenset(sys.stdlib_module_names) | {
    *("IPython", "anyio", "comm", "debugpy", "ipykernel", "ipywidgets", "jupyter_client", "jupyter_core", "jupyterlab"),
    *("jupyter_server", "jupyter_tasks", "matplotlib", "matplotlib_inline", "nest_asyncio", "numpy", "packaging"),
    *("pandas", "pip", "prompt_toolkit", "psutil", "pygments", "setuptools", "six", "tornado", "traitlets", "zmq"),
}


def runner(path: bytes, before: bytes | None, after: bytes, project: Container[bytes]) -> str | None:
    """What would run a file that is added or changed, without anybody asking for it; None where nothing would.

    Args:
        path: of the file in the project.
        before, after: what it held (None: it is new), and what it will hold.
        project: every file that the workspace has.
    """
    text = path.decode("utf-8", "surrogateescape").replace("\\", "/")
    lower = text.lower()
    for pattern, reason in _TABLE:
        if pattern.fullmatch(lower):
            return reason
    directory, _, name = text.rpartition("/")
    if name.lower() == "package.json" and _lifecycle(before) != (scripts := _lifecycle(after)) and scripts != {}:
        return "npm install"
    if name in ("HEAD", "config") and _repository(path, project):
        return "git, which takes the directory for a repository"
    module = _module(directory, name, project)
    if module is not None:
        return f'every start of Python there, in place of the module "{module}"'
    return None


def _lifecycle(content: bytes | None) -> object:
    """The scripts of a package.json that npm runs by itself; None where that cannot be told."""
    if content is None:
        return {}
    try:
        scripts = json.loads(content).get("scripts", {})
        return {name: scripts[name] for name in _LIFECYCLE if name in scripts}
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None


def _repository(path: bytes, project: Container[bytes]) -> bool:
    """Whether the workspace has the beginning of a git repository there, which would bring its own configuration."""
    prefix = path[: path.rfind(b"/") + 1]
    return prefix + b"HEAD" in project and prefix + b"config" in project


def _module(directory: str, name: str, project: Container[bytes]) -> str | None:
    """The module that Python, started in some directory of the project, would take from there instead of its own."""
    stem, _, extension = name.partition(".")
    if extension not in ("py", "so") and not extension.endswith(".so"):
        return None
    place = directory
    if stem == "__init__":
        place, _, stem = directory.rpartition("/")
    if stem not in _TAKEN_FIRST:
        return None
    package = f"{place}/__init__.py" if place else "__init__.py"
    return None if package.encode("utf-8", "surrogateescape") in project else stem

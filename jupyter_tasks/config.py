"""Every setting of the engine and of the Jupyter side, as traitlets with help; and where they are read from.

Owns names, defaults and help text. Two parts keep their settings beside themselves: pools (``metering.entitlements``)
and the local sandbox (``workspaces.local``). The engine reads the files that Jupyter reads:

    jupyter_tasks_config.py, .json     in any directory of `jupyter --paths`
    jupyter_server_config.py, .json    likewise: an administrator may keep all in one file
"""

from __future__ import annotations

import logging
from pathlib import Path

from traitlets import Dict, Enum, Float, HasTraits, Int, Unicode
from traitlets.config import Config
from traitlets.config.configurable import Configurable
from traitlets.config.loader import ConfigFileNotFound, JSONFileConfigLoader, PyFileConfigLoader

from jupyter_tasks.errors import InvalidInput

__all__ = ["ExtensionSettings", "TasksEngine", "load_config"]

log = logging.getLogger(__name__)

_FILES = ("jupyter_server_config", "jupyter_tasks_config")  # the later one wins


class TasksEngine(Configurable):
    """The engine of one user: the process that owns store, builds, links and previews."""

    store_url = Unicode(
        "",
        help="Database URL (SQLAlchemy). Empty: an SQLite file in Jupyter's data directory, tasks/tasks.db.",
    ).tag(config=True)
    idle_timeout = Float(
        15 * 60.0,
        min=1.0,
        help="Seconds after which the engine ends when nothing works, no preview is fetched and nobody is connected.",
    ).tag(config=True)
    max_active = Int(
        8, min=1, help="Tasks of a user that may be active at once; later ones wait as pending, with their place."
    ).tag(config=True)
    default_template = Unicode("project", help="The template of a task that names none.").tag(config=True)
    provisioners = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        default_value={"local": "jupyter_tasks.workspaces.local.LocalProvisioner"},
        help="Provisioners by the name that plans use, each as module.Class.",
    ).tag(config=True)


class ExtensionSettings(HasTraits):
    """What the Jupyter side decides. Set on ``TasksExtension``, which inherits these."""

    engine = Enum(
        ("process", "inprocess"),
        default_value="process",
        help=(
            "Where the engine runs when this Jupyter server is the first to need it: in a process of its own, which"
            " outlives Jupyter, or inside this server (Binder, pods, tests), where it starts and ends with it."
        ),
    ).tag(config=True)
    on_stop = Enum(
        ("continue", "pause"),
        default_value="continue",
        help="What becomes of working tasks when the user's last Jupyter server is stopped.",
    ).tag(config=True)
    keep_alive_hours = Float(
        24.0,
        min=0.0,
        help=(
            "For how long a single stretch of work of a task keeps this server from being culled as idle. A task that"
            " waits for the user never does."
        ),
    ).tag(config=True)
    launch_timeout = Float(30.0, min=0.1, help="Seconds an engine that is started may take to answer.").tag(config=True)


def load_config(path: list[str] | None = None) -> Config:
    """The settings of this user and machine, from Jupyter's configuration files.

    Args:
        path: directories, the most important one first; by default Jupyter's own.

    Raises: InvalidInput when a file of ours cannot be read. One of Jupyter's own that cannot is logged and left out:
        it may do what only works inside a Jupyter server.
    """
    if path is None:
        from jupyter_core.paths import jupyter_config_path

        path = jupyter_config_path()
    config = Config()
    for name in _FILES:
        for directory in reversed(path):
            config.merge(_load(name, Path(directory)))
    return config


def _load(name: str, directory: Path) -> Config:
    found = Config()
    for loader in (JSONFileConfigLoader, PyFileConfigLoader):
        suffix = ".json" if loader is JSONFileConfigLoader else ".py"
        try:
            found.merge(loader(name + suffix, path=str(directory), log=log).load_config())
        except ConfigFileNotFound:
            continue
        except Exception as error:  # the file is a program of the user's: it may raise anything
            if name == "jupyter_tasks_config":
                raise InvalidInput(
                    f"{directory / name}{suffix} cannot be read.",
                    detail=f"{type(error).__name__}: {error}",
                    hint="Correct it, or move it away.",
                ) from error
            log.warning("%s%s was left out: %s", directory / name, suffix, type(error).__name__)
    return found

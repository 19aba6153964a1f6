"""Who the tasks of this engine belong to: the user whose process it is.

Owns the identity; there is one an engine (design D9).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from jupyter_tasks.errors import NotFound

__all__ = ["ORGANIZATION_ID", "Owner", "this_user"]

ORGANIZATION_ID = str(uuid5(NAMESPACE_URL, "jupyter-tasks:organization"))
"""Coder's tasks belong to an organization; ours to this one."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A user."""

    id: str
    name: str

    def require(self, user: str) -> None:
        """Whether ``user`` ("me", a name, a UUID) is this one. Raises: NotFound."""
        if user.lower() not in ("me", self.name.lower(), self.id):
            raise NotFound("Resource not found or you do not have access to this resource", detail=f'No user "{user}".')


def this_user() -> Owner:
    """The user that runs this process (``JUPYTERHUB_USER`` names them on a Hub)."""
    import getpass

    try:
        name = os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = f"uid-{os.getuid()}"
    return Owner(str(uuid5(NAMESPACE_URL, f"jupyter-tasks:user:{name}")), name)

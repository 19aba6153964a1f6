"""An authorizer for a Jupyter server: of tasks, it allows what the environment variable ``ALLOWED`` lists."""

from __future__ import annotations

import os
from typing import Any

from jupyter_server.auth import Authorizer


class Listed(Authorizer):  # type: ignore[misc]
    """Everything but tasks is allowed."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return resource != "tasks" or action in os.environ["ALLOWED"].split(",")

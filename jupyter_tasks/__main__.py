"""``python -m jupyter_tasks``: the shell command."""

from __future__ import annotations

import sys

from jupyter_tasks.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

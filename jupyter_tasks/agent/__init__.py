"""The workspace agent: the one program of ours that runs inside a workspace.

Owns what must be near the processes: terminals, scripts, app health, loopback services, tunnels, file archives. It
knows nothing of conversations, tasks or the engine; ``docs/link.md`` is its whole contract. Python >= 3.9, standard
library only, one thread on ``selectors``, and no import from the rest of ``jupyter_tasks``: it must be ready within
60 ms of its exec and idle below 12 MB, so modules avoid ``typing``, ``dataclasses``, ``subprocess`` and ``asyncio`` at
run time.
"""

VERSION = "0.1.0"
PROTOCOL = 1

"""``python -m jupyter_tasks.agent.offline``."""

from __future__ import annotations

import sys

from . import main

sys.exit(main())

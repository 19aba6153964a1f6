"""A Python environment of the workspace's own, on top of the one that is shown to it.

Owns ``~/.venv``: a virtual environment that imports everything of the caller's environment and takes what an agent
installs, so that ``pip install`` works where the caller's environment is read-only, and leaves it alone where nothing
is isolated. Made once with the home, while nothing hostile can be in it; runs no program.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["ENVIRONMENT", "make_environment"]

ENVIRONMENT = ".venv"

_PIP = """#!{python}
import sys

from pip._internal.cli.main import main

sys.exit(main())
"""


def make_environment(home: Path, home_inside: str, below: Path) -> bool:
    """Make ``home/.venv`` over the environment ``below``; False when that has no interpreter that could be found.

    ``home_inside`` is where the home appears to what runs in the workspace.
    """
    interpreter = below / "bin" / "python3"
    packages = _site_packages(below)
    if not interpreter.exists() or packages is None:
        return False
    real = interpreter.resolve()
    own = home / ENVIRONMENT
    site = own / "lib" / packages.parent.name / "site-packages"
    (own / "bin").mkdir(parents=True)
    site.mkdir(parents=True)
    is_venv = (below / "pyvenv.cfg").is_file()
    (own / "pyvenv.cfg").write_text(
        f"home = {real.parent}\ninclude-system-site-packages = {'false' if is_venv else 'true'}\n"
        f"version = {packages.parent.name.removeprefix('python')}\n",
        encoding="utf-8",
    )
    if is_venv:
        # a line that begins with "import" is run: addsitedir also reads the .pth files there (editable installs)
        text = f"import site; site.addsitedir({os.fspath(packages)!r})\n"
        (site / "_below.pth").write_text(text, encoding="utf-8")
    for name in ("python", "python3", packages.parent.name):
        (own / "bin" / name).symlink_to(real)
    for name in ("pip", "pip3"):
        script = own / "bin" / name
        script.write_text(_PIP.format(python=f"{home_inside}/{ENVIRONMENT}/bin/python"), encoding="utf-8")
        script.chmod(0o755)
    return True


def _site_packages(prefix: Path) -> Path | None:
    """``lib/pythonX.Y/site-packages`` of the interpreter that the environment runs."""
    match = re.search(r"(\d+\.\d+)$", (prefix / "bin" / "python3").resolve().name)
    names = [f"python{match[1]}"] if match else sorted(path.name for path in (prefix / "lib").glob("python3.*"))
    found = [prefix / "lib" / name / "site-packages" for name in names]
    existing = [path for path in found if path.parent.is_dir()]
    return existing[0] if len(existing) == 1 else None

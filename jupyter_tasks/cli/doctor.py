"""``jupyter tasks doctor``."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from jupyter_tasks import places
from jupyter_tasks._version import __version__
from jupyter_tasks.cli import errors, output
from jupyter_tasks.cli.options import engine
from jupyter_tasks.errors import NotFound, TasksError

if TYPE_CHECKING:
    from jupyter_tasks.models import BuildInfo
    from jupyter_tasks.notebook.client import Client

__all__ = ["doctor_command"]


@click.command("doctor")
@click.option("-o", "--output", "shape", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as -o json.")
@click.pass_context
def doctor_command(ctx: click.Context, shape: str, as_json: bool) -> None:
    """Check this machine and the engine. Exits with 0 when all is well."""
    report = _examine()
    if as_json or shape == "json":
        output.print_json(report)
    else:
        for check in report["checks"]:
            _say(check)
    if not report["engine"]["reachable"]:
        ctx.exit(errors.NO_ENGINE)
    ctx.exit(errors.OK if all(check["ok"] or not check["required"] for check in report["checks"]) else errors.FAILED)


def _examine() -> dict[str, Any]:
    checks = [_check("this python", True, f"{platform.python_version()} at {sys.executable}")]
    reachable: dict[str, Any] = {"reachable": False}
    try:
        checks.append(_check("state directory", True, str(places.state_dir())))
        with engine() as client:
            info = client.buildinfo()
            reachable = {"reachable": True, "where": client.connection.where, **info.model_dump(mode="json")}
            checks.append(_engine(client, info))
            checks += _machine(client)
    except TasksError as error:
        checks.append(_check("engine", False, " ".join(filter(None, (error.message, error.detail))), error.hint))
    return {"version": __version__, "engine": reachable, "checks": checks}


def _engine(client: Client, info: BuildInfo) -> dict[str, Any]:
    where = client.connection.where
    text = f"version {info.version}, process {info.pid}, {info.mode}, answers at {where}"
    if info.version == __version__:
        return _check("engine", True, text)
    return _check(
        "engine", False, text,
        f"This is version {__version__}: upgrade the older of the two, then run `jupyter tasks serve --detached`.",
    )  # fmt: skip


def _machine(client: Client) -> Iterator[dict[str, Any]]:
    """What the engine knows about its machine: the fields of ``workspaces.platform.Check``."""
    try:
        found = client.doctor()
    except NotFound:  # an engine without that route, or one behind a Jupyter server
        return
    checks = found.get("checks")
    for check in checks if isinstance(checks, list) else ():
        if isinstance(check, Mapping):
            name, detail, remedy = (str(check.get(key) or "") for key in ("name", "detail", "remedy"))
            yield _check(name, bool(check.get("ok")), detail, remedy, bool(check.get("required", True)))


def _check(name: str, ok: bool, detail: str, remedy: str = "", required: bool = True) -> dict[str, Any]:
    return {"name": name, "ok": ok, "detail": detail, "remedy": remedy, "required": required}


def _say(check: Mapping[str, Any]) -> None:
    mark, colour = ("✓", "green") if check["ok"] else ("✗", "red") if check["required"] else ("!", "yellow")
    line = output.clean(f"{check['name']:<18} {check['detail']}").rstrip()
    click.echo(f"{output.styled(mark, fg=colour)} {line}")
    if not check["ok"] and check["remedy"]:
        click.echo(output.clean(f"  {check['remedy']}"))

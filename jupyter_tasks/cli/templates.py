"""``jupyter tasks templates``."""

from __future__ import annotations

import click

from jupyter_tasks.cli import output
from jupyter_tasks.cli.options import Shape, complete_templates, engine, shaped

__all__ = ["templates_command"]

_CELLS = {
    "id": lambda template: template.id,
    "name": lambda template: template.name,
    "display name": lambda template: template.display_name,
    "description": lambda template: " ".join(template.description.split()),
    "active version": lambda template: template.active_version_name or template.active_version_id,
    "task": lambda template: str(template.has_ai_task).lower(),
    "error": lambda template: " ".join((template.error or "").split()),
    "builtin": lambda template: str(template.builtin).lower(),
}
_PARAMETER_CELLS = {
    "parameter": lambda parameter: parameter.name,
    "type": lambda parameter: parameter.type,
    "default": lambda parameter: "(required)" if parameter.default_value is None else _short(parameter.default_value),
    "description": lambda parameter: _short(parameter.description or parameter.display_name),
}
_PRESET_CELLS = {
    "preset": lambda preset: preset.name + (" (default)" if preset.default else ""),
    "description": lambda preset: _short(preset.description),
}


@click.group("templates", invoke_without_command=True)
@click.pass_context
def templates_command(ctx: click.Context) -> None:
    """List templates, or show one."""
    if ctx.invoked_subcommand is None:
        with list_command.make_context("list", [], parent=ctx) as inner:
            list_command.invoke(inner)


@templates_command.command("list")
@shaped(_CELLS, "name,display name,description")
def list_command(shape: Shape) -> None:
    """List templates."""
    with engine() as client:
        found = client.templates()
    if found or shape.json:
        shape.show(found, found)
        for broken in (one for one in found if one.error):
            why = " ".join((broken.error or "").split())
            click.echo(output.clean(f"{broken.name} cannot be used: {why}"), err=True)
    else:
        click.echo("No templates found.", err=True)


@templates_command.command("show")
@click.argument("name", shell_complete=complete_templates)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show_command(name: str, as_json: bool) -> None:
    """Show a template's parameters and presets."""
    with engine() as client:
        found = client.template(name)
    if as_json:
        output.print_json(found)
        return
    click.echo(output.clean(f"{found.display_name or found.name} ({found.name})\n{found.description.strip()}").rstrip())
    if found.error:
        click.echo(output.clean(f"It cannot be used: {' '.join(found.error.split())}"), err=True)
    if found.parameters:
        click.echo("\n" + output.table(found.parameters, list(_PARAMETER_CELLS), _PARAMETER_CELLS))
    if found.presets:
        click.echo("\n" + output.table(found.presets, list(_PRESET_CELLS), _PRESET_CELLS))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"

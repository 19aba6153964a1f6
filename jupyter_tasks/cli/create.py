"""``jupyter tasks create``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from jupyter_tasks.cli import errors, output
from jupyter_tasks.cli.options import complete_templates, engine, read_input
from jupyter_tasks.cli.project import asked_of, project_options, say
from jupyter_tasks.errors import NotFound, TasksError

if TYPE_CHECKING:
    from jupyter_tasks import models
    from jupyter_tasks.notebook.client import Client

__all__ = ["create_command"]


def _parameters(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    for pair in given:
        if "=" not in pair or pair.startswith("="):
            raise click.BadParameter(f'"{pair}" is not NAME=VALUE.')
    return dict(pair.split("=", 1) for pair in given)


@click.command("create")
@click.argument("input", required=False)
@click.option("--stdin", is_flag=True, help="Read the prompt from stdin; `-` as the prompt does the same.")
@click.option(
    "-t",
    "--template",
    envvar=["JUPYTER_TASKS_TEMPLATE_NAME", "CODER_TASK_TEMPLATE_NAME"],
    metavar="NAME",
    shell_complete=complete_templates,
    help="Template. [default: the engine's default_template]",
)
@click.option(
    "--template-version",
    envvar=["JUPYTER_TASKS_TEMPLATE_VERSION", "CODER_TASK_TEMPLATE_VERSION"],
    metavar="NAME|ID",
    help="Version of the template. [default: the active one]",
)
@click.option(
    "-p",
    "--preset",
    envvar=["JUPYTER_TASKS_PRESET_NAME", "CODER_TASK_PRESET_NAME"],
    default="none",
    show_default=True,
    metavar="NAME",
    help="Preset of the template.",
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_parameters,
    help="A parameter of the template. May be given several times.",
)
@click.option("--name", metavar="NAME", help="Name of the task. [default: made from the prompt]")
@click.option("--display-name", metavar="TEXT", help="What lists show. [default: made from the prompt]")
@click.option(
    "--project",
    metavar="DIR|none",
    type=click.Path(),
    help="What of your files goes in. [default: the git repository around this directory, else the directory]",
)
@project_options
@click.option("--owner", default="me", show_default=True, metavar="NAME", help="Whose task it is.")
@click.option("-O", "--org", envvar=["CODER_ORGANIZATION"], hidden=True, help="Taken for coder's sake.")
@click.option("-w", "--wait", is_flag=True, help="Return when the agent is idle, complete, failed or needs you.")
@click.option("-f", "--follow", is_flag=True, help="As --wait, and show the build, the messages and the result.")
@click.option("--preview/--no-preview", default=None, help="Print the URL of the preview at the end. On with --follow.")
@click.option("--diff", is_flag=True, help="With --follow: show the whole patch at the end, not its extent only.")
@click.option("-q", "--quiet", is_flag=True, help="Print only the task's ID.")
@click.option("-o", "--output", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as -o json: print the task.")
@click.pass_context
def create_command(
    ctx: click.Context, input: str | None, stdin: bool, template: str | None, template_version: str | None,  # noqa: A002
    preset: str, parameters: dict[str, str], name: str | None, display_name: str | None, project: str | None,
    files: tuple[str, ...], mounts: tuple[str, ...], carry: tuple[str, ...], no_carry: bool, large: bool, owner: str,
    org: str | None, wait: bool, follow: bool, preview: bool | None, diff: bool, quiet: bool, shape: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Create a task from a prompt.

    \b
    jupyter tasks create "fix the typos in README.md"
    jupyter tasks create --template quickstart --follow "change the primary color theme to purple"
    git diff | jupyter tasks create --stdin --wait --quiet
    """
    as_json = as_json or shape == "json"
    if follow and (quiet or as_json):
        raise click.UsageError("--follow shows what happens; with --quiet or --json say --wait.")
    text = read_input(input, stdin, "expected an input for task")
    if not text.strip():
        raise click.UsageError("a task cannot be started with an empty input")
    taken = asked_of(project, files, mounts, carry, no_carry, large)
    with engine() as client:
        task = client.create(
            _request(client, text, template, template_version, preset, parameters, name, display_name, taken),
            owner=owner,
        )
        if quiet:
            click.echo(task.id)
        elif not as_json:
            click.echo(f"The task {styled_name(task)} has been created at {output.stamp(task.created_at)}!")
            if task.project is not None and (task.project.notes or (follow and task.project.root)):
                say(task.project, err=not follow)
        code = errors.OK
        if follow or wait:
            sys.stdout.flush()
            task, code = _until_settled(client, task, follow=follow)
        if as_json:
            output.print_json(task)
        elif not quiet:
            _result(client, task, follow=follow, preview=follow if preview is None else preview, diff=diff)
    ctx.exit(code)


def styled_name(task: models.Task) -> str:
    """A task's name, as ``coder`` shows it."""
    return output.styled(task.name, bold=True)


def _until_settled(client: Client, task: models.Task, *, follow: bool) -> tuple[models.Task, int]:
    from jupyter_tasks.cli import waiting

    if follow:
        task = waiting.follow(client, task)
    else:
        with waiting.going_on(task):
            task = client.wait(task.id)
    return task, waiting.outcome(task)


def _request(
    client: Client, text: str, template: str | None, version: str | None, preset: str, parameters: dict[str, str],
    name: str | None, display_name: str | None, taken: dict[str, Any],
) -> models.CreateTaskRequest:  # fmt: skip
    from jupyter_tasks import models

    template = template or _only_template(client, version)
    return models.CreateTaskRequest(
        input=text,
        template=template,
        template_version_id=None if version is None or template is None else _version(client, template, version),
        preset=None if preset == "none" else preset,
        parameters=parameters,
        name=name,
        display_name=display_name,
        python_env=os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX") or sys.prefix,
        path=os.environ.get("PATH"),
        **taken,
    )


def _only_template(client: Client, version: str | None) -> str | None:
    """The template where there is but one; None: the engine has a default."""
    names = sorted(one.name for one in client.templates() if one.has_ai_task and not one.error)
    if not names:
        raise NotFound("no task templates configured")
    if len(names) > 1 and version is not None:
        raise click.UsageError(f"template name not provided, available templates: {', '.join(names)}")
    return names[0] if len(names) == 1 else None


def _version(client: Client, template: str, version: str) -> str:
    try:
        return str(UUID(version))
    except ValueError:  # a name
        pass
    found = client.template(template)
    if found.active_version_name != version:
        raise NotFound(
            f'The template {template} has no active version "{version}".',
            hint="Give an older version by its ID.",
        )
    return found.active_version_id


def _result(client: Client, task: models.Task, *, follow: bool, preview: bool, diff: bool) -> None:
    """What the agent made: where to look at it, and what it changed. Not to be had is no failure of the task."""
    if preview and task.capabilities.preview:
        from jupyter_tasks.cli.open_app import url_of

        try:
            click.echo(f"\nPreview: {url_of(client, task.id, None)}")
        except TasksError as error:
            click.echo(f"No preview: {output.clean(str(error))}", err=True)
    if follow and task.capabilities.diff:
        from jupyter_tasks.cli.diff import show

        try:
            changes = client.diff(task.id)
            show(changes, "patch" if diff else "stat")
            if changes.files and task.capabilities.apply:
                click.echo(f"`jupyter tasks apply {task.name}` takes this over into your files.", err=True)
        except TasksError as error:
            click.echo(f"No diff: {output.clean(str(error))}", err=True)

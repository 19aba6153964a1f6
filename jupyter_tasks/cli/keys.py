"""``jupyter tasks keys``: credentials of LLM providers. A secret is typed unseen or read from stdin, no argument."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from jupyter_tasks.cli import errors, output
from jupyter_tasks.cli.options import Shape, engine, shaped
from jupyter_tasks.errors import TasksError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from jupyter_tasks.models import Key

__all__ = ["keys_command"]

_KINDS = {"api_key": "API key", "oauth_token": "OAuth token"}
_PROVIDER = re.compile(r"[a-z][a-z0-9_]{0,30}")


def _source(key: Key) -> str:
    return f"environment ({key.variable})" if key.source == "environment" and key.variable else key.source


_CELLS = {
    "provider": lambda key: key.provider,
    "kind": lambda key: _KINDS.get(key.kind, key.kind),
    "source": _source,
    "base url": lambda key: key.base_url,
    "added at": lambda key: output.stamp(key.added_at) if key.added_at else "",
}


def _complete_providers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    try:
        with engine(start=False) as client:
            found = client.keys()
    except TasksError:
        return []
    names = found.providers if ctx.info_name == "add" else [key.provider for key in found.keys]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _checked(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    # a secret in the wrong place goes no further, and is not repeated
    if value is not None and not _PROVIDER.fullmatch(value):
        raise click.BadParameter("this is no name of a provider (and a credential is never an argument).")
    return value


def _provider(*, required: bool) -> click.Argument:
    return click.Argument(["provider"], required=required, callback=_checked, shell_complete=_complete_providers)


@click.group("keys", invoke_without_command=True)
@click.pass_context
def keys_command(ctx: click.Context) -> None:
    """Manage the credentials with which agents reach LLM providers.

    They stay in the engine: a workspace never gets one.
    """
    if ctx.invoked_subcommand is None:
        with list_command.make_context("list", [], parent=ctx) as inner:
            list_command.invoke(inner)


@keys_command.command("add", params=[_provider(required=True)])
@click.option("--oauth", is_flag=True, help="It is the OAuth token of a subscription. [default: told by its looks]")
@click.option("--base-url", metavar="URL", help="Where calls go. [default: the provider's own address]")
@click.option("--stdin", is_flag=True, help="Read it from stdin.")
def add_command(provider: str, oauth: bool, base_url: str | None, stdin: bool) -> None:
    """Add a credential, or put another in its place. It is asked for and not shown.

    \b
    jupyter tasks keys add anthropic
    pass show openai | jupyter tasks keys add openai --stdin
    """
    from pydantic import SecretStr

    from jupyter_tasks import models

    secret = _secret(provider, "OAuth token" if oauth else "credential", stdin)
    request = models.PutKeyRequest(secret=SecretStr(secret), kind="oauth_token" if oauth else None, base_url=base_url)
    with engine() as client:
        key = client.put_key(provider, request)
    click.echo(f"Added the {_KINDS.get(key.kind, key.kind)} of {output.styled(key.provider, bold=True)}.")
    click.echo(f"`jupyter tasks keys test {key.provider}` asks the provider about it.", err=True)


def _secret(provider: str, what: str, stdin: bool) -> str:
    if stdin:
        text = sys.stdin.buffer.read(1 << 20).decode("utf-8", "replace")
    elif sys.stdin.isatty():
        text = click.prompt(f"{what.capitalize()} of {provider} (not shown)", hide_input=True, err=True, default="")
    else:
        raise click.UsageError("There is no terminal to ask on: give it on stdin with --stdin.")
    text = text.strip()
    if not text:
        raise click.UsageError(f"No {what} was given.")
    return text


@keys_command.command("list")
@shaped(_CELLS, "provider,kind,source,base url")
def list_command(shape: Shape) -> None:
    """List credentials, without their secrets."""
    with engine() as client:
        found = client.keys()
    if found.keys or shape.json:
        shape.show(found.keys, found)
    else:
        click.echo("No credentials found.", err=True)
        click.echo(f"Hint: `jupyter tasks keys add {found.providers[0] if found.providers else 'PROVIDER'}`", err=True)


@keys_command.command("test", params=[_provider(required=False)])
@click.pass_context
def test_command(ctx: click.Context, provider: str | None) -> None:
    """Ask the provider whether it accepts a credential.

    Without PROVIDER every credential is tried; the exit code is 1 where one is refused.
    """
    with engine() as client:
        names = [provider] if provider else [key.provider for key in client.keys().keys]
        if not names:
            click.echo("No credentials found.", err=True)
        refused = False
        for name in names:
            said = client.test_key(name)
            refused = refused or not said.ok
            mark = output.styled("✓", fg="green") if said.ok else output.styled("✗", fg="red")
            status = f" (HTTP {said.status})" if said.status and not said.ok else ""
            click.echo(f"{mark} {name}: {' '.join(output.clean(said.message).split())}{status}", err=not said.ok)
    ctx.exit(errors.FAILED if refused or not names else errors.OK)


@keys_command.command("remove", params=[_provider(required=True)])
def remove_command(provider: str) -> None:
    """Remove a credential. Workspaces that use it cannot reach the provider from then on."""
    with engine() as client:
        client.delete_key(provider)
    click.echo(f"Removed the credential of {output.styled(provider, bold=True)}.")

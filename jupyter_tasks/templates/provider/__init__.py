"""The resource types that templates may use, by family.

Owns where a type is looked up and what is said about one that is not there; each family has a module of its own.
"""

from __future__ import annotations

from functools import cache

from jupyter_tasks.templates.hcl.diagnostics import HclError, did_you_mean
from jupyter_tasks.templates.hcl.nodes import Block
from jupyter_tasks.templates.provider.schema import Kind

__all__ = ["find_kind", "unsupported"]

_REFUSED = {
    ("data", "external"): "It would run a program outside of the workspace.",
    ("data", "http"): "It would read the network while the template is planned.",
}
_INFRASTRUCTURE = {
    "docker": "Docker workspaces are not provisioned yet",
    "kubernetes": "Kubernetes workspaces are not provisioned",
    "aws": "Cloud workspaces are not provisioned",
    "google": "Cloud workspaces are not provisioned",
    "azurerm": "Cloud workspaces are not provisioned",
}


@cache
def _kinds() -> dict[tuple[str, str], Kind]:
    from jupyter_tasks.templates.provider import coder, parameter, preset, utility, workspace

    return {**coder.KINDS, **workspace.KINDS, **parameter.KINDS, **preset.KINDS, **utility.KINDS}


def find_kind(mode: str, type_: str) -> Kind | None:
    """The resource type (``mode`` "managed" or "data"), or None."""
    return _kinds().get((mode, type_))


def unsupported(mode: str, type_: str, block: Block) -> HclError:
    """What is said about a block whose type is not there."""
    what = "data source" if mode == "data" else "resource type"
    if reason := _REFUSED.get((mode, type_)):
        return block.place.error(f"Refused {what}", f'"{type_}" is not run. {reason}')
    family = _INFRASTRUCTURE.get(type_.partition("_")[0])
    if family:
        return block.place.error(
            f"Unsupported {what}",
            f'{family}, and this template uses "{type_}".',
            suggestion='For a workspace on this machine, remove it and use terraform_data "local_workspace".',
        )
    known = [name for kind, name in _kinds() if kind == mode]
    other = "data" if mode == "managed" else "resource"
    hint = f'Write {other} "{type_}".' if _kinds().get(("data" if mode == "managed" else "managed", type_)) else ""
    return block.place.error(
        f"Unsupported {what}", f'There is no {what} "{type_}" here.', suggestion=hint or did_you_mean(type_, known)
    )

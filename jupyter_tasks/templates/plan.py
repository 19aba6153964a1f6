"""What a template asks for, once it is planned: plain frozen values, no behaviour.

Owns the types that cross from ``templates`` to ``workspaces`` and ``tasks``. ``planning`` makes them; provisioners,
the build job and the status rules read them. Field names are the provider's (terraform-provider-coder v2.17).
Times are seconds, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = [
    "AITask",
    "Agent",
    "App",
    "HealthCheck",
    "LocalWorkspace",
    "Metadata",
    "Mount",
    "Option",
    "Parameter",
    "PlanInputs",
    "Preset",
    "Resource",
    "Script",
    "WorkspacePlan",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A ``coder_script`` (or an agent's ``startup_script`` / ``shutdown_script``)."""

    id: str
    display_name: str
    script: str
    icon: str = ""
    log_path: str = ""
    cron: str = ""
    start_blocks_login: bool = False
    run_on_start: bool = False
    run_on_stop: bool = False
    timeout: int = 0  # 0: none


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """``healthcheck`` of an app: healthy while GET ``url`` answers below 500; ``threshold`` failures in a row: ill."""

    url: str
    interval: int
    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A ``coder_app``."""

    id: str
    slug: str
    display_name: str = ""
    icon: str = ""
    url: str = ""
    command: str = ""
    external: bool = False
    subdomain: bool = False
    share: str = "owner"
    hidden: bool = False
    order: int = 0
    group: str = ""
    open_in: str = "slim-window"
    tooltip: str = ""
    healthcheck: HealthCheck | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """A ``metadata`` block of an agent: a script whose output is shown, run every ``interval`` seconds."""

    key: str
    script: str
    display_name: str = ""
    interval: int = 0
    timeout: int = 0
    order: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A ``coder_agent`` with everything that hangs on it. ``env`` already holds the ``coder_env`` values."""

    id: str
    name: str
    os: str
    arch: str
    dir: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    connection_timeout: int = 120
    troubleshooting_url: str = ""
    motd_file: str = ""
    order: int = 0
    display_apps: Mapping[str, bool] = field(default_factory=dict)
    scripts: Sequence[Script] = ()
    apps: Sequence[App] = ()
    metadata: Sequence[Metadata] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AITask:
    """The created ``coder_ai_task``; ``app_id`` is the id of the app that shows the agent."""

    id: str
    app_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One choice of a parameter."""

    name: str
    value: str
    description: str = ""
    icon: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A ``coder_parameter`` with the value it has for the given inputs.

    ``default`` is None where the parameter is required; ``value`` is "" for a required one that was not given.
    """

    name: str
    value: str
    default: str | None = None
    display_name: str = ""
    description: str = ""
    icon: str = ""
    type: str = "string"
    form_type: str = "input"
    styling: str = "{}"
    mutable: bool = False
    ephemeral: bool = False
    order: int = 0
    options: Sequence[Option] = ()
    validation: Mapping[str, object] = field(default_factory=dict)

    @property
    def required(self) -> bool:
        return self.default is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A ``coder_workspace_preset``. ``id`` is stable for one template version (a uuid made of both)."""

    id: str
    name: str
    parameters: Mapping[str, str]
    description: str = ""
    icon: str = ""
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource instance: ``address`` as Terraform writes it, ``values`` as plain Python (JSON) values."""

    address: str
    type: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A directory of this machine that the workspace sees, read-only."""

    source: Path
    target: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWorkspace:
    """What ``terraform_data "local_workspace" { input = {…} }`` says about a workspace on this machine.

    ``programs`` are names or paths that must exist before anything is built; ``files`` a directory of the template's
    own tree that is copied to the agent's ``dir`` when the workspace is made; ``providers`` the LLM providers whose
    credential must be there before anything is built; ``memory`` in bytes; ``processes`` a
    count; ``cpu_share`` in percent of one core's fair share (100 = an ordinary process group).
    """

    memory: int = 4 << 30
    processes: int = 1024
    cpu_share: int = 100
    programs: Sequence[str] = ()
    mounts: Sequence[Mount] = ()
    files: Path | None = None
    providers: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInputs:
    """Everything a plan depends on, beside the template: the evaluator reads nothing else (no environment).

    ``task_id`` None plans an ordinary workspace. Ids are uuids as text.
    """

    workspace_id: str
    workspace_name: str
    owner_id: str
    owner_name: str
    owner_email: str = ""
    owner_full_name: str = ""
    transition: str = "start"  # start | stop | delete
    task_id: str | None = None
    prompt: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    previous_parameters: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    preset: str | None = None  # name
    template_id: str = ""
    template_name: str = ""
    template_version: str = ""
    access_url: str = "http://coder.invalid"
    agent_token: str = ""
    task_token: str = ""
    """What the LLM gateway takes from this build; stands where a template asks for a provider's key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspacePlan:
    """What has to exist for one transition of one workspace.

    ``kind`` names the provisioner ("local": agents without infrastructure). ``parameters`` are the resolved ones.
    """

    kind: str
    transition: str
    agents: Sequence[Agent] = ()
    task: AITask | None = None
    parameters: Sequence[Parameter] = ()
    local: LocalWorkspace | None = None
    resources: Sequence[Resource] = ()
    providers: Sequence[str] = ()
    """LLM providers whose credential this plan needs: those that ``local`` names, and those whose key it asked for."""

    def app(self, app_id: str) -> App | None:
        """The app of that id, or None."""
        return next((app for agent in self.agents for app in agent.apps if app.id == app_id), None)

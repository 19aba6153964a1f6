"""Resource instances -> the plan's agents, apps, scripts, parameters and presets.

Owns how things hang together (by ``agent_id``), what must be unique, and the merge of environment variables. Checks
here are Coder's own at import; each finding has the place of the resource at fault.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from jupyter_tasks.errors import Diagnostic
from jupyter_tasks.templates.hcl.diagnostics import HclError
from jupyter_tasks.templates.hcl.values import to_python
from jupyter_tasks.templates.instances import Instance, Run
from jupyter_tasks.templates.plan import (
    Agent,
    AITask,
    App,
    HealthCheck,
    Metadata,
    Option,
    Parameter,
    Preset,
    Resource,
    Script,
)
from jupyter_tasks.templates.provider.schema import Decoded

__all__ = ["agents", "ai_task", "instances_of", "parameters", "presets", "resources"]

_DISPLAY_APPS = ("vscode", "vscode_insiders", "web_terminal", "port_forwarding_helper", "ssh_helper")
_DISPLAY_DEFAULT = {name: name != "vscode_insiders" for name in _DISPLAY_APPS}


def instances_of(run: Run, mode: str, type_: str) -> list[Instance]:
    """The instances of one resource type, in the order of their addresses' first evaluation."""
    return [item for item in run.instances.values() if (item.declaration.mode, item.declaration.type) == (mode, type_)]


def _text(instance: Instance, name: str) -> str:
    value = instance.values.get(name)
    return value if isinstance(value, str) else ""


def _whole(decoded: Decoded, name: str, default: int = 0) -> int:
    found = decoded.whole(name)
    return default if found is None else found


def agents(run: Run) -> list[Agent]:
    """Every agent with what hangs on it; what is wrong is added to the run."""
    found = sorted(instances_of(run, "managed", "coder_agent"), key=lambda item: item.address)
    ids = {_text(item, "id") for item in found}
    names: set[str] = set()
    for item in found:
        name = item.declaration.name
        if name.lower() in names:
            _blame(run, item, f"duplicate agent name: {name}")
        names.add(name.lower())
    for type_ in ("coder_app", "coder_script", "coder_env"):
        for item in instances_of(run, "managed", type_):
            if _text(item, "agent_id") not in ids:
                _blame(
                    run, item, f"{type_} belongs to no agent", "agent_id is not the id of a coder_agent.", "agent_id"
                )
    slugs: set[str] = set()
    for item in instances_of(run, "managed", "coder_app"):
        slug = _text(item, "slug")
        if slug in slugs:
            _blame(run, item, f'duplicate app slug, they must be unique per template: "{slug}"', at="slug")
        slugs.add(slug)
    return sorted((_agent(run, item) for item in found), key=lambda agent: (agent.order, agent.name))


def _blame(run: Run, item: Instance, summary: str, detail: str = "", at: str = "") -> None:
    place = item.decoded.at(at) if at else item.decoded.place
    run.attempt(lambda: _raise(place.error(summary, detail)))


def _raise(problem: HclError) -> None:
    raise problem


def _agent(run: Run, item: Instance) -> Agent:
    decoded = item.decoded
    own = _text(item, "id")
    mine = {
        type_: [part for part in instances_of(run, "managed", type_) if _text(part, "agent_id") == own]
        for type_ in ("coder_app", "coder_script", "coder_env")
    }
    display = decoded.blocks["display_apps"]
    shown = {name: display[0].flag(name) for name in _DISPLAY_APPS} if display else dict(_DISPLAY_DEFAULT)
    scripts = [*_own_scripts(run, item), *(_script(part) for part in mine["coder_script"])]
    return Agent(
        id=own,
        name=item.declaration.name,
        os=_text(item, "os"),
        arch=_text(item, "arch"),
        dir=_text(item, "dir"),
        env=_environment(run, item, mine["coder_env"]),
        connection_timeout=_whole(decoded, "connection_timeout", 120),
        troubleshooting_url=_text(item, "troubleshooting_url"),
        motd_file=_text(item, "motd_file"),
        order=_whole(decoded, "order"),
        display_apps=shown,
        scripts=tuple(scripts),
        apps=tuple(sorted((_app(part) for part in mine["coder_app"]), key=lambda app: (app.order, app.slug))),
        metadata=tuple(sorted((_metadata(part) for part in decoded.blocks["metadata"]), key=lambda m: m.order)),
    )


def _own_scripts(run: Run, item: Instance) -> list[Script]:
    made: list[Script] = []
    blocking = _text(item, "startup_script_behavior") == "blocking"
    for name, title, start in (("startup", "Startup Script", True), ("shutdown", "Shutdown Script", False)):
        if text := _text(item, f"{name}_script"):
            made.append(
                Script(
                    id=run.facts.uuid(item.address, f"{name}_script"),
                    display_name=title,
                    script=text,
                    icon="/emojis/25b6-fe0f.png",
                    log_path=f"coder-{name}-script.log",
                    start_blocks_login=start and blocking,
                    run_on_start=start,
                    run_on_stop=not start,
                )
            )
    return made


def _script(item: Instance) -> Script:
    decoded = item.decoded
    return Script(
        id=_text(item, "id"),
        display_name=_text(item, "display_name"),
        script=_text(item, "script"),
        icon=_text(item, "icon"),
        log_path=_text(item, "log_path"),
        cron=_text(item, "cron"),
        start_blocks_login=decoded.flag("start_blocks_login"),
        run_on_start=decoded.flag("run_on_start"),
        run_on_stop=decoded.flag("run_on_stop"),
        timeout=_whole(decoded, "timeout"),
    )


def _app(item: Instance) -> App:
    decoded = item.decoded
    checks = decoded.blocks["healthcheck"]
    check = (
        HealthCheck(
            url=checks[0].text("url"),
            interval=_whole(checks[0], "interval"),
            threshold=_whole(checks[0], "threshold"),
        )
        if checks
        else None
    )
    return App(
        id=_text(item, "id"),
        slug=_text(item, "slug"),
        display_name=_text(item, "display_name") or _text(item, "slug"),
        icon=_text(item, "icon"),
        url=_text(item, "url"),
        command=_text(item, "command"),
        external=decoded.flag("external"),
        subdomain=decoded.flag("subdomain"),
        share=_text(item, "share"),
        hidden=decoded.flag("hidden"),
        order=_whole(decoded, "order"),
        group=_text(item, "group"),
        open_in=_text(item, "open_in"),
        tooltip=_text(item, "tooltip"),
        healthcheck=check,
    )


def _metadata(decoded: Decoded) -> Metadata:
    return Metadata(
        key=decoded.text("key"),
        script=decoded.text("script"),
        display_name=decoded.text("display_name") or decoded.text("key"),
        interval=_whole(decoded, "interval"),
        timeout=_whole(decoded, "timeout"),
        order=_whole(decoded, "order"),
    )


def _environment(run: Run, agent: Instance, items: Sequence[Instance]) -> dict[str, str]:
    """``coder_env`` in the order of addresses, then the agent's own ``env``, which wins."""
    made: dict[str, str] = {}
    for item in sorted(items, key=lambda part: part.address):
        name, value = _text(item, "name"), _text(item, "value")
        strategy = _text(item, "merge_strategy")
        if name in made and strategy == "error":
            _blame(run, item, f'duplicate environment variable "{name}"', at="name")
        elif name in made and strategy in ("append", "prepend"):
            value = f"{made[name]}:{value}" if strategy == "append" else f"{value}:{made[name]}"
        made[name] = value
    own = agent.values.get("env")
    if isinstance(own, dict):
        made.update({name: str(value) for name, value in own.items() if value is not None})
    return made


def ai_task(run: Run, found: Sequence[Agent]) -> AITask | None:
    """The first created ``coder_ai_task``, or None. Its app must be one of this build's."""
    items = sorted(instances_of(run, "managed", "coder_ai_task"), key=lambda item: item.address)
    if not items:
        return None
    app_id = _text(items[0], "app_id")
    if not any(app.id == app_id for agent in found for app in agent.apps):
        _blame(run, items[0], "Task app not found", "app_id is not the id of a coder_app of this template.", "app_id")
    return AITask(id=_text(items[0], "id"), app_id=app_id)


def parameters(run: Run) -> list[Parameter]:
    """Every parameter with its value, as a form shows them; duplicate names are added to the run."""
    made: list[Parameter] = []
    for item in instances_of(run, "data", "coder_parameter"):
        if any(other.name == _text(item, "name") for other in made):
            _blame(
                run, item, f'coder_parameter names must be unique but "{_text(item, "name")}" appears multiple times'
            )
            continue
        made.append(_parameter(item))
    return sorted(made, key=lambda parameter: parameter.order)


def _parameter(item: Instance) -> Parameter:
    decoded = item.decoded
    default = item.values.get("default")
    rules = decoded.blocks["validation"]
    validation: dict[str, object] = {}
    if rules:
        values = to_python(rules[0].as_object())
        validation = {key: value for key, value in values.items() if value is not None}
    return Parameter(
        name=_text(item, "name"),
        value=_text(item, "value"),
        default=default if isinstance(default, str) else None,
        display_name=_text(item, "display_name") or _text(item, "name"),
        description=_text(item, "description"),
        icon=_text(item, "icon"),
        type=_text(item, "type"),
        form_type=_text(item, "form_type"),
        styling=_text(item, "styling") or "{}",
        mutable=decoded.flag("mutable"),
        ephemeral=decoded.flag("ephemeral"),
        order=_whole(decoded, "order"),
        options=tuple(
            Option(
                name=option.text("name"),
                value=option.text("value"),
                description=option.text("description"),
                icon=option.text("icon"),
            )
            for option in decoded.blocks["option"]
        ),
        validation=validation,
    )


def presets(run: Run) -> list[Preset]:
    """Every preset of the root module; what is wrong is added to the run."""
    made: list[Preset] = []
    known = {_text(item, "name") for item in instances_of(run, "data", "coder_parameter")}
    for item in instances_of(run, "data", "coder_workspace_preset"):
        name = _text(item, "name")
        if any(other.name == name for other in made):
            _blame(run, item, f'coder_workspace_preset names must be unique but "{name}" appears multiple times')
            continue
        given = item.values.get("parameters")
        values = {key: str(value) for key, value in given.items()} if isinstance(given, dict) else {}
        if known and (missing := sorted(set(values) - known)):
            run.warnings.append(_undefined(item, missing))
        made.append(
            Preset(
                id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{run.facts.version_id}/preset/{name}")),
                name=name,
                parameters=values,
                description=_text(item, "description"),
                icon=_text(item, "icon"),
                default=item.decoded.flag("default"),
            )
        )
    defaults = [preset for preset in made if preset.default]
    if len(defaults) > 1:
        last = instances_of(run, "data", "coder_workspace_preset")[-1]
        _blame(
            run,
            last,
            f"a maximum of 1 coder_workspace_preset can be marked as default, but {len(defaults)} are set",
        )
    return made


def _undefined(item: Instance, missing: Sequence[str]) -> Diagnostic:
    return item.decoded.at("parameters").warning(
        "coder_workspace_preset defines preset values for at least one parameter that is not defined by the template",
        ", ".join(missing),
    )


def resources(run: Run) -> list[Resource]:
    """Every managed resource instance with its values, by address; tokens are left out."""
    return [
        Resource(
            address=item.address,
            type=item.declaration.type,
            values={key: to_python(value) for key, value in item.values.items() if key not in ("token", "init_script")},
        )
        for item in sorted(run.instances.values(), key=lambda part: part.address)
        if item.declaration.mode == "managed"
    ]

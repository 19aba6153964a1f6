# ruff: noqa: E501 - tables of texts
"""The coder provider: defaults, exact error texts, the parameter truth table."""

from __future__ import annotations

import pytest
from planning_inputs import AGENT, Planner

from jupyter_tasks.errors import InvalidInput, TemplateInvalid
from jupyter_tasks.templates.provider.parameter import FORM_TYPES, TYPES

OF_AGENT = "agent_id = coder_agent.main.id"
ALL_FORMS = ("radio", "slider", "input", "dropdown", "checkbox", "switch", "multi-select", "tag-select", "textarea")
VALUES = {"string": ("a", "b"), "number": ("1", "2"), "bool": ("true", "false"), "list(string)": ('["a"]', '["b"]')}


def block(type_: str, body: str, name: str = "x") -> str:
    kind = (
        "data"
        if type_ in ("coder_parameter", "coder_workspace_preset", "coder_secret", "coder_external_auth")
        else "resource"
    )
    return f'{kind} "{type_}" "{name}" {{\n{body}\n}}\n'


def test_defaults(planned: Planner) -> None:
    text = AGENT.replace(
        "}\n", '  startup_script = "echo"\n  shutdown_script = "bye"\n  startup_script_behavior = "blocking"\n}\n'
    )
    text += block("coder_app", f'{OF_AGENT}\nslug = "a-1"')
    agent = planned(text).agents[0]
    assert (agent.connection_timeout, agent.order, agent.display_apps["vscode"]) == (120, 0, True)
    start, stop = agent.scripts
    assert (start.display_name, start.log_path, start.start_blocks_login) == (
        "Startup Script",
        "coder-startup-script.log",
        True,
    )
    assert (stop.run_on_stop, stop.run_on_start) == (True, False)
    app = agent.apps[0]
    assert (app.display_name, app.share, app.open_in, app.hidden, app.healthcheck) == (
        "a-1",
        "owner",
        "slim-window",
        False,
        None,
    )


@pytest.mark.parametrize(
    ("type_", "body", "message"),
    [
        ("coder_app", f'{OF_AGENT}\nslug = "a--b"', 'invalid "coder_app" slug, must be a valid hostname ("^[a-z0-9](-?[a-z0-9])*$", cannot contain two consecutive hyphens or start/end with a hyphen): "a--b"'),
        ("coder_app", f'{OF_AGENT}\nslug = "a"\nshare = "all"', 'invalid app share "all", must be one of "owner", "authenticated", "public"'),
        ("coder_app", f'{OF_AGENT}\nslug = "a"\nopen_in = "x"', 'invalid "coder_app" open_in value, must be one of "tab", "slim-window": "x"'),
        ("coder_app", f'{OF_AGENT}\nslug = "a"\nurl = "x"\ncommand = "y"', '"command": conflicts with url'),
        ("coder_app", f'{OF_AGENT}\nslug = "a"\nexternal = true\nshare = "public"', '"external": conflicts with share'),
        ("coder_app", f'{OF_AGENT}\nslug = "a"\ndisplay_name = "{"x" * 65}"', "display name is too long (max 64 characters)"),
        ("coder_app", f'{OF_AGENT}\nslug = "a"\nhealthcheck {{\nurl = "x"\ninterval = 1\n}}', 'The argument "threshold" is required'),
        ("coder_app", 'agent_id = "nobody"\nslug = "a"', "agent_id is not the id of a coder_agent."),
        ("coder_script", f'{OF_AGENT}\ndisplay_name = "s"\nscript = "x"', 'at least one of "run_on_start", "run_on_stop", or "cron" must be set'),
        ("coder_script", f'{OF_AGENT}\ndisplay_name = "s"\nscript = "x"\nrun_on_stop = true\nstart_blocks_login = true', '"start_blocks_login" can only be set if "run_on_start" is "true"'),
        ("coder_script", f'{OF_AGENT}\ndisplay_name = "s"\nscript = "x"\ncron = "* * * * *"', "expected exactly 6 fields, found 5"),
        ("coder_env", f'{OF_AGENT}\nname = "1A"', "must be a valid environment variable name"),
        ("coder_metadata", 'resource_id = "x"\nitem {\nkey = "k"\n}\nitem {\nkey = "k"\n}', 'duplicate resource metadata key "k"'),
        ("coder_ai_task", "", "'app_id' must be set"),
        ("coder_ai_task", 'app_id = "x"', 'expected "app_id" to be a valid UUID'),
        ("coder_ai_task", 'app_id = "11111111-1111-4111-8111-111111111111"', "app_id is not the id of a coder_app"),
        ("coder_agent", 'os = "linux"\narch = "x86"', 'expected arch to be one of ["amd64" "armv7" "arm64"], got "x86"'),
        ("coder_agent", 'os = "linux"\narch = "amd64"\nmetadata {\nkey = "k"\nscript = "s"\ninterval = 1\n}\nmetadata {\nkey = "k"\nscript = "s"\ninterval = 1\n}', 'duplicate agent metadata key "k"'),
        ("coder_agent", 'os = "linux"\narch = "amd64"\nid = "x"', '"id" is decided automatically'),
        ("coder_agent", 'os = "linux"\narch = "amd64"\nenv {\n}', "Did you mean to set it: env = …?"),
        ("coder_workspace_preset", 'name = ""', "to not be an empty string"),
        ("coder_workspace_preset", 'name = "a"\nprebuilds {\ninstances = 1\nscheduling {\ntimezone = "UTC"\nschedule {\ncron = "5 * * * *"\ninstances = 1\n}\n}\n}', "'*' for minute"),
        ("coder_external_auth", 'id = "github"', "no external authentication is configured"),
        ("coder_secret", 'env = "X"\nhelp_message = "ask Ada"', "ask Ada"),
        ("coder_parameter", 'name = "p"\nephemeral = true', "parameter can't be immutable and ephemeral"),
        ("coder_parameter", 'name = "p"\nephemeral = true\nmutable = true', "ephemeral parameter requires the default property"),
        ("coder_parameter", 'name = "p"\ntype = "int"', 'expected type to be one of ["string" "number" "bool" "list(string)"], got "int"'),
        ("coder_parameter", 'name = "p"\ntype = "number"\ndefault = "x"', 'Parameter value is not of type "number"'),
        ("coder_parameter", 'name = "p"\ndefault = "abc"\nvalidation {\nregex = "^[0-9]+$"\nerror = "digits"\n}', 'digits (value "abc" does not match "^[0-9]+$")'),
        ("coder_parameter", 'name = "p"\ndefault = "abc"\nvalidation {\nregex = "a"\n}', "an error must be specified with a regex validation"),
        ("coder_parameter", 'name = "p"\ndefault = "abc"\nvalidation {\nmin = 1\n}', "a min cannot be specified for a string type"),
        ("coder_parameter", 'name = "p"\ntype = "number"\ndefault = 1\nvalidation {\nmin = 3\nerror = "from {min} to {max}, not {value}"\n}', "from 3 to 0, not 1"),
        ("coder_parameter", 'name = "p"\ndefault = "c"\noption {\nname = "A"\nvalue = "a"\n}', "Default value must be a valid option"),
        ("coder_parameter", 'name = "p"\ndefault = "a"\noption {\nname = "A"\nvalue = "a"\n}\noption {\nname = "A"\nvalue = "b"\n}', "Option names must be unique."),
        ("coder_parameter", 'name = "p"\ndefault = "a"\noption {\nname = "A"\nvalue = "a"\n}\noption {\nname = "B"\nvalue = "a"\n}', "Option values must be unique."),
        ("coder_parameter", 'name = "p"\ntype = "number"\ndefault = "1"\noption {\nname = "A"\nvalue = "a"\n}', 'Option "A" with value="a" is not of type "number"'),
    ],
)  # fmt: skip
def test_error_texts(planned: Planner, type_: str, body: str, message: str) -> None:
    with pytest.raises(TemplateInvalid) as caught:
        planned(AGENT + block(type_, body, "other"))
    assert message in str(caught.value)
    assert all(item.line for item in caught.value.diagnostics)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("form", ALL_FORMS)
@pytest.mark.parametrize("options", [True, False])
def test_form_type_truth_table(planned: Planner, kind: str, form: str, options: bool) -> None:
    quoted = [value.replace('"', '\\"') for value in VALUES[kind]]
    plain = ["a", "b"] if form == "multi-select" else quoted
    choices = (
        "".join(f'option {{\nname = "{n}"\nvalue = "{value}"\n}}\n' for n, value in enumerate(plain)) if options else ""
    )
    text = AGENT + block(
        "coder_parameter", f'name = "p"\ntype = "{kind}"\nform_type = "{form}"\ndefault = "{quoted[0]}"\n{choices}'
    )
    if form in FORM_TYPES[kind, options]:
        assert planned(text).parameters[0].form_type == form
        return
    having = "when options exist" if options else "when options do not exist"
    with pytest.raises(TemplateInvalid) as caught:
        planned(text)
    assert f'"form_type" attribute="{form}" is not supported for "type"="{kind}" {having}' in str(caught.value)


@pytest.mark.parametrize(("kind", "options"), FORM_TYPES)
def test_default_form_type(planned: Planner, kind: str, options: bool) -> None:
    value = VALUES[kind][0].replace('"', '\\"')
    choice = f'option {{\nname = "A"\nvalue = "{value}"\n}}\n' if options else ""
    made = planned(AGENT + block("coder_parameter", f'name = "p"\ntype = "{kind}"\ndefault = "{value}"\n{choice}'))
    assert made.parameters[0].form_type == FORM_TYPES[kind, options][0]


@pytest.mark.parametrize(
    ("direction", "previous", "value", "message"),
    [
        ("increasing", "5", "4", "parameter value '4' must be equal or greater than previous value: 5"),
        ("decreasing", "5", "6", "parameter value '6' must be equal or lower than previous value: 5"),
        ("increasing", "5", "5", ""),
        ("increasing", "x", "1", ""),
    ],
)
def test_monotonic_numbers(planned: Planner, direction: str, previous: str, value: str, message: str) -> None:
    text = AGENT + block(
        "coder_parameter",
        f'name = "p"\ntype = "number"\nmutable = true\ndefault = 1\nvalidation {{\nmonotonic = "{direction}"\n}}',
    )
    given = {"parameters": {"p": value}, "previous_parameters": {"p": previous}}
    if not message:
        assert planned(text, **given).parameters[0].value == value
        return
    with pytest.raises(InvalidInput) as caught:
        planned(text, **given)
    assert message in caught.value.validations[0].detail


def test_what_must_be_unique(planned: Planner) -> None:
    text = AGENT
    for number in (1, 2):
        text += block("coder_app", f'{OF_AGENT}\nslug = "a"', f"a{number}")
        text += block("coder_parameter", 'name = "p"\ndefault = "x"', f"p{number}")
        text += block("coder_workspace_preset", f'name = "n{number}"\ndefault = true', f"q{number}")
    with pytest.raises(TemplateInvalid) as caught:
        planned(text)
    shown = str(caught.value)
    assert 'duplicate app slug, they must be unique per template: "a"' in shown
    assert 'coder_parameter names must be unique but "p" appears multiple times' in shown
    assert "a maximum of 1 coder_workspace_preset can be marked as default, but 2 are set" in shown


def test_agent_names(planned: Planner) -> None:
    with pytest.raises(TemplateInvalid, match="contains underscores which are no longer supported"):
        planned(AGENT.replace('"main"', '"my_agent"'))


def test_environment_is_merged_in_the_order_of_addresses(planned: Planner) -> None:
    text = AGENT.replace("}\n", '  env = { OWN = "agent" }\n}\n')
    text += block("coder_env", f'{OF_AGENT}\nname = "PATH"\nvalue = "a"', "a")
    text += block("coder_env", f'{OF_AGENT}\nname = "PATH"\nvalue = "b"\nmerge_strategy = "append"', "b")
    text += block("coder_env", f'{OF_AGENT}\nname = "PATH"\nvalue = "c"\nmerge_strategy = "prepend"', "c")
    text += block("coder_env", f'{OF_AGENT}\nname = "OWN"\nvalue = "env"', "d")
    assert planned(text).agents[0].env == {"PATH": "c:a:b", "OWN": "agent"}


def test_workspace_data(planned: Planner) -> None:
    text = AGENT + 'data "coder_workspace" "me" {}\ndata "coder_workspace_owner" "me" {}\ndata "coder_task" "me" {}\n'
    fields = (
        "${data.coder_workspace.me.name} ${data.coder_workspace.me.start_count} ${data.coder_workspace.me.access_port} "
    )
    fields += "${data.coder_workspace_owner.me.name} ${data.coder_task.me.enabled} ${data.coder_task.me.prompt}"
    text += block("coder_env", f'{OF_AGENT}\nname = "E"\nvalue = "{fields}"')
    assert planned(text, prompt="ignored").agents[0].env["E"] == "ws 1 80 ada false "
    task = "33333333-3333-4333-8333-333333333333"
    made = planned(text, task_id=task, prompt='a "b" ${c}', access_url="https://x.example")
    assert made.agents[0].env["E"] == 'ws 1 443 ada true a "b" ${c}'


def test_random_values_are_made_once(planned: Planner) -> None:
    text = AGENT + block("random_password", "length = 20\nmin_numeric = 3", "p")
    text += (
        block("random_integer", "min = 5\nmax = 7", "i") + block("random_pet", "", "n") + block("random_uuid", "", "u")
    )
    text += block("random_shuffle", 'input = ["a", "b", "c"]\nresult_count = 2', "s") + block(
        "random_id", "byte_length = 4", "d"
    )
    text += block(
        "coder_env",
        f'{OF_AGENT}\nname = "E"\nvalue = jsonencode([random_password.p.result, random_integer.i.result, random_pet.n.id, random_uuid.u.result, random_shuffle.s.result, random_id.d.hex])',
    )
    one, two = planned(text).agents[0].env["E"], planned(text).agents[0].env["E"]
    assert one == two
    assert planned(text, workspace_id="99999999-9999-4999-8999-999999999999").agents[0].env["E"] != one


def test_preconditions(planned: Planner) -> None:
    text = AGENT + block(
        "coder_env",
        f'{OF_AGENT}\nname = "E"\nlifecycle {{\nprecondition {{\ncondition = 1 > 2\nerror_message = "no: ${{1 + 1}}"\n}}\n}}',
    )
    with pytest.raises(TemplateInvalid, match="no: 2"):
        planned(text)

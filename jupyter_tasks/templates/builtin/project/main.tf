# The user's own project, and the coding agent that is installed on this machine.

terraform {
  required_providers {
    coder = {
      source  = "coder/coder"
      version = ">= 2.13"
    }
  }
}

variable "agents_here" {
  type        = list(string)
  description = "The coding agents that are installed where tasks are made. The engine says it."
  default     = []
}

variable "project_subdirectory" {
  type        = string
  description = "Where in the project the agent works, \"\" for its top. The engine says it."
  default     = ""
}

data "coder_workspace" "me" {}
data "coder_workspace_owner" "me" {}
data "coder_provisioner" "me" {}
data "coder_task" "me" {}

locals {
  known = [
    {
      value       = "claude"
      name        = "Claude Code"
      icon        = "/icon/claude.svg"
      description = "Anthropic's `claude`."
    },
    {
      value       = "codex"
      name        = "Codex"
      icon        = "/icon/openai.svg"
      description = "OpenAI's `codex`."
    },
    {
      value       = "opencode"
      name        = "OpenCode"
      icon        = "/icon/opencode.svg"
      description = "`opencode`, with a model of Anthropic or OpenAI."
    },
  ]
  always = [
    {
      value       = "custom"
      name        = "Another command"
      icon        = "/icon/terminal.svg"
      description = "Any agent that runs in a terminal: `custom_command`."
    },
    {
      value       = "offline"
      name        = "Offline agent"
      icon        = "/icon/widgets.svg"
      description = "A rule-based program, not a language model. Needs no key and no network."
    },
  ]
  here    = [for agent in local.known : agent if contains(var.agents_here, agent.value)]
  default = length(local.here) > 0 ? local.here[0].value : "offline"
  missing = join(", ", [for agent in local.known : "`${agent.value}`" if !contains(var.agents_here, agent.value)])

  found = length(local.here) > 0 ? "Found on this machine: ${join(", ", local.here[*].name)}." : join(" ", [
    "No coding agent was found on this machine (${local.missing}), so the offline agent works;",
    "install one, and it is offered here."
  ])

  started = data.coder_workspace.me.start_count
  agent   = data.coder_parameter.agent.value
  model   = trimspace(data.coder_parameter.model.value)
  mode    = data.coder_parameter.permission_mode.value
  mcp     = try(jsonencode(merge(jsondecode(data.coder_parameter.mcp.value), {})), "")
  command = trimspace(data.coder_parameter.custom_command.value)
  setup   = replace(data.coder_parameter.setup_script.value, "\r", "")
  workdir = var.project_subdirectory == "" ? "~/project" : "~/project/${var.project_subdirectory}"

  programs = {
    claude   = ["claude"]
    codex    = ["codex"]
    opencode = ["opencode"]
    custom   = compact([try(regex("^[A-Za-z0-9_./~+-]+", local.command), "")])
    offline  = []
  }
  providers = {
    claude   = ["anthropic"]
    codex    = ["openai"]
    opencode = [startswith(local.model, "openai/") ? "openai" : "anthropic"]
    custom   = []
    offline  = []
  }
}

data "coder_parameter" "agent" {
  name         = "agent"
  display_name = "Agent"
  description  = "Who does the work. ${local.found}"
  type         = "string"
  form_type    = "dropdown"
  icon         = "/icon/widgets.svg"
  mutable      = true
  order        = 1
  default      = local.default

  dynamic "option" {
    for_each = concat(local.here, local.always)
    content {
      name        = option.value.name
      value       = option.value.value
      description = option.value.description
      icon        = option.value.icon
    }
  }
}

data "coder_parameter" "model" {
  name         = "model"
  display_name = "Model"
  description  = "The model's name, as the agent takes it; the agent's own choice when empty."
  type         = "string"
  icon         = "/icon/ai.svg"
  mutable      = true
  order        = 2
  default      = ""

  validation {
    regex = "^\\s*([A-Za-z0-9][A-Za-z0-9._:/@+\\[\\]-]*)?\\s*$"
    error = "This is no name of a model."
  }
}

data "coder_parameter" "permission_mode" {
  name         = "permission_mode"
  display_name = "Permissions"
  description  = "When the agent asks you. The workspace is isolated: nothing of yours changes until you apply."
  type         = "string"
  form_type    = "dropdown"
  icon         = "/icon/lock.svg"
  mutable      = true
  order        = 3
  default      = "bypassPermissions"

  option {
    name        = "Never asks"
    value       = "bypassPermissions"
    description = "The agent works through without a question."
  }
  option {
    name        = "Asks before commands"
    value       = "acceptEdits"
    description = "Files may be changed; commands need your answer."
  }
  option {
    name        = "Asks before everything"
    value       = "default"
    description = "Changes and commands need your answer."
  }
  option {
    name        = "Plans first"
    value       = "plan"
    description = "The agent looks and says what it would do."
  }
}

data "coder_parameter" "setup_script" {
  name         = "setup_script"
  display_name = "Setup script"
  description  = "Runs in the project before the agent starts, every time that the workspace starts."
  type         = "string"
  form_type    = "textarea"
  icon         = "/icon/code.svg"
  mutable      = true
  order        = 4
  default      = ""
}

data "coder_parameter" "mcp" {
  name         = "mcp"
  display_name = "MCP servers"
  description  = "More MCP servers for the agent, as JSON: `{\"mcpServers\": {\"NAME\": {\"command\": …, \"args\": […], \"env\": {…}}}}`."
  type         = "string"
  form_type    = "textarea"
  icon         = "/icon/api.svg"
  mutable      = true
  order        = 5
  default      = ""
}

data "coder_parameter" "custom_command" {
  name         = "custom_command"
  display_name = "Command"
  description  = "The command of an agent that runs in a terminal, for the agent \"Another command\"."
  type         = "string"
  icon         = "/icon/terminal.svg"
  mutable      = true
  order        = 6
  default      = data.coder_parameter.agent.value == "custom" ? null : ""

  validation {
    regex = "^\\s*(?:$|[A-Za-z0-9_./~+-]+(?:\\s|$))"
    error = "The command begins with the name or the path of a program."
  }
}

data "coder_workspace_preset" "ask" {
  name        = "Ask first"
  description = "The agent asks before every change and every command."
  icon        = "/icon/lock.svg"
  parameters = {
    (data.coder_parameter.permission_mode.name) = "default"
  }
}

data "coder_workspace_preset" "plan" {
  name        = "Plan first"
  description = "The agent looks around and says what it would do."
  icon        = "/icon/lock.svg"
  parameters = {
    (data.coder_parameter.permission_mode.name) = "plan"
  }
}

# What the workspace gets on this machine. Coder does nothing with it.
resource "terraform_data" "local_workspace" {
  input = {
    memory    = "6GB"
    processes = 2048
    programs  = local.programs[local.agent]
    providers = local.providers[local.agent]
  }

  lifecycle {
    precondition {
      condition     = trimspace(data.coder_parameter.mcp.value) == "" || local.mcp != ""
      error_message = "It must be a JSON object: {\"mcpServers\": {\"NAME\": {…}}}."
    }
    precondition {
      condition = data.coder_parameter.mcp.value == "" || alltrue([
        for name, server in try(jsondecode(local.mcp).mcpServers, jsondecode(local.mcp), {}) :
        can(regex("^[A-Za-z0-9_-]+$", name)) && can(coalesce(try(server.command, null), try(server.url, null)))
      ])
      error_message = "Each server has a name of letters, digits, _ and -, and a command or a url."
    }
  }
}

resource "coder_agent" "main" {
  os   = "linux"
  arch = data.coder_provisioner.me.arch
  dir  = "~/project"

  display_apps {
    vscode          = false
    ssh_helper      = false
    vscode_insiders = false
  }
}

# The agent starts when this has ended well. It reaches the shell as base64: no other shell reads it on the way.
resource "coder_script" "setup" {
  count              = trimspace(local.setup) == "" ? 0 : 1
  agent_id           = coder_agent.main.id
  display_name       = "Setup script"
  icon               = "/icon/code.svg"
  run_on_start       = true
  start_blocks_login = true
  script = templatefile("${path.module}/setup.sh.tftpl", {
    setup_script = base64encode(local.setup)
    workdir      = base64encode(local.workdir)
  })
}

# Says in the log of the build that there was no choice.
resource "coder_script" "no_agent" {
  count        = length(local.here) == 0 && local.agent == "offline" ? 1 : 0
  agent_id     = coder_agent.main.id
  display_name = "No coding agent found on this machine, the offline agent works"
  icon         = "/icon/widgets.svg"
  run_on_start = true
  script       = "echo 'Looked for claude, codex and opencode. Install one of them and make a new task.'"
}

module "claude-code" {
  count   = local.agent == "claude" ? local.started : 0
  source  = "registry.coder.com/coder/claude-code/coder"
  version = "~> 4.0"

  agent_id        = coder_agent.main.id
  workdir         = local.workdir
  ai_prompt       = data.coder_task.me.prompt
  model           = local.model
  permission_mode = local.mode
  mcp             = local.mcp
  order           = 0
}

module "codex" {
  count   = local.agent == "codex" ? local.started : 0
  source  = "registry.coder.com/coder-labs/codex/coder"
  version = "~> 4.0"

  agent_id        = coder_agent.main.id
  workdir         = local.workdir
  ai_prompt       = data.coder_task.me.prompt
  codex_model     = local.model
  permission_mode = local.mode
  mcp             = local.mcp
  order           = 0
}

module "opencode" {
  count   = local.agent == "opencode" ? local.started : 0
  source  = "registry.coder.com/coder-labs/opencode/coder"
  version = "~> 0.1"

  agent_id        = coder_agent.main.id
  workdir         = local.workdir
  ai_prompt       = data.coder_task.me.prompt
  model           = local.model
  permission_mode = local.mode
  mcp             = local.mcp
  order           = 0
}

module "custom" {
  count   = local.agent == "custom" ? local.started : 0
  source  = "registry.coder.com/coder/custom/coder"
  version = "~> 1.0"

  agent_id  = coder_agent.main.id
  workdir   = local.workdir
  ai_prompt = data.coder_task.me.prompt
  command   = local.command
  order     = 0
}

module "offline-agent" {
  count   = local.agent == "offline" ? local.started : 0
  source  = "registry.coder.com/coder/offline-agent/coder"
  version = "~> 1.0"

  agent_id = coder_agent.main.id
  workdir  = local.workdir
  prompt   = data.coder_task.me.prompt
  order    = 0
}

resource "coder_ai_task" "task" {
  count = local.started
  app_id = one(concat(
    module.claude-code[*].task_app_id,
    module.codex[*].task_app_id,
    module.opencode[*].task_app_id,
    module.custom[*].task_app_id,
    module.offline-agent[*].task_app_id,
  ))
}

# Claude Code under AgentAPI: the inputs and the output of Coder's module (4.x). Runs the `claude` that is installed on
# this machine; calls of the model go to the engine's gateway, which has the credential.

terraform {
  required_providers {
    coder = {
      source  = "coder/coder"
      version = ">= 2.13"
    }
  }
}

variable "agent_id" {
  type        = string
  description = "The ID of a Coder agent."
}

variable "workdir" {
  type        = string
  description = "The folder that the agent works in."
  default     = "~/project"
}

variable "ai_prompt" {
  type        = string
  description = "What the agent is asked to do first; nothing when empty."
  default     = ""
}

variable "order" {
  type        = number
  description = "The position of the agent's app."
  default     = null
}

variable "group" {
  type        = string
  description = "The group of the agent's app."
  default     = null
}

variable "icon" {
  type        = string
  description = "The icon of the agent's app."
  default     = "/icon/claude.svg"
}

variable "web_app_display_name" {
  type        = string
  description = "The name of the agent's app."
  default     = "Claude Code"
}

variable "report_tasks" {
  type        = bool
  description = "Whether the agent is told to report what it does, and has the tool for it."
  default     = true
}

variable "continue" {
  type        = bool
  description = "Whether a resumed workspace goes on with the session that it had."
  default     = true
}

variable "pre_install_script" {
  type        = string
  description = "Runs before the agent is prepared."
  default     = null
}

variable "post_install_script" {
  type        = string
  description = "Runs after the agent was prepared, before it starts."
  default     = null
}

variable "subdomain" {
  type        = bool
  description = "Whether the agent's app is served on a subdomain."
  default     = false
}

variable "agentapi_port" {
  type        = number
  description = "The port of AgentAPI."
  default     = 3284
}

variable "cli_app" {
  type        = bool
  description = "Accepted and without effect: every task's terminal can be attached to."
  default     = false
}

variable "cli_app_display_name" {
  type        = string
  description = "Accepted and without effect, like cli_app."
  default     = ""
}

variable "install_agentapi" {
  type        = bool
  description = "Accepted and without effect: AgentAPI is part of every workspace."
  default     = true
}

variable "agentapi_version" {
  type        = string
  description = "Accepted and without effect: AgentAPI is part of every workspace."
  default     = ""
}

variable "install_claude_code" {
  type        = bool
  description = "Accepted and without effect: nothing is downloaded, the Claude Code of this machine runs."
  default     = true
}

variable "claude_code_version" {
  type        = string
  description = "Accepted and without effect: nothing is downloaded, the Claude Code of this machine runs."
  default     = ""
}

variable "claude_api_key" {
  type        = string
  description = "An Anthropic API key. Not needed: the engine's gateway has the user's own."
  default     = ""
  sensitive   = true
}

variable "claude_code_oauth_token" {
  type        = string
  description = "The OAuth token of a subscription. Not needed: the engine's gateway has the user's own."
  default     = ""
  sensitive   = true
}

variable "model" {
  type        = string
  description = "The model; Claude Code's own choice when empty."
  default     = ""
}

variable "resume_session_id" {
  type        = string
  description = "The id of a session to go on with, instead of the one that was begun here."
  default     = ""

  validation {
    condition     = can(regex("^([0-9A-Za-z-]*)$", var.resume_session_id))
    error_message = "resume_session_id must be the id of a session."
  }
}

variable "dangerously_skip_permissions" {
  type        = bool
  description = "Whether Claude Code never asks: the same as permission_mode bypassPermissions."
  default     = false
}

variable "permission_mode" {
  type        = string
  description = "When Claude Code asks: default, acceptEdits, plan, auto or bypassPermissions. Empty: never, since the workspace is isolated."
  default     = ""

  validation {
    condition     = contains(["", "default", "acceptEdits", "plan", "auto", "bypassPermissions"], var.permission_mode)
    error_message = "permission_mode must be default, acceptEdits, plan, auto or bypassPermissions."
  }
}

variable "mcp" {
  type        = string
  description = "More MCP servers, as JSON: {\"mcpServers\": {NAME: {…}}}."
  default     = ""

  validation {
    condition     = var.mcp == "" || can(keys(jsondecode(var.mcp)))
    error_message = "mcp must be empty or a JSON object."
  }
}

variable "allowed_tools" {
  type        = string
  description = "Tools that need no question, separated by commas."
  default     = ""
}

variable "disallowed_tools" {
  type        = string
  description = "Tools that are never used, separated by commas."
  default     = ""
}

variable "system_prompt" {
  type        = string
  description = "Text that is added to Claude Code's own system prompt."
  default     = ""

  validation {
    condition     = length(var.system_prompt) <= 65536
    error_message = "system_prompt must not be over 64 KiB."
  }
}

variable "claude_md_path" {
  type        = string
  description = "Accepted and without effect: what the agent is told goes with its start, no CLAUDE.md is changed."
  default     = "$HOME/.claude/CLAUDE.md"
}

variable "disable_autoupdater" {
  type        = bool
  description = "Accepted and without effect: Claude Code never updates itself inside a workspace."
  default     = true
}

locals {
  slug = "ccw"

  # Coder's rules for reports, in our words.
  report_prompt = <<-EOT
    Report what you do with the tool coder_report_task, so that the user sees it without reading along:
    state "working" at the start of every request and again at each step worth naming; state "idle" when you need the
    user, or have finished; state "failure" when it cannot be done. The summary is one line of at most 160 characters.
    EOT

  given_mcp = var.mcp == "" ? {} : jsondecode(var.mcp)
  servers   = try(local.given_mcp.mcpServers, local.given_mcp)
  # What stands between the dollar and the brace is filled in by Claude Code, from its environment.
  coder_server = {
    type    = "stdio"
    command = "coder"
    args    = ["exp", "mcp", "server"]
    env = {
      CODER_AGENT_URL           = "$${CODER_AGENT_URL}"
      CODER_AGENT_TOKEN         = "$${CODER_AGENT_TOKEN}"
      CODER_MCP_APP_STATUS_SLUG = local.slug
      CODER_MCP_ALLOWED_TOOLS   = "coder_report_task"
    }
    alwaysLoad = true
  }
  own_servers = { for name, server in { coder = local.coder_server } : name => server if var.report_tasks }

  system = join("\n\n", compact([trimspace(var.system_prompt), var.report_tasks ? trimspace(local.report_prompt) : ""]))
  tools  = compact([var.allowed_tools, var.report_tasks ? "mcp__coder__coder_report_task" : ""])
  mode   = var.dangerously_skip_permissions || var.permission_mode == "" ? "bypassPermissions" : var.permission_mode

  install_script = templatefile("${path.module}/prepare.sh.tftpl", {
    mcp     = base64encode(jsonencode({ mcpServers = merge(local.servers, local.own_servers) }))
    workdir = base64encode(var.workdir)
  })
  start_script = templatefile("${path.module}/start.sh.tftpl", {
    model      = base64encode(var.model)
    mode       = base64encode(local.mode)
    system     = base64encode(local.system)
    allowed    = base64encode(join(",", local.tools))
    disallowed = base64encode(var.disallowed_tools)
    resume     = var.resume_session_id
    continue   = var.continue
  })
}

resource "coder_env" "claude_api_key" {
  count    = var.claude_api_key == "" ? 0 : 1
  agent_id = var.agent_id
  name     = "CLAUDE_API_KEY"
  value    = var.claude_api_key
}

resource "coder_env" "claude_code_oauth_token" {
  count    = var.claude_code_oauth_token == "" ? 0 : 1
  agent_id = var.agent_id
  name     = "CLAUDE_CODE_OAUTH_TOKEN"
  value    = var.claude_code_oauth_token
}

module "agentapi" {
  source  = "registry.coder.com/coder/agentapi/coder"
  version = "~> 2.0"

  agent_id             = var.agent_id
  agent_name           = "Claude Code"
  folder               = var.workdir
  prompt               = var.ai_prompt
  module_dir_name      = ".claude-module"
  agentapi_port        = var.agentapi_port
  agentapi_subdomain   = var.subdomain
  web_app_slug         = local.slug
  web_app_display_name = var.web_app_display_name
  web_app_icon         = var.icon
  web_app_order        = var.order
  web_app_group        = var.group
  pre_install_script   = var.pre_install_script
  install_script       = local.install_script
  post_install_script  = var.post_install_script
  start_script         = local.start_script
}

output "task_app_id" {
  description = "The ID of the app that shows the agent, for coder_ai_task."
  value       = module.agentapi.task_app_id
}

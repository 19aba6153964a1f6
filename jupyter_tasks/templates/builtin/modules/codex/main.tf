# Codex under AgentAPI: the inputs and the output of Coder's module (4.x), and permission_mode. Runs the `codex` that is
# installed on this machine; calls of the model go to the engine's gateway, which has the credential.

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
  default     = "/icon/openai.svg"
}

variable "web_app_display_name" {
  type        = string
  description = "The name of the agent's app."
  default     = "Codex"
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

variable "install_codex" {
  type        = bool
  description = "Accepted and without effect: nothing is downloaded, the Codex of this machine runs."
  default     = true
}

variable "codex_version" {
  type        = string
  description = "Accepted and without effect: nothing is downloaded, the Codex of this machine runs."
  default     = ""
}

variable "openai_api_key" {
  type        = string
  description = "An OpenAI API key. Not needed: the engine's gateway has the user's own."
  default     = ""
  sensitive   = true
}

variable "codex_model" {
  type        = string
  description = "The model; Codex's own choice when empty."
  default     = ""
}

variable "model_reasoning_effort" {
  type        = string
  description = "How much the model thinks; Codex's own choice when empty."
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

variable "permission_mode" {
  type        = string
  description = "When Codex asks: default (before every change and command that its sandbox does not allow to readers), plan (the same), acceptEdits (for what leaves the folder). Empty or bypassPermissions: never, since the workspace is isolated."
  default     = ""

  validation {
    condition     = contains(["", "default", "acceptEdits", "plan", "bypassPermissions"], var.permission_mode)
    error_message = "permission_mode must be default, acceptEdits, plan or bypassPermissions."
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

  validation {
    condition = alltrue([
      for name in try(keys(jsondecode(var.mcp).mcpServers), keys(jsondecode(var.mcp)), []) :
      can(regex("^[A-Za-z0-9_-]+$", name))
    ])
    error_message = "The names of MCP servers are made of letters, digits, _ and -."
  }
}

variable "additional_mcp_servers" {
  type        = string
  description = "More MCP servers, as TOML; goes into ~/.codex/config.toml with base_config_toml."
  default     = ""
}

variable "base_config_toml" {
  type        = string
  description = "What is in ~/.codex/config.toml; an existing one of the user's stays as it is."
  default     = ""
}

variable "codex_system_prompt" {
  type        = string
  description = "Text that Codex gets as developer instructions."
  default     = ""

  validation {
    condition     = length(var.codex_system_prompt) <= 65536
    error_message = "codex_system_prompt must not be over 64 KiB."
  }
}

locals {
  slug = "codex"

  # Coder's rules for reports, in our words.
  report_prompt = <<-EOT
    Report what you do with the tool coder_report_task, so that the user sees it without reading along:
    state "working" at the start of every request and again at each step worth naming; state "idle" when you need the
    user, or have finished; state "failure" when it cannot be done. The summary is one line of at most 160 characters.
    EOT

  given_mcp = var.mcp == "" ? {} : jsondecode(var.mcp)
  servers   = try(local.given_mcp.mcpServers, local.given_mcp)
  system    = join("\n\n", compact([trimspace(var.codex_system_prompt), var.report_tasks ? trimspace(local.report_prompt) : ""]))
  mode      = var.permission_mode == "" ? "bypassPermissions" : var.permission_mode
  config    = join("\n", compact([trimspace(var.base_config_toml), trimspace(var.additional_mcp_servers)]))

  install_script = templatefile("${path.module}/prepare.sh.tftpl", {
    settings = base64encode(jsonencode({
      model    = var.codex_model
      effort   = var.model_reasoning_effort
      mode     = local.mode
      system   = local.system
      servers  = local.servers
      report   = var.report_tasks
      resume   = var.resume_session_id
      continue = var.continue
    }))
    config = base64encode(local.config)
    start  = base64encode(file("${path.module}/start.py"))
  })
  start_script = <<-EOT
    #!/bin/sh
    exec python3 -I "$HOME/.codex-module/start.py" "$HOME/.codex-module/settings.json" "$2"
    EOT
}

resource "coder_env" "openai_api_key" {
  count    = var.openai_api_key == "" ? 0 : 1
  agent_id = var.agent_id
  name     = "OPENAI_API_KEY"
  value    = var.openai_api_key
}

module "agentapi" {
  source  = "registry.coder.com/coder/agentapi/coder"
  version = "~> 2.0"

  agent_id             = var.agent_id
  agent_name           = "Codex"
  folder               = var.workdir
  prompt               = var.ai_prompt
  module_dir_name      = ".codex-module"
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

# OpenCode under AgentAPI: the inputs and the output of Coder's module, and permission_mode, model and mcp. Runs the
# `opencode` that is installed on this machine; calls of the model go to the engine's gateway, which has the credential.

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
  default     = "/icon/opencode.svg"
}

variable "web_app_display_name" {
  type        = string
  description = "The name of the agent's app."
  default     = "OpenCode"
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

variable "install_opencode" {
  type        = bool
  description = "Accepted and without effect: nothing is downloaded, the OpenCode of this machine runs."
  default     = true
}

variable "opencode_version" {
  type        = string
  description = "Accepted and without effect: nothing is downloaded, the OpenCode of this machine runs."
  default     = ""
}

variable "auth_json" {
  type        = string
  description = "Accepted and without effect: the engine's gateway has the user's credentials, no auth.json is written."
  default     = ""
  sensitive   = true
}

variable "config_json" {
  type        = string
  description = "More configuration as JSON; goes on top of everything else."
  default     = ""

  validation {
    condition     = var.config_json == "" || can(keys(jsondecode(var.config_json)))
    error_message = "config_json must be empty or a JSON object."
  }
}

variable "session_id" {
  type        = string
  description = "The id of a session to go on with, instead of the one that was begun here."
  default     = ""

  validation {
    condition     = can(regex("^([0-9A-Za-z_-]*)$", var.session_id))
    error_message = "session_id must be the id of a session."
  }
}

variable "model" {
  type        = string
  description = "The model as PROVIDER/MODEL (anthropic or openai; Anthropic's without PROVIDER/); OpenCode's own choice when empty."
  default     = ""
}

variable "permission_mode" {
  type        = string
  description = "When OpenCode asks: default (before every change and command), acceptEdits (before every command), plan (it changes nothing). Empty or bypassPermissions: never, since the workspace is isolated."
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
}

variable "system_prompt" {
  type        = string
  description = "Text that is added to the instructions of OpenCode."
  default     = ""

  validation {
    condition     = length(var.system_prompt) <= 65536
    error_message = "system_prompt must not be over 64 KiB."
  }
}

locals {
  slug = "opencode"

  # Coder's rules for reports, in our words.
  report_prompt = <<-EOT
    Report what you do with the tool coder_report_task, so that the user sees it without reading along:
    state "working" at the start of every request and again at each step worth naming; state "idle" when you need the
    user, or have finished; state "failure" when it cannot be done. The summary is one line of at most 160 characters.
    EOT

  given_mcp = var.mcp == "" ? {} : jsondecode(var.mcp)
  servers   = try(local.given_mcp.mcpServers, local.given_mcp)
  system    = join("\n\n", compact([trimspace(var.system_prompt), var.report_tasks ? trimspace(local.report_prompt) : ""]))

  install_script = templatefile("${path.module}/prepare.sh.tftpl", {
    settings = base64encode(jsonencode({
      model    = var.model
      mode     = var.permission_mode == "" ? "bypassPermissions" : var.permission_mode
      system   = local.system
      servers  = local.servers
      report   = var.report_tasks
      session  = var.session_id
      continue = var.continue
      config   = var.config_json
    }))
    start = base64encode(file("${path.module}/start.py"))
  })
  start_script = <<-EOT
    #!/bin/sh
    exec python3 -I "$HOME/.opencode-module/start.py" "$HOME/.opencode-module/settings.json" "$2"
    EOT
}

module "agentapi" {
  source  = "registry.coder.com/coder/agentapi/coder"
  version = "~> 2.0"

  agent_id             = var.agent_id
  agent_name           = "OpenCode"
  folder               = var.workdir
  prompt               = var.ai_prompt
  module_dir_name      = ".opencode-module"
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

# Any terminal agent under AgentAPI. Same contract as Coder's agent modules: the output task_app_id.

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
  default     = "/icon/terminal.svg"
}

variable "web_app_display_name" {
  type        = string
  description = "The name of the agent's app."
  default     = "Agent"
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

variable "agentapi_port" {
  type        = number
  description = "The port of AgentAPI."
  default     = 3284
}

variable "command" {
  type        = string
  description = "The command that runs the agent, as words of a shell (quotes count, nothing is expanded)."
}

variable "type" {
  type        = string
  description = "AgentAPI's type of the agent, which says how its screen is read."
  default     = "custom"

  validation {
    condition = contains([
      "claude", "goose", "aider", "codex", "gemini", "copilot", "amp", "cursor", "auggie", "amazonq", "opencode", "custom"
    ], var.type)
    error_message = "type must be a type of agent that AgentAPI knows, or custom."
  }
}

variable "env" {
  type        = map(string)
  description = "Environment variables of the agent; $NAME in a value stands for a variable that is there."
  default     = {}
}

variable "term_width" {
  type        = number
  description = "The width of the agent's terminal."
  default     = 120
}

locals {
  slug = "agent"

  install_script = templatefile("${path.module}/prepare.sh.tftpl", {
    settings = base64encode(jsonencode({
      command    = var.command
      type       = var.type
      env        = var.env
      term_width = var.term_width
    }))
    start = base64encode(file("${path.module}/start.py"))
  })
  start_script = <<-EOT
    #!/bin/sh
    exec python3 -I "$HOME/.custom-module/start.py" "$HOME/.custom-module/settings.json" "$2"
    EOT
}

module "agentapi" {
  source  = "registry.coder.com/coder/agentapi/coder"
  version = "~> 2.0"

  agent_id             = var.agent_id
  agent_name           = var.web_app_display_name
  folder               = var.workdir
  prompt               = var.ai_prompt
  module_dir_name      = ".custom-module"
  agentapi_port        = var.agentapi_port
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

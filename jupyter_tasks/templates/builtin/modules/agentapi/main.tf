# AgentAPI: runs a terminal agent so that it can be talked to. The modules of the agents are made of it; its inputs are
# those of the published module, and prompt, agent_name.

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

variable "agent_name" {
  type        = string
  description = "What the agent is called in logs."
  default     = "Agent"
}

variable "folder" {
  type        = string
  description = "The folder that the agent works in."
  default     = "~/project"
}

variable "prompt" {
  type        = string
  description = "What the agent is asked to do first; nothing when empty. The start script finds it on its standard input."
  default     = ""
}

variable "start_script" {
  type        = string
  description = "Runs `agentapi server … -- AGENT` in the folder; called with \"true\" and the port."
}

variable "module_dir_name" {
  type        = string
  description = "The folder in the home that holds the scripts and AgentAPI's log."

  validation {
    condition     = can(regex("^\\.[A-Za-z0-9][A-Za-z0-9._-]*$", var.module_dir_name))
    error_message = "module_dir_name must be the name of one hidden folder."
  }
}

variable "pre_install_script" {
  type        = string
  description = "Runs before install_script."
  default     = null
}

variable "install_script" {
  type        = string
  description = "Prepares the agent; when it fails, the agent does not start."
  default     = ""
}

variable "post_install_script" {
  type        = string
  description = "Runs after install_script, before the agent starts."
  default     = null
}

variable "web_app_slug" {
  type        = string
  description = "The slug of the agent's app; its status reports name it."
}

variable "web_app_display_name" {
  type        = string
  description = "The name of the agent's app."
}

variable "web_app_icon" {
  type        = string
  description = "The icon of the agent's app."
}

variable "web_app_order" {
  type        = number
  description = "The position of the agent's app."
  default     = null
}

variable "web_app_group" {
  type        = string
  description = "The group of the agent's app."
  default     = null
}

variable "cli_app" {
  type        = bool
  description = "Accepted and without effect: every task's terminal can be attached to."
  default     = false
}

variable "cli_app_slug" {
  type        = string
  description = "Accepted and without effect, like cli_app."
  default     = ""
}

variable "cli_app_display_name" {
  type        = string
  description = "Accepted and without effect, like cli_app."
  default     = ""
}

variable "agentapi_port" {
  type        = number
  description = "The port of AgentAPI."
  default     = 3284

  validation {
    condition     = var.agentapi_port > 0 && var.agentapi_port < 65536
    error_message = "agentapi_port must be between 1 and 65535."
  }
}

variable "agentapi_subdomain" {
  type        = bool
  description = "Whether the app is served on a subdomain."
  default     = false
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

# Scripts, prompt and folder reach the shell as base64: nothing in them is read as another script's text.
resource "coder_script" "agentapi" {
  agent_id     = var.agent_id
  display_name = var.agent_name
  icon         = var.web_app_icon
  run_on_start = true
  script = templatefile("${path.module}/main.sh.tftpl", {
    name         = base64encode(var.agent_name)
    state        = var.module_dir_name
    port         = var.agentapi_port
    folder       = base64encode(var.folder)
    prompt       = base64encode(var.prompt)
    slug         = base64encode(var.web_app_slug)
    pre_install  = base64encode(coalesce(var.pre_install_script, " "))
    install      = base64encode(coalesce(var.install_script, " "))
    post_install = base64encode(coalesce(var.post_install_script, " "))
    start        = base64encode(var.start_script)
  })
}

resource "coder_app" "web" {
  agent_id     = var.agent_id
  slug         = var.web_app_slug
  display_name = var.web_app_display_name
  icon         = var.web_app_icon
  url          = "http://localhost:${var.agentapi_port}/"
  subdomain    = var.agentapi_subdomain
  order        = var.web_app_order
  group        = var.web_app_group

  healthcheck {
    url       = "http://localhost:${var.agentapi_port}/status"
    interval  = 3
    threshold = 20
  }
}

output "task_app_id" {
  description = "The ID of the app that shows the agent, for coder_ai_task."
  value       = coder_app.web.id
}

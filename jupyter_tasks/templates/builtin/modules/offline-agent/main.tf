# The offline agent: runs Jupyter Tasks' rule-based agent under AgentAPI. Same contract as Coder's agent modules:
# the template declares coder_ai_task with app_id = module.<name>.task_app_id.

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

variable "prompt" {
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

variable "agentapi_port" {
  type        = number
  description = "The port of AgentAPI."
  default     = 3284

  validation {
    condition     = var.agentapi_port > 0 && var.agentapi_port < 65536
    error_message = "agentapi_port must be between 1 and 65535."
  }
}

# The status reports of the agent name the app that they belong to.
resource "coder_env" "status_slug" {
  agent_id = var.agent_id
  name     = "CODER_MCP_APP_STATUS_SLUG"
  value    = coder_app.agent.slug
}

# Prompt and folder reach the shell as base64: nothing in them is read as shell text.
resource "coder_script" "agent" {
  agent_id     = var.agent_id
  display_name = "Offline agent"
  icon         = var.icon
  run_on_start = true
  script = templatefile("${path.module}/start-agent.sh.tftpl", {
    prompt  = base64encode(var.prompt)
    workdir = base64encode(var.workdir)
    port    = var.agentapi_port
  })
}

resource "coder_app" "agent" {
  agent_id     = var.agent_id
  slug         = "agent"
  display_name = "Offline agent"
  icon         = var.icon
  url          = "http://localhost:${var.agentapi_port}"
  order        = var.order
  group        = var.group

  healthcheck {
    url       = "http://localhost:${var.agentapi_port}/status"
    interval  = 3
    threshold = 20
  }
}

output "task_app_id" {
  description = "The ID of the app that shows the agent, for coder_ai_task."
  value       = coder_app.agent.id
}

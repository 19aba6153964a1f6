# Quickstart: a small sales dashboard, and an agent that works on it. Needs no key, no network and no Docker.

terraform {
  required_providers {
    coder = {
      source  = "coder/coder"
      version = ">= 2.13"
    }
  }
}

data "coder_workspace" "me" {}
data "coder_workspace_owner" "me" {}
data "coder_provisioner" "me" {}
data "coder_task" "me" {}

data "coder_parameter" "setup_script" {
  name         = "setup_script"
  display_name = "Setup script"
  description  = "Runs in `~/project` before the dashboard starts, every time that the workspace starts."
  type         = "string"
  form_type    = "textarea"
  icon         = "/icon/code.svg"
  mutable      = true
  order        = 1
  default      = <<-EOT
    # for example: python3 generate.py --months 24
    echo "sales data: $(wc -l < data/sales.csv) lines"
    EOT
}

data "coder_workspace_preset" "dashboard" {
  name        = "Dashboard"
  description = "The sales dashboard with the figures that it comes with."
  icon        = "/icon/widgets.svg"
  default     = true
  parameters = {
    (data.coder_parameter.setup_script.name) = data.coder_parameter.setup_script.default
  }
}

data "coder_workspace_preset" "fresh_data" {
  name        = "Dashboard with fresh data"
  description = "The same dashboard over 24 months of newly made up sales, up to this month."
  icon        = "/icon/database.svg"
  parameters = {
    (data.coder_parameter.setup_script.name) = "python3 generate.py --months 24 --until today"
  }
}

# What the workspace gets on this machine. Coder does nothing with it.
resource "terraform_data" "local_workspace" {
  input = {
    memory    = "2GB"
    processes = 512
    programs  = ["python3"]
    files     = "${path.module}/app"
  }
}

resource "coder_agent" "main" {
  os   = "linux"
  arch = data.coder_provisioner.me.arch
  dir  = "~/project"

  env = {
    GIT_AUTHOR_NAME     = coalesce(data.coder_workspace_owner.me.full_name, data.coder_workspace_owner.me.name)
    GIT_AUTHOR_EMAIL    = coalesce(data.coder_workspace_owner.me.email, "${data.coder_workspace_owner.me.name}@localhost")
    GIT_COMMITTER_NAME  = coalesce(data.coder_workspace_owner.me.full_name, data.coder_workspace_owner.me.name)
    GIT_COMMITTER_EMAIL = coalesce(data.coder_workspace_owner.me.email, "${data.coder_workspace_owner.me.name}@localhost")
  }

  display_apps {
    vscode          = false
    ssh_helper      = false
    vscode_insiders = false
  }

  metadata {
    display_name = "Sales rows"
    key          = "rows"
    script       = "tail -n +2 ~/project/data/sales.csv | wc -l"
    interval     = 60
    timeout      = 5
  }
}

# The setup script reaches the shell as base64: nothing in it is read by another shell on the way.
resource "coder_script" "dashboard" {
  agent_id     = coder_agent.main.id
  display_name = "Dashboard"
  icon         = "/icon/widgets.svg"
  run_on_start = true
  script = templatefile("${path.module}/start-dashboard.sh.tftpl", {
    setup_script = base64encode(replace(data.coder_parameter.setup_script.value, "\r", ""))
  })
}

resource "coder_app" "preview" {
  agent_id     = coder_agent.main.id
  slug         = "preview"
  display_name = "Dashboard"
  icon         = "/icon/widgets.svg"
  url          = "http://localhost:8000"
  share        = "owner"
  order        = 1

  healthcheck {
    url       = "http://localhost:8000/healthz"
    interval  = 3
    threshold = 20
  }
}

module "offline-agent" {
  count   = data.coder_workspace.me.start_count
  source  = "registry.coder.com/coder/offline-agent/coder"
  version = "~> 1.0"

  agent_id = coder_agent.main.id
  workdir  = "~/project"
  prompt   = data.coder_task.me.prompt
  order    = 0
}

resource "coder_ai_task" "task" {
  count  = data.coder_workspace.me.start_count
  app_id = module.offline-agent[count.index].task_app_id
}

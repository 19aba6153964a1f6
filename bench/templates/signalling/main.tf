# The bench's template: an agent that writes down when it came to rest, so that the way of that news can be timed.

data "coder_task" "me" {}
data "coder_workspace" "me" {}

data "coder_parameter" "how" {
  name    = "how"
  type    = "string"
  default = "osc7501"
  option {
    name  = "Signals"
    value = "osc7501"
  }
  option {
    name  = "Silent"
    value = "stability"
  }
}

resource "terraform_data" "local_workspace" {
  input = {
    memory   = "2GB"
    programs = ["python3"]
    files    = "${path.module}/files"
  }
}

resource "coder_agent" "main" {
  os   = "linux"
  arch = "amd64"
  dir  = "~/project"
}

resource "coder_env" "how" {
  agent_id = coder_agent.main.id
  name     = "SIGNAL_HOW"
  value    = data.coder_parameter.how.value
}

resource "coder_script" "agent" {
  agent_id     = coder_agent.main.id
  display_name = "Agent"
  run_on_start = true
  script       = "cd ~/project && nohup agentapi server --type custom -- python3 -I agent.py > ~/agentapi.log 2>&1 < /dev/null &"
}

resource "coder_app" "agent" {
  agent_id     = coder_agent.main.id
  slug         = "agent"
  display_name = "Agent"
  url          = "http://localhost:3284"
}

resource "coder_ai_task" "task" {
  count  = data.coder_workspace.me.start_count
  app_id = coder_app.agent.id
}

// The face of a task in a notebook: an anywidget front-end module, plain ESM, no build step.
//
// Owns how a task looks and what a click does. The contract (traits, messages) is in notebook/widgets.py; this file
// never writes a trait. Whatever an agent or a template wrote is hostile: it reaches the page through textContent only.
// Where the page belongs to a Jupyter server (#jupyter-config-data), clicks go to that server by fetch, so that nothing
// waits for a busy kernel; elsewhere (VS Code, Colab …) they are messages to the kernel.

const KERNEL_PATIENCE = 60_000; // ms; ipykernel 6 answers only when the running cell has ended
const BUSY_AFTER = 2_500;
const SERVER_PATIENCE = 90_000;
const SANDBOX = "allow-scripts allow-forms allow-popups allow-modals allow-downloads"; // never allow-same-origin

// ---------------------------------------------------------------- small tools

/** An element: props are properties, or attributes where the name has a dash or is role; children nodes or strings. */
function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

function span(since) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(since)) / 1000));
  if (Number.isNaN(seconds)) return "";
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${seconds} s`;
}

/** Money and tokens in a phrase: "$0.0123 · 12,345 in, 678 out"; "" where nothing is known. */
function spent({ cost, usage } = {}) {
  const parts = [];
  const amount = Number(cost?.amount ?? NaN);
  if (Number.isFinite(amount)) {
    const digits = Math.abs(amount) < 1 ? 4 : 2;
    const text = amount.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    parts.push(cost.currency === "USD" ? `$${text}` : `${text} ${cost.currency}`);
  }
  const into = (usage?.input ?? 0) + (usage?.cache_read ?? 0) + (usage?.cache_write ?? 0);
  if (into || usage?.output) parts.push(`${into.toLocaleString("en-US")} in, ${(usage.output ?? 0).toLocaleString("en-US")} out`);
  return parts.join(" · ");
}

function key() {
  return globalThis.crypto?.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
}

function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

function cookie(name) {
  // the last one wins, as in JupyterLab's own ServerConnection
  const found = document.cookie.split("; ").filter((part) => part.startsWith(`${name}=`)).pop();
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

// ---------------------------------------------------------------- two ways to the engine

/** The page's own Jupyter server; null where there is none. */
function serverOfPage() {
  const data = document.getElementById("jupyter-config-data");
  if (!data) return null;
  try {
    const config = JSON.parse(data.textContent || "{}");
    const base = String(config.baseUrl || "/");
    const url = new URL(`${base.replace(/\/*$/, "/")}jupyter-tasks/`, document.baseURI);
    return url.origin === location.origin ? { url: url.href, token: String(config.token || "") } : null;
  } catch {
    return null;
  }
}

class Missing extends Error {}

async function overServer(server, task, action, args) {
  const calls = {
    send: ["send", { input: args.text, key: args.key }],
    answer: ["answer", { option: args.option, ...(args.question ? { question: args.question } : {}) }],
    interrupt: ["interrupt", {}],
    pause: ["pause", {}],
    resume: ["resume", {}],
    press: ["terminal", { data: base64(args.text ?? ""), key: args.key }],
    preview: ["preview", args.app ? { app: args.app } : {}],
  };
  const [path, body] = calls[action];
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  if (server.token) headers.Authorization = `token ${server.token}`;
  const xsrf = cookie("_xsrf");
  if (xsrf) headers["X-XSRFToken"] = xsrf;
  const response = await fetch(`${server.url}api/v2/tasks/me/${encodeURIComponent(task)}/${path}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-store",
    signal: AbortSignal.timeout(SERVER_PATIENCE),
  });
  const text = await response.text();
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    // not ours
  }
  // A 404 without a code of ours: this server has no Jupyter Tasks, or another engine than the kernel's
  if (response.status === 404) throw new Missing(answer?.message || "not found");
  if (!response.ok) throw new Error([answer?.message, answer?.hint].filter(Boolean).join(" ") || `HTTP ${response.status}`);
  if (action === "preview") return { url: new URL(answer.path, server.url).href, expires_at: answer.expires_at };
  return answer;
}

function overKernel(model, action, args, note) {
  const id = key();
  return new Promise((resolve, reject) => {
    const busy = setTimeout(() => note("The kernel is busy; this happens when its cell has ended."), BUSY_AFTER);
    const late = setTimeout(() => end(reject, new Error("The kernel did not answer. Try `jupyter tasks` in a terminal.")), KERNEL_PATIENCE);
    const hear = (message) => {
      if (message?.kind !== "tasks:done" || message.id !== id) return;
      if (message.ok) end(resolve, message.value);
      else end(reject, new Error([message.error, message.hint].filter(Boolean).join(" ")));
    };
    function end(settle, value) {
      clearTimeout(busy);
      clearTimeout(late);
      model.off("msg:custom", hear);
      note("");
      settle(value);
    }
    model.on("msg:custom", hear);
    model.send({ kind: "tasks:do", id, action, ...args });
  });
}

// ---------------------------------------------------------------- the parts of a message

const MARK = { pending: "○", in_progress: "◐", completed: "✓", failed: "✕" };

function partNode(part) {
  switch (part.type) {
    case "text":
      return h("div", { className: "jp-Tasks-text", textContent: part.text });
    case "tool_call": {
      const title = h("span", { textContent: part.title });
      const mark = h("span", { className: `jp-Tasks-mark jp-Tasks-mark-${MARK[part.status] ? part.status : "pending"}`, textContent: MARK[part.status] ?? "○", title: part.status });
      const line = [mark, " ", title, part.locations?.length ? h("code", { textContent: part.locations.join(", ") }) : null];
      if (!part.output) return h("div", { className: "jp-Tasks-tool" }, ...line);
      return h("details", { className: "jp-Tasks-tool" }, h("summary", {}, ...line), h("pre", { textContent: part.output }));
    }
    case "diff":
      return h("div", { className: "jp-Tasks-tool" }, part.old_text === null ? "+ " : "± ", h("code", { textContent: part.path }));
    case "plan":
      return h("ul", { className: "jp-Tasks-plan" }, ...part.entries.map((entry) => h("li", {}, `${MARK[entry.status] ?? "○"} `, h("span", { textContent: entry.content }))));
    case "permission":
    case "question":
      return h("div", { className: "jp-Tasks-asked" }, h("span", { textContent: part.text }), part.answer ? h("em", { textContent: ` → ${part.answer}` }) : null);
    default:
      return h("div", { className: "jp-Tasks-tool", textContent: `[${part.type}]` });
  }
}

function messageNode(message) {
  const who = message.role === "user" ? "You" : "Agent";
  return h("li", { className: `jp-Tasks-message jp-Tasks-${message.role === "user" ? "user" : "agent"}` }, h("span", { className: "jp-Tasks-who", textContent: who }), ...message.parts.map(partNode));
}

// ---------------------------------------------------------------- the card

class Card {
  constructor(model, el) {
    this.model = model;
    this.server = serverOfPage();
    this.shown = new Map(); // message id -> [json, node]
    this.heard = [];
    this.doing = new Set();
    this.preview = null;
    this.sticks = true; // the conversation shows its end until the reader scrolls up
    this.build(el);
    for (const [traits, update] of [
      ["task summary status since problem", () => this.header()],
      ["messages cut", () => this.conversation()],
      ["attention task summary", () => this.asking()],
      ["task summary status state diff_stat usage messages attention", () => this.controls()],
    ]) {
      for (const trait of traits.split(" ")) this.listen(`change:${trait}`, update);
      update();
    }
    this.clock = setInterval(() => this.age(), 10_000);
    this.sizes = new ResizeObserver(() => this.stick()); // a card is built before it is on the page
    this.sizes.observe(this.list);
  }

  listen(event, call) {
    this.model.on(event, call);
    this.heard.push([event, call]);
  }

  close() {
    clearInterval(this.clock);
    this.sizes.disconnect();
    for (const [event, call] of this.heard) this.model.off(event, call);
    this.hidePreview();
  }

  get(name) {
    return this.model.get(name);
  }

  can(capability) {
    return Boolean(this.get("task").capabilities?.[capability]);
  }

  build(el) {
    const button = (label, action, title) => h("button", { type: "button", textContent: label, title, onclick: action });
    this.title = h("strong", { className: "jp-Tasks-title" });
    this.dot = h("span", { className: "jp-Tasks-dot", "aria-hidden": "true" });
    this.word = h("span", { className: "jp-Tasks-word", role: "status" });
    this.since = h("span", { className: "jp-Tasks-since" });
    this.template = h("span", { className: "jp-Tasks-badge" });
    this.isolation = h("span", { className: "jp-Tasks-badge jp-Tasks-warning", textContent: "not isolated" });
    this.reason = h("div", { className: "jp-Tasks-reason" });
    this.list = h("ol", { className: "jp-Tasks-messages", role: "log", tabIndex: 0, "aria-label": "Conversation" });
    this.attention = h("div", { className: "jp-Tasks-attention", role: "group", "aria-label": "The agent needs you" });
    this.input = h("textarea", { rows: 2, placeholder: "Say something to the agent … (Ctrl+Enter sends)", "aria-label": "Message to the agent", oninput: () => this.controls() });
    this.input.addEventListener("keydown", (event) => {
      event.stopPropagation(); // or the notebook takes it for a shortcut
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.send();
      }
    });
    this.sendButton = button("Send", () => this.send(), "Send (Ctrl+Enter)");
    this.sendButton.classList.add("jp-Tasks-primary");
    this.composer = h("div", { className: "jp-Tasks-composer" }, this.input, this.sendButton);
    this.interruptButton = button("Interrupt", () => this.act("interrupt"), "End the agent's turn");
    this.previewButton = button("Preview", () => this.togglePreview(), "Show the app that the agent works on");
    this.pauseButton = button("Pause", () => this.act("pause"), "Stop the workspace; its files stay");
    this.resumeButton = button("Resume", () => this.act("resume"), "Start the workspace again");
    this.spent = h("span", { className: "jp-Tasks-spent", title: "Spent on this task so far, and tokens" });
    this.stat = h("span", { className: "jp-Tasks-stat" });
    this.hint = h("div", { className: "jp-Tasks-hint" });
    this.note = h("div", { className: "jp-Tasks-note", role: "alert" });
    this.stage = h("div", { className: "jp-Tasks-stage" });
    this.root = h(
      "section",
      { className: "jp-Tasks-card", "data-jp-suppress-context-menu": "true" },
      h("header", {}, h("div", { className: "jp-Tasks-line" }, this.title, h("span", { className: "jp-Tasks-state" }, this.dot, this.word), this.since, h("span", { className: "jp-Tasks-space" }), this.isolation, this.template), this.reason),
      this.list,
      this.attention,
      this.composer,
      h("footer", { className: "jp-Tasks-line" }, this.previewButton, this.interruptButton, this.pauseButton, this.resumeButton, h("span", { className: "jp-Tasks-space" }), this.spent, this.stat, this.hint),
      this.note,
      this.stage,
    );
    el.append(this.root);
  }

  // ------------------------------------------------------------ what is shown

  header() {
    const task = this.get("task");
    const word = this.get("summary");
    this.title.textContent = task.display_name || task.name;
    this.title.title = task.name;
    this.root.setAttribute("aria-label", `Task ${task.display_name || task.name}`);
    this.root.dataset.summary = word.toLowerCase().replaceAll(" ", "-");
    if (this.word.textContent !== word) this.word.textContent = word; // or a screen reader would say it again
    this.template.textContent = task.template_display_name || task.template_name || "";
    this.isolation.hidden = task.isolation?.kind !== "none";
    this.isolation.title = task.isolation?.reason || "";
    const place = task.queue_position ? `Waits for its turn: place ${task.queue_position} in the queue.` : "";
    this.reason.textContent = [place, task.reason, this.get("problem")].filter(Boolean).join(" ");
    this.reason.hidden = !this.reason.textContent;
    this.age();
  }

  age() {
    const since = this.get("since");
    const young = Date.now() - Date.parse(since) < 10_000;
    this.since.textContent = young ? "just now" : since ? `for ${span(since)}` : "";
  }

  conversation() {
    const above = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight;
    this.sticks = this.list.hidden || above < 40; // asked, not told: scroll events wait for a frame
    const messages = this.get("messages");
    const cut = this.get("cut");
    const nodes = cut ? [h("li", { className: "jp-Tasks-cut", textContent: `${cut} earlier message${cut === 1 ? "" : "s"}: task.messages()` })] : [];
    const kept = new Map();
    for (const message of messages) {
      const json = JSON.stringify(message);
      const before = this.shown.get(message.id);
      const node = before && before[0] === json ? before[1] : messageNode(message);
      kept.set(message.id, [json, node]);
      nodes.push(node);
    }
    this.shown = kept;
    if (nodes.length !== this.list.children.length || nodes.some((node, index) => this.list.children[index] !== node)) this.list.replaceChildren(...nodes);
    this.list.hidden = nodes.length === 0;
    this.stick();
  }

  stick() {
    if (this.sticks) this.list.scrollTop = this.list.scrollHeight;
  }

  asking() {
    const attention = this.get("attention");
    this.attention.hidden = !attention.text;
    if (this.attention.hidden) return;
    // the engine knows whether an option is an answer of its own or a key that the agent's menu waits for
    const options = ["permissions", "send", "terminal"].some((way) => this.can(way)) ? attention.options ?? [] : [];
    const json = JSON.stringify([attention, options]);
    if (json === this.asked) return;
    this.asked = json;
    this.attention.replaceChildren(
      h("div", { className: "jp-Tasks-text", textContent: attention.text }),
      ...options.map((option) => h("button", { type: "button", textContent: option.label, className: option.kind?.startsWith("reject") ? "" : "jp-Tasks-primary", onclick: () => this.act("answer", { option: option.id || option.label, question: attention.id }) })),
    );
  }

  controls() {
    const status = this.get("status");
    const gone = this.get("summary") === "Deleted";
    const active = status === "active" && !gone;
    this.composer.hidden = !(active && this.can("send"));
    this.sendButton.disabled = this.doing.has("send") || !this.input.value.trim();
    this.interruptButton.hidden = !(active && this.can("interrupt") && this.get("state") === "working");
    this.pauseButton.hidden = !(["active", "initializing"].includes(status) && !gone);
    this.resumeButton.hidden = !(["paused", "error"].includes(status) && !gone);
    this.previewButton.hidden = !(active && this.can("preview"));
    for (const [name, node] of [["interrupt", this.interruptButton], ["pause", this.pauseButton], ["resume", this.resumeButton], ["preview", this.previewButton]]) node.disabled = this.doing.has(name);
    if (this.previewButton.hidden) this.hidePreview();
    const stat = this.get("diff_stat");
    this.stat.replaceChildren();
    if (stat.files) {
      this.stat.append(`${stat.files} file${stat.files === 1 ? "" : "s"} changed `, h("span", { className: "jp-Tasks-added", textContent: `+${stat.additions}` }), " ", h("span", { className: "jp-Tasks-deleted", textContent: `−${stat.deletions}` }));
    }
    this.spent.textContent = spent(this.get("usage"));
    this.spent.hidden = !this.spent.textContent;
    const unapplied = this.get("task").unapplied;
    this.hint.hidden = !(unapplied && this.can("apply") && !gone);
    this.hint.replaceChildren(`${unapplied} changed file${unapplied === 1 ? " is" : "s are"} not in your files yet: `, h("code", { textContent: `%tasks apply ${this.get("task").name}` }));
    const below = [this.list, this.attention, this.composer, this.previewButton, this.interruptButton, this.pauseButton, this.resumeButton];
    this.root.classList.toggle("jp-Tasks-bare", below.every((node) => node.hidden) && !stat.files && this.spent.hidden && this.hint.hidden);
  }

  // ------------------------------------------------------------ what is done

  /** Do something, once at a time; what went wrong is shown. Resolves to its value, undefined after an error. */
  async act(action, args = {}) {
    if (this.doing.has(action)) return undefined;
    this.doing.add(action);
    this.controls();
    this.say("");
    const request = { key: key(), ...args };
    try {
      if (this.server) {
        try {
          return (await overServer(this.server, this.get("task").id, action, request)) ?? true;
        } catch (error) {
          if (!(error instanceof Missing)) throw error;
          this.server = null; // not this server's task: the kernel knows it
        }
      }
      return (await overKernel(this.model, action, request, (text) => this.say(text))) ?? true;
    } catch (error) {
      this.say(error.name === "TimeoutError" ? "The server did not answer in time." : error.message);
      return undefined;
    } finally {
      this.doing.delete(action);
      this.controls();
    }
  }

  say(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  async send() {
    const text = this.input.value;
    if (!text.trim() || this.doing.has("send")) return;
    if ((await this.act("send", { text })) === undefined) return; // what was typed is not lost
    if (this.input.value === text) this.input.value = "";
    this.controls();
    this.input.focus();
  }

  async togglePreview() {
    if (this.preview) this.hidePreview();
    else await this.showPreview();
  }

  async showPreview() {
    const apps = this.get("task").apps ?? [];
    const app = apps.find((one) => one.slug === "preview") ?? apps.find((one) => !one.hidden);
    const answer = await this.act("preview", app ? { app: app.slug } : {});
    if (!answer?.url || this.preview) return;
    const frame = h("iframe", { title: `Preview of ${this.get("task").display_name}`, referrerPolicy: "no-referrer" });
    frame.setAttribute("sandbox", SANDBOX); // before src: a frame is bound by what it had when it was loaded
    frame.src = answer.url;
    this.preview = h(
      "div",
      {},
      h(
        "div",
        { className: "jp-Tasks-line" },
        h("button", { type: "button", textContent: "Reload", onclick: () => (frame.src = answer.url) }),
        h("a", { href: answer.url, target: "_blank", rel: "noopener noreferrer", textContent: "Open in a new tab" }),
      ),
      frame,
    );
    this.stage.replaceChildren(this.preview);
    this.previewButton.setAttribute("aria-expanded", "true");
    this.previewButton.textContent = "Hide preview";
  }

  hidePreview() {
    this.stage.replaceChildren();
    this.preview = null;
    this.previewButton.setAttribute("aria-expanded", "false");
    this.previewButton.textContent = "Preview";
  }
}

export default {
  render({ model, el }) {
    const card = new Card(model, el);
    return () => card.close();
  },
};

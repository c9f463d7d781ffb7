// The page: signing in, conversations, the inbox of approvals, and usage.
"use strict";

(() => {
  const { ask, attempt, button, element } = Turnpike;
  const at = (id) => document.getElementById(id);

  let thread = null;
  let turns = [];
  let older = "";

  function show(part) {
    for (const each of ["talk", "approvals", "usage"]) at(each).hidden = each !== part;
  }

  async function signIn() {
    await ask("POST", "/api/v1/session", { key: at("key").value });
    at("key").value = "";
    await begin();
  }

  async function signOut() {
    await ask("DELETE", "/api/v1/session");
    location.reload();
  }

  /** Shows the console, or the way in where there is no session. */
  async function begin() {
    try {
      const { agents } = await ask("GET", "/api/v1/agents?page_size=500");
      at("agent").replaceChildren(...names(agents).map((name) => new Option(name, name)));
    } catch (error) {
      if (error.status !== 401) throw error;
      at("sign-in").hidden = false;
      at("console").hidden = true;
      return;
    }
    at("sign-in").hidden = true;
    at("console").hidden = false;
    leave(null);
    Turnpike.followInbox(countApprovals);
    await listThreads();
  }

  /** The default agent is made by its first turn. */
  function names(agents) {
    const all = agents.map((each) => each.name);
    return all.includes("default") ? all : ["default", ...all];
  }

  async function listThreads(token = "") {
    const page = await ask("GET", `/api/v1/threads?page_size=50&page_token=${encodeURIComponent(token)}`);
    const items = page.threads.map((each) => {
      const item = element("li", "", button(each.title || new Date(each.created).toLocaleString(), () => open(each.id)));
      item.dataset.thread = each.id;
      return item;
    });
    if (token) at("threads").append(...items);
    else at("threads").replaceChildren(...items);
    older = page.next_page_token;
    at("more").hidden = !older;
    mark();
  }

  function mark() {
    for (const item of at("threads").children) {
      item.toggleAttribute("aria-current", item.dataset.thread === thread);
    }
  }

  /** Leaves the conversation that is shown for another, or for a new one. */
  function leave(next) {
    for (const turn of turns) turn.stop();
    turns = [];
    thread = next;
    at("turns").replaceChildren();
    settle();
    mark();
    show("talk");
  }

  async function open(id) {
    leave(id);
    const path = `/api/v1/threads/${encodeURIComponent(id)}`;
    const [{ turns: newest }, { messages }] = await Promise.all([
      ask("GET", `${path}/turns?page_size=50`),
      ask("GET", `${path}/messages?page_size=500`),
    ]);
    if (thread !== id) return;
    const inputs = new Map(messages.filter((each) => each.role === "user").map((each) => [each.turn, each]));
    for (const turn of newest.reverse()) add(turn.id, spoken(inputs.get(turn.id)));
  }

  function spoken(message) {
    return (message?.parts ?? []).map((part) => part.text ?? `[${part.type}]`).join("\n");
  }

  function add(id, input) {
    const turn = new Turnpike.Turn(id, input, hear);
    turns.push(turn);
    at("turns").append(turn.item);
    settle();
    turn.item.scrollIntoView?.({ block: "end" });
  }

  function hear(event) {
    if (event.type === "turn.finished") settle();
    if (event.type === "thread.titled" || event.type === "turn.started") attempt(() => listThreads());
  }

  /** Offers to cancel while a turn runs, and to send when none does. */
  function settle() {
    const running = turns.some((turn) => !turn.finished);
    at("cancel").hidden = !running;
    at("send").disabled = running;
  }

  async function say() {
    const input = at("input").value;
    thread ??= (await ask("POST", "/api/v1/threads", {})).id;
    const turn = await ask(
      "POST",
      `/api/v1/threads/${encodeURIComponent(thread)}/turns`,
      { agent: at("agent").value, input, time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone },
      { "Idempotency-Key": crypto.randomUUID() },
    );
    at("input").value = "";
    add(turn.id, input);
  }

  async function cancel() {
    const running = turns.filter((turn) => !turn.finished);
    await Promise.all(running.map((turn) => ask("POST", `/api/v1/turns/${encodeURIComponent(turn.id)}:cancel`)));
  }

  /** Shows how many wait; where they are shown themselves, which. */
  function countApprovals({ mine }) {
    at("waiting").textContent = String(mine || "");
    if (!at("approvals").hidden) attempt(listApprovals);
  }

  async function showApprovals() {
    show("approvals");
    await listApprovals();
  }

  /** Lists what waits; what is written beside a card that waits on is kept. */
  async function listApprovals() {
    const { approvals } = await ask("GET", "/api/v1/approvals?status=PENDING&mine=true&page_size=100");
    const shown = new Map([...at("pending").children].map((item) => [item.dataset.approval, item]));
    const cards = approvals.map((each) => shown.get(cardKey(each)) ?? cardOf(each));
    at("pending").replaceChildren(...(cards.length ? cards : [element("li", "note", "Nothing waits.")]));
  }

  function cardOf(approval) {
    const item = element("li", "", Turnpike.approvalCard(approval.id, approval, null));
    item.dataset.approval = cardKey(approval);
    return item;
  }

  /** What a card shows: once some of it is decided it is another. */
  function cardKey(approval) {
    return `${approval.id} ${approval.decisions.length} ${approval.expires}`;
  }

  async function showUsage() {
    show("usage");
    const { rows, total } = await ask("GET", "/api/v1/usage?by=model&page_size=100");
    const lines = [...rows.map((row) => [row.model, row.sum]), ["all", total]];
    at("sums").replaceChildren(
      line("th", ["Model", "Calls", "Prompt tokens", "of them cached", "Answer tokens", "Cost"]),
      ...lines.map(([model, sum]) =>
        line("td", [model ?? "", sum.entries, sum.input_tokens, sum.cached_tokens, sum.output_tokens, `$${(sum.cost_micro_usd / 1e6).toFixed(6)}`]),
      ),
    );
  }

  function line(tag, cells) {
    return element("tr", "", ...cells.map((cell) => element(tag, "", cell)));
  }

  const on = (id, kind, run) =>
    at(id).addEventListener(kind, (event) => {
      event.preventDefault();
      attempt(run, event.submitter ?? (kind === "click" ? event.currentTarget : null)).then(settle);
    });
  on("sign-in", "submit", signIn);
  on("sign-out", "click", signOut);
  on("new", "click", async () => leave(null));
  on("more", "click", () => listThreads(older));
  on("say", "submit", say);
  on("cancel", "click", cancel);
  on("show-approvals", "click", showApprovals);
  on("show-usage", "click", showUsage);
  document.addEventListener("turnpike:decided", () => {
    if (!at("approvals").hidden) attempt(listApprovals);
  });
  at("input").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (!at("send").disabled) at("say").requestSubmit(at("send"));
    }
  });

  attempt(begin);
})();

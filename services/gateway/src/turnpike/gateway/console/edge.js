// The edge: requests with the session's cookie, problems as errors, and a turn's events.
"use strict";

Turnpike.Problem = class extends Error {
  constructor(status, problem) {
    const fields = (problem.errors ?? []).map((each) => `${each.field}: ${each.message}`);
    super([problem.detail ?? problem.title ?? `HTTP ${status}`, ...fields].join("\n"));
    this.status = status;
    this.reason = problem.reason;
  }
};

function csrfToken() {
  const cookie = document.cookie.split("; ").find((each) => each.startsWith("turnpike_csrf="));
  return cookie ? decodeURIComponent(cookie.slice(cookie.indexOf("=") + 1)) : "";
}

/** Returns what the edge answers, as JSON; null for nothing. Throws Turnpike.Problem. */
Turnpike.ask = async (method, path, body, headers = {}) => {
  const init = { method, headers: { ...headers }, credentials: "same-origin" };
  if (method !== "GET") init.headers["X-CSRF-Token"] = csrfToken();
  if (body !== undefined) {
    init.headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  const response = await fetch(path, init);
  const said = await response.text();
  const answer = said ? parsed(said) : null;
  if (!response.ok) throw new Turnpike.Problem(response.status, answer ?? {});
  return answer;
};

function parsed(said) {
  try {
    return JSON.parse(said);
  } catch {
    return { detail: said.slice(0, 500) };
  }
}

const TYPES = [
  "turn.started", "step.started", "text.delta", "reasoning.delta", "tool.requested", "tool.started",
  "tool.progress", "tool.finished", "approval.required", "approval.decided", "log.reset",
  "model.retrying", "model.changed", "context", "context.compacted", "usage", "thread.titled",
  "turn.finished",
];

/** Follows how many approvals wait for this person; the browser connects again by itself. */
Turnpike.followInbox = (onCount) => {
  const source = new EventSource("/api/v1/approvals:watch");
  source.addEventListener("inbox", (message) => onCount(JSON.parse(message.data)));
};

/** Follows a turn's log from its beginning; the browser resumes by itself. Returns what stops it. */
Turnpike.follow = (turn, onEvent) => {
  const source = new EventSource(`/api/v1/turns/${encodeURIComponent(turn)}/events`);
  const told = (message) => {
    const event = JSON.parse(message.data);
    onEvent(event);
    if (event.type === "turn.finished") source.close();
  };
  for (const type of TYPES) source.addEventListener(type, told);
  return () => source.close();
};

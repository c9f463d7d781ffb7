// What a turn's log says, folded by the contract's rule: events are kept by number, and a
// `log.reset` voids those between `after_seq` and itself.
"use strict";
globalThis.Turnpike = {};

Turnpike.Log = class {
  constructor() {
    this.events = [];
  }

  /** Takes the next event. */
  add(event) {
    if (event.type === "log.reset") {
      this.events = this.events.filter((each) => each.seq <= event.after_seq);
    } else {
      this.events.push(event);
    }
  }

  /** Returns what is to be shown, in order: texts, calls, approvals and notes. */
  blocks() {
    const blocks = [];
    const calls = new Map();
    const approvals = new Map();
    for (const event of this.events) {
      const say = SAYS[event.type];
      if (say) say(event, blocks, calls, approvals);
    }
    return blocks;
  }

  /** Returns the last event of a type. */
  last(type) {
    return this.events.findLast((event) => event.type === type);
  }
};

function text(kind) {
  return (event, blocks) => {
    const last = blocks.at(-1);
    if (last && last.kind === kind) last.text += event.text;
    else blocks.push({ kind, text: event.text });
  };
}

function note(words) {
  return (event, blocks) => blocks.push({ kind: "note", text: words(event) });
}

const SAYS = {
  "text.delta": text("text"),
  "reasoning.delta": text("reasoning"),
  "tool.requested": (event, blocks, calls) => {
    const call = { kind: "call", id: event.call_id, name: event.name, arguments: event.arguments };
    calls.set(event.call_id, call);
    blocks.push(call);
  },
  "tool.progress": (event, blocks, calls) => {
    const call = calls.get(event.call_id);
    if (call) call.progress = event.message || `${event.progress} of ${event.total ?? "?"}`;
  },
  "tool.finished": (event, blocks, calls) => {
    const call = calls.get(event.call_id);
    if (call) Object.assign(call, { outcome: event.outcome, result: event.result });
  },
  "approval.required": (event, blocks, calls, approvals) => {
    const approval = { kind: "approval", id: event.approval, asked: event };
    approvals.set(event.approval, approval);
    blocks.push(approval);
  },
  "approval.decided": (event, blocks, calls, approvals) => {
    const approval = approvals.get(event.approval);
    if (approval) approval.decided = event;
  },
  "model.retrying": note((event) => `The model is asked again: ${event.reason}`),
  "model.changed": note((event) => `${event.from} did not answer (${event.reason}); ${event.to} goes on`),
  "context.compacted": note((event) => `${event.turns} turns were summed up`),
};

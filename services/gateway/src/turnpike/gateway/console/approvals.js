// An approval as a card: what is asked, and what may be said of it.
"use strict";

(() => {
  const { element, button, written, ask } = Turnpike;

  const WORDS = {
    approve: "Approve", edit: "Run with these arguments", respond: "Answer instead",
    reject: "Reject", approve_always: "Always approve", verify: "Look again", done: "It was done",
    not_done: "It was not done", run_again: "Run again",
  };
  // Decisions that need what is written beside them, and what the field is called.
  const WITH = { edit: "arguments", respond: "text", reject: "feedback" };

  /** Returns the card of an approval: what it asks, and once it is decided what was said. */
  Turnpike.approvalCard = (id, asked, decided) => {
    const card = element("div", "card approval");
    if (asked.turn && asked.agent) card.append(element("p", "note", `${asked.agent}, turn ${asked.turn}`));
    const choices = new Map();
    for (const call of asked.calls) card.append(callRow(call, asked.questions ?? [], choices, decided));
    if (decided) {
      card.append(element("p", "note", `Decided by ${decided.decided_by ?? "nobody in time"}`));
    } else {
      card.append(button("Decide", () => decide(id, choices)));
      if (asked.expires) card.append(element("p", "note", `Until ${new Date(asked.expires).toLocaleString()}`));
    }
    return card;
  };

  async function decide(id, choices) {
    const decisions = [...choices].map(([callId, said]) => ({ call_id: callId, ...said() }));
    await ask("POST", `/api/v1/approvals/${encodeURIComponent(id)}:decide`, { decisions }, {
      "Idempotency-Key": crypto.randomUUID(),
    });
    document.dispatchEvent(new Event("turnpike:decided"));
  }

  function callRow(call, questions, choices, decided) {
    const row = element("div", "call", element("b", "", call.name), " ", element("span", "note", call.reason));
    const asked = questions.filter((each) => each.call_id === call.call_id);
    row.append(element("pre", "", written(call.arguments)));
    if (decided) {
      const said = decided.decisions.find((each) => each.call_id === call.call_id);
      if (said) row.append(element("p", "note", WORDS[said.kind] ?? said.kind));
      return row;
    }
    choices.set(call.call_id, asked.length ? answers(row, asked, call.allowed) : choice(row, call));
    return row;
  }

  /** Adds a choice of what may be said of a call; returns what reads it. */
  function choice(row, call) {
    const kinds = element("select", "kind");
    for (const kind of call.allowed) kinds.append(new Option(WORDS[kind] ?? kind, kind));
    const field = element("textarea", "said");
    const fit = () => {
      field.hidden = !WITH[kinds.value];
      field.value = kinds.value === "edit" ? written(call.arguments) : "";
    };
    kinds.addEventListener("change", fit);
    fit();
    row.append(kinds, field);
    return () => {
      const name = WITH[kinds.value];
      const said = { kind: kinds.value };
      if (name) said[name] = name === "arguments" ? JSON.parse(field.value) : field.value;
      return said;
    };
  }

  /** Adds the questions of a call; returns what reads the answers. */
  function answers(row, questions, allowed) {
    const fields = questions.map((question) => [question, answerField(row, question)]);
    const refusing = allowed.includes("reject") ? element("input", "refuse") : null;
    if (refusing) {
      refusing.type = "checkbox";
      row.append(element("label", "", refusing, " Answer nothing"));
    }
    return () => {
      if (refusing?.checked) return { kind: "reject", feedback: "" };
      return {
        kind: "answer",
        arguments: Object.fromEntries(fields.map(([question, read]) => [question.id, read()])),
      };
    };
  }

  function answerField(row, question) {
    const label = element("label", "", `${question.header ? `${question.header}: ` : ""}${question.text} `);
    row.append(element("p", "", label));
    if (question.url) label.append(linkTo(question.url));
    if (question.options.length) {
      const options = element("select", "");
      options.multiple = question.multiple;
      for (const option of question.options) options.append(new Option(option, option));
      label.append(options);
      return () => (question.multiple ? [...options.selectedOptions].map((each) => each.value) : options.value);
    }
    const field = element("textarea", "said");
    label.append(field);
    return () => (question.schema ? JSON.parse(field.value) : field.value);
  }

  function linkTo(url) {
    const link = element("a", "", url);
    // Whatever a server named: a page on the web, or a text that leads nowhere.
    if (/^https?:\/\//.test(url)) link.href = url;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    return link;
  }
})();

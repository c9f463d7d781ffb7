// A conversation's turns, drawn from their logs as these grow.
"use strict";

(() => {
  const { element, written } = Turnpike;

  /** A turn on the page: its input, and what its log says by now. */
  Turnpike.Turn = class {
    constructor(id, input, onEvent) {
      this.id = id;
      this.log = new Turnpike.Log();
      this.item = element("li", "turn", element("p", "input", input));
      this.shown = this.item.appendChild(element("div", "said"));
      this.drawing = 0;
      this.drawn = new Map();
      this.stop = Turnpike.follow(id, (event) => {
        this.log.add(event);
        this.drawing ||= requestAnimationFrame(() => this.draw());
        onEvent(event, this);
      });
    }

    get finished() {
      return this.log.last("turn.finished");
    }

    /** Shows the log. What looks as before stays, with whatever is being written in it. */
    draw() {
      this.drawing = 0;
      const blocks = [...this.log.blocks(), ...this.ending()];
      const drawn = new Map();
      const items = blocks.map((block, index) => {
        const key = `${index} ${JSON.stringify(block)}`;
        const item = this.drawn.get(key) ?? DRAWS[block.kind](block);
        drawn.set(key, item);
        return item;
      });
      this.drawn = drawn;
      items.forEach((item, index) => {
        if (this.shown.children[index] !== item) this.shown.insertBefore(item, this.shown.children[index] ?? null);
      });
      while (this.shown.children.length > items.length) this.shown.lastElementChild.remove();
    }

    ending() {
      const end = this.finished;
      if (!end) return [];
      const used = this.log.events.filter((event) => event.type === "usage");
      const tokens = used.reduce((sum, each) => sum + each.input_tokens + each.output_tokens, 0);
      const cost = used.reduce((sum, each) => sum + each.cost_micro_usd, 0) / 1e6;
      const trace = this.log.last("turn.started")?.trace_id ?? "";
      const why = end.error ? `: ${end.error.message} (${end.error.reason})` : "";
      return [{ kind: "note", text: `${end.status}${why} · ${tokens} tokens · $${cost.toFixed(6)} · trace ${trace}` }];
    }
  };

  const DRAWS = {
    text: (block) => element("div", "text", block.text),
    reasoning: (block) => element("div", "reasoning", block.text),
    note: (block) => element("p", "note", block.text),
    approval: (block) => Turnpike.approvalCard(block.id, block.asked, block.decided),
    call: (block) => {
      const state = block.outcome ?? block.progress ?? "asked for";
      const card = element("details", "card", element("summary", "", `${block.name}: ${state}`));
      card.append(element("pre", "", written(block.arguments)));
      for (const part of block.result ?? []) card.append(element("pre", "", part.text ?? written(part)));
      return card;
    },
  };
})();

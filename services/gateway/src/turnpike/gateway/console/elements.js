// Elements, made of text alone: nothing that a model or a tool says is ever read as markup.
"use strict";

/** Returns an element with a class, and text or children. */
Turnpike.element = (tag, name, ...children) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
};

/** Returns a button that runs something, and says so when it fails. */
Turnpike.button = (words, run) => {
  const made = Turnpike.element("button", "", words);
  made.type = "button";
  made.addEventListener("click", () => Turnpike.attempt(run, made));
  return made;
};

/** Runs something, with its button off meanwhile; shows why it failed. */
Turnpike.attempt = async (run, button) => {
  if (button) button.disabled = true;
  try {
    await run();
  } catch (error) {
    Turnpike.showProblem(error);
  } finally {
    if (button) button.disabled = false;
  }
};

let fading;
Turnpike.showProblem = (error) => {
  const shown = document.getElementById("problem");
  shown.textContent = error.message;
  shown.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => (shown.hidden = true), 10_000);
};

/** Returns a value as a person reads it. */
Turnpike.written = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

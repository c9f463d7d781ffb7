// The console in a browser without a screen: what a person sees of it, as one line of JSON.
//
//     node console.mjs URL KEY AGENT ASKING_AGENT
import { EventSource } from "eventsource";
import { CookieJar, JSDOM } from "jsdom";

const [url, key, agent, askingAgent] = process.argv.slice(2);
const cookieJar = new CookieJar();

async function fetched(path, init = {}) {
  const target = new URL(path, url).href;
  const cookie = await cookieJar.getCookieString(target);
  const response = await fetch(target, { ...init, headers: { ...init.headers, cookie } });
  for (const each of response.headers.getSetCookie()) await cookieJar.setCookie(each, target);
  return response;
}

const { window } = await JSDOM.fromURL(url, {
  cookieJar,
  pretendToBeVisual: true,
  resources: "usable",
  runScripts: "dangerously",
  beforeParse(page) {
    page.fetch = fetched;
    page.EventSource = class extends EventSource {
      constructor(path) {
        super(new URL(path, url).href, { fetch: fetched });
      }
    };
  },
});
const page = window.document;
const at = (id) => page.getElementById(id);

/** Waits until something is so, and returns it. */
async function until(what) {
  for (const giveUpAt = Date.now() + 30_000; Date.now() < giveUpAt; ) {
    const found = what();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`never: ${what}\n${page.body.textContent}`);
}

function submit(form) {
  form.querySelector("button:not([type])").click();
}

await until(() => !at("sign-in").hidden);
at("key").value = "tp_wrong";
submit(at("sign-in"));
const refused = await until(() => !at("problem").hidden && at("problem").textContent);
at("key").value = key;
submit(at("sign-in"));
await until(() => !at("console").hidden);

async function say(words, name) {
  at("agent").value = name;
  at("input").value = words;
  submit(at("say"));
  return await until(() => [...page.querySelectorAll(".turn")].find((each) => each.querySelector(".input").textContent === words));
}

const ended = (turn) => [...turn.querySelectorAll(".note")].at(-1)?.textContent.includes("tokens");

const first = await say("hello <b>there</b>", agent);
await until(() => ended(first));
const answer = first.querySelector(".text").textContent;
const markup = page.querySelectorAll(".turn b").length;
const conversation = (await until(() => page.querySelector("#threads [aria-current]"))).dataset.thread;

at("new").click();
const asking = await say("do it", askingAgent);
const card = await until(() => asking.querySelector(".approval"));
const asked = card.querySelector(".call b").textContent;
await until(() => at("waiting").textContent);
at("show-approvals").click();
const ours = () => [...page.querySelectorAll("#pending .approval")].find((each) => each.textContent.includes(askingAgent));
(await until(ours)).querySelector("button").click();
await until(() => ended(asking));
const outcome = asking.querySelector("details summary").textContent;
await until(() => !ours());

// Behind the answers what they used is settled: whoever looks at once looks again.
let models;
await until(() => {
  models = [...at("sums").rows].map((row) => row.cells[0].textContent);
  if (models.includes(agent) && models.includes(askingAgent)) return true;
  at("show-usage").click();
});

page.querySelector(`#threads [data-thread="${conversation}"] button`).click();
const shown = await until(() => [...page.querySelectorAll("#turns .turn")].find(ended));
const again = shown.querySelector(".text").textContent;
at("sign-out").click();
await until(() => !cookieJar.getCookieStringSync(url).includes("turnpike_session"));

console.log(JSON.stringify({ refused, answer, markup, asked, outcome, models, again }));
process.exit(0);

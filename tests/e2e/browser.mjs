// A web page's view of a turn: an EventSource, which prints each event's data as a line.
//
//     node browser.mjs URL TYPE…
//
// It is never closed from here and connects again by itself, until the server says by
// a 204 that nothing is left. Any other refusal ends it with status 1.
import { EventSource } from "eventsource";

const [url, ...types] = process.argv.slice(2);
const source = new EventSource(url);

for (const type of types) {
  source.addEventListener(type, (event) => console.log(event.data));
}
source.addEventListener("error", (refusal) => {
  if (source.readyState === EventSource.CLOSED) {
    console.error(refusal.code, refusal.message);
    process.exit(refusal.code === 204 ? 0 : 1);
  }
});

// What OpenAI's own SDK makes of the edge: everything it saw, as one line of JSON.
//
//     OPENAI_BASE_URL=… OPENAI_API_KEY=… node openai_sdk.mjs AGENT MODEL TOOL_MODEL LIMITED_MODEL
import OpenAI from "openai";

const [agent, model, toolModel, limitedModel] = process.argv.slice(2);
const client = new OpenAI();
const messages = [{ role: "user", content: "hello" }];
const parameters = { type: "object", properties: { city: { type: "string" } } };
const tools = [{ type: "function", function: { name: "weather", parameters } }];

const models = [];
for await (const listed of client.models.list()) models.push(listed.id);

const whole = await client.chat.completions.create({ model: agent, messages });

let streamed = "";
const stream = await client.chat.completions.create({ model, messages, stream: true });
for await (const chunk of stream) streamed += chunk.choices[0]?.delta?.content ?? "";

const runner = client.chat.completions.stream({ model: toolModel, messages, tools });
const calls = (await runner.finalChatCompletion()).choices[0].message.tool_calls;

// Cut after three events, and gone on with.
const seen = [];
const begun = await client.responses.create({ model: agent, input: "hello", stream: true });
let response;
for await (const event of begun) {
  response ??= event.response.id;
  seen.push(event.sequence_number);
  if (seen.length === 3) break;
}
let resumed = "";
const rest = await client.responses.retrieve(response, {
  stream: true,
  starting_after: seen.at(-1),
});
for await (const event of rest) {
  seen.push(event.sequence_number);
  if (event.type === "response.completed") resumed = event.response.output.at(-1).content[0].text;
}

const tried = await client.chat.completions.create(
  { model: limitedModel, messages },
  { maxRetries: 3 },
);
const embedded = await client.embeddings.create({ model: "default", input: ["a", "b"] });
const refused = await client.chat.completions
  .create({ model: "nobody", messages })
  .catch((error) => ({ status: error.status, kind: error.constructor.name, code: error.code }));

console.log(
  JSON.stringify({
    models,
    whole: whole.choices[0].message.content,
    streamed,
    calls: calls.map((call) => [call.function.name, call.function.arguments]),
    numbers: seen,
    resumed,
    tried: tried.choices[0].message.content,
    embedded: embedded.data.map((each) => each.embedding.length),
    refused,
  }),
);

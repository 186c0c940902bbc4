// Does a task of two steps with one client of JavaScript, by each of some models; prints one line of JSON for each.
// Usage: node node_clients.mjs CLIENT URL KEY FILE MODEL...
import { readFileSync, writeFileSync } from "node:fs";

const [client, base, key, file, ...models] = process.argv.slice(2);
const before = readFileSync(file, "utf8");
const task = `Make ${file} greet the gateway.`;

const schema = (...names) => ({
  type: "object",
  properties: Object.fromEntries(names.map((name) => [name, { type: "string" }])),
  required: names,
  additionalProperties: false,
});
const tools = {
  read_file: {
    description: "Read a file.",
    schema: schema("path"),
    run: ({ path }) => readFileSync(path, "utf8"),
  },
  edit_file: {
    description: "Replace a text in a file.",
    schema: schema("path", "old_string", "new_string"),
    run: ({ path, old_string, new_string }) => {
      writeFileSync(path, readFileSync(path, "utf8").replace(old_string, new_string));
      return "The file was changed.";
    },
  },
};
const named = Object.entries(tools);

async function openaiChat(model) {
  const { default: OpenAI } = await import("openai");
  const sdk = new OpenAI({ apiKey: key, baseURL: `${base}/v1`, maxRetries: 0 });
  const offered = named.map(([name, { description, schema }]) => ({
    type: "function",
    function: { name, description, parameters: schema },
  }));
  const messages = [{ role: "user", content: task }];
  for (;;) {
    const asked = { model, messages, tools: offered, stream_options: { include_usage: true } };
    const answer = await sdk.chat.completions.stream(asked).finalChatCompletion();
    const { message } = answer.choices[0];
    if (!message.tool_calls?.length) return [message.content, answer.usage.total_tokens];
    messages.push(message);
    for (const { id, function: call } of message.tool_calls)
      messages.push({ role: "tool", tool_call_id: id, content: tools[call.name].run(JSON.parse(call.arguments)) });
  }
}

async function openaiResponses(model) {
  const { default: OpenAI } = await import("openai");
  const sdk = new OpenAI({ apiKey: key, baseURL: `${base}/v1`, maxRetries: 0 });
  const offered = named.map(([name, { description, schema }]) => ({
    type: "function", name, description, parameters: schema, strict: true,
  }));
  const input = [{ role: "user", content: task }];
  const kept = { store: false, include: ["reasoning.encrypted_content"], reasoning: { effort: "low", summary: "auto" } };
  for (;;) {
    const answer = await sdk.responses.stream({ model, input, tools: offered, ...kept }).finalResponse();
    const calls = answer.output.filter((item) => item.type === "function_call");
    if (!calls.length) return [answer.output_text, answer.usage.total_tokens];
    input.push(...answer.output.map(({ parsed_arguments, ...item }) => item));
    for (const call of calls)
      input.push({
        type: "function_call_output", call_id: call.call_id, output: tools[call.name].run(JSON.parse(call.arguments)),
      });
  }
}

async function anthropicMessages(model) {
  const { default: Anthropic } = await import("@anthropic-ai/sdk");
  const sdk = new Anthropic({ apiKey: key, baseURL: base, maxRetries: 0 });
  const offered = named.map(([name, { description, schema }]) => ({ name, description, input_schema: schema }));
  const messages = [{ role: "user", content: task }];
  for (;;) {
    const asked = { model, messages, tools: offered, max_tokens: 9000, thinking: { type: "adaptive" } };
    const answer = await sdk.messages.stream(asked).finalMessage();
    const calls = answer.content.filter((block) => block.type === "tool_use");
    const text = answer.content.filter((block) => block.type === "text").map((block) => block.text);
    if (!calls.length) return [text.join(""), answer.usage.output_tokens];
    const results = calls.map((call) => ({
      type: "tool_result", tool_use_id: call.id, content: tools[call.name].run(call.input),
    }));
    messages.push({ role: "assistant", content: answer.content }, { role: "user", content: results });
  }
}

async function ai(model) {
  const { streamText, tool, jsonSchema, stepCountIs, isStepCount } = await import("ai");
  const errors = [];
  const offered = named.map(([name, { description, schema, run }]) => [
    name,
    tool({ description, inputSchema: jsonSchema(schema), execute: async (input) => run(input) }),
  ]);
  const result = streamText({
    model,
    prompt: task,
    tools: Object.fromEntries(offered),
    stopWhen: (stepCountIs ?? isStepCount)(6),
    maxRetries: 0,
    onError: ({ error }) => errors.push(String(error)),
    providerOptions: {
      openai: { store: false, reasoningEffort: "low", reasoningSummary: "auto", include: ["reasoning.encrypted_content"] },
    },
  });
  const text = await result.text;
  if (errors.length) throw new Error(errors.join("; "));
  return [text, (await result.totalUsage).totalTokens];
}

const clients = {
  "openai-js.chat": openaiChat,
  "openai-js.responses": openaiResponses,
  "anthropic-js.messages": anthropicMessages,
  "ai.openai.chat": async (model) => {
    const { createOpenAI } = await import("@ai-sdk/openai");
    return ai(createOpenAI({ apiKey: key, baseURL: `${base}/v1` }).chat(model));
  },
  "ai.openai.responses": async (model) => {
    const { createOpenAI } = await import("@ai-sdk/openai");
    return ai(createOpenAI({ apiKey: key, baseURL: `${base}/v1` })(model));
  },
  "ai.openai-compatible.chat": async (model) => {
    const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
    return ai(createOpenAICompatible({ name: "gw", apiKey: key, baseURL: `${base}/v1`, includeUsage: true })(model));
  },
  "ai.open-responses.responses": async (model) => {
    const { createOpenResponses } = await import("@ai-sdk/open-responses");
    return ai(createOpenResponses({ name: "gw", apiKey: key, url: `${base}/v1/responses` })(model));
  },
  "ai.anthropic.messages": async (model) => {
    const { createAnthropic } = await import("@ai-sdk/anthropic");
    return ai(createAnthropic({ apiKey: key, baseURL: `${base}/v1` })(model));
  },
};

for (const model of models) {
  writeFileSync(file, before);
  const [text, usage] = await clients[client](model);
  console.log(JSON.stringify({ model, text, usage, file: readFileSync(file, "utf8") }));
}

// Drives one client of JavaScript through a conversation with a tool; prints what it understood as one line of JSON.
// Usage: node clients.mjs CLIENT BASE_URL
const [client, base] = process.argv.slice(2);
const schema = { type: "object", properties: { a: { type: "integer" } }, required: ["a"], additionalProperties: false };

async function openaiChat() {
  const { default: OpenAI } = await import("openai");
  const sdk = new OpenAI({ apiKey: "k", baseURL: `${base}/v1`, maxRetries: 0 });
  const tools = [{ type: "function", function: { name: "add", parameters: schema } }];
  const messages = [{ role: "user", content: "Hi" }];
  const first = await sdk.chat.completions.stream({ model: "c:echo", messages, tools }).finalChatCompletion();
  const call = first.choices[0].message.tool_calls[0];
  messages.push(first.choices[0].message, { role: "tool", tool_call_id: call.id, content: "2" });
  const second = await sdk.chat.completions.create({ model: "c:echo", messages, tools });
  return { call: call.function.name, args: JSON.parse(call.function.arguments), text: second.choices[0].message.content };
}

async function openaiResponses() {
  const { default: OpenAI } = await import("openai");
  const sdk = new OpenAI({ apiKey: "k", baseURL: `${base}/v1`, maxRetries: 0 });
  const tools = [{ type: "function", name: "add", parameters: schema, strict: true }];
  const input = [{ role: "user", content: "Hi" }];
  const first = await sdk.responses.stream({ model: "c:echo", input, tools }).finalResponse();
  const call = first.output.find((item) => item.type === "function_call");
  input.push(...first.output, { type: "function_call_output", call_id: call.call_id, output: "2" });
  const second = await sdk.responses.create({ model: "c:echo", input, tools });
  return { call: call.name, args: JSON.parse(call.arguments), text: second.output_text };
}

async function anthropicMessages() {
  const { default: Anthropic } = await import("@anthropic-ai/sdk");
  const sdk = new Anthropic({ apiKey: "k", baseURL: base, maxRetries: 0 });
  const tools = [{ name: "add", input_schema: schema }];
  const messages = [{ role: "user", content: "Hi" }];
  const asked = { model: "c:echo", max_tokens: 99, tools };
  const first = await sdk.messages.stream({ ...asked, messages }).finalMessage();
  const call = first.content.find((block) => block.type === "tool_use");
  const result = { type: "tool_result", tool_use_id: call.id, content: "2" };
  messages.push({ role: "assistant", content: first.content }, { role: "user", content: [result] });
  const second = await sdk.messages.create({ ...asked, messages });
  return { call: call.name, args: call.input, text: second.content.find((block) => block.type === "text").text };
}

async function ai(model) {
  const { streamText, tool, jsonSchema, stepCountIs, isStepCount } = await import("ai");
  const calls = [];
  const add = tool({
    description: "Add.",
    inputSchema: jsonSchema(schema),
    execute: async (input) => {
      calls.push(input);
      return "2";
    },
  });
  const errors = [];
  const result = streamText({
    model,
    prompt: "Hi",
    tools: { add },
    stopWhen: (stepCountIs ?? isStepCount)(4),
    maxRetries: 0,
    onError: ({ error }) => errors.push(String(error)),
    providerOptions: { openai: { store: false } },
  });
  const text = await result.text;
  if (errors.length) throw new Error(errors.join("; "));
  return { call: "add", args: calls[0], text, usage: (await result.totalUsage).totalTokens > 0 };
}

const clients = {
  "openai.chat": openaiChat,
  "openai.responses": openaiResponses,
  "anthropic.messages": anthropicMessages,
  "ai.chat": async () => {
    const { createOpenAI } = await import("@ai-sdk/openai");
    return ai(createOpenAI({ apiKey: "k", baseURL: `${base}/v1` }).chat("c:echo"));
  },
  "ai.responses": async () => {
    const { createOpenAI } = await import("@ai-sdk/openai");
    return ai(createOpenAI({ apiKey: "k", baseURL: `${base}/v1` })("c:echo"));
  },
  "ai.compatible": async () => {
    const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
    return ai(createOpenAICompatible({ name: "gw", apiKey: "k", baseURL: `${base}/v1`, includeUsage: true })("c:echo"));
  },
  "ai.open-responses": async () => {
    const { createOpenResponses } = await import("@ai-sdk/open-responses");
    return ai(createOpenResponses({ name: "gw", apiKey: "k", url: `${base}/v1/responses` })("c:echo"));
  },
  "ai.messages": async () => {
    const { createAnthropic } = await import("@ai-sdk/anthropic");
    return ai(createAnthropic({ apiKey: "k", baseURL: `${base}/v1` })("c:echo"));
  },
};

console.log(JSON.stringify(await clients[client]()));

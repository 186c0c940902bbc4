"""A service on loopback that speaks three APIs as their makers do, with a model behind it that follows a script.

It is written from the makers' descriptions and shares no code with what is tested. It is strict: a request with a field that
the API does not have, a result without its call, or a call without its result is refused with status 400.
"""

import asyncio
import json
import threading
from itertools import count

import attrs
from aiohttp import web
from anthropic.types.beta import message_create_params as message_fields
from coding_model import THOUGHT, Tool, next_step
from openai.types.chat import completion_create_params as chat_fields
from openai.types.responses import response_create_params as response_fields

__all__ = ["ENCRYPTED", "SIGNATURE", "ScriptedService", "Seen"]

SIGNATURE = "sig/" + "+Aa9" * 700 + "="
ENCRYPTED = "enc/" + "+Bb8" * 700 + "="
_numbers = count(1)


@attrs.frozen
class Seen:
    """A request: API ("chat", "responses" or "messages"), headers, body, and the results of tools in it."""

    api: str
    headers: dict
    body: dict
    results: list
    offered: list


def _fields(kind):
    return set(kind.__annotations__)


_FIELDS = {
    "chat": _fields(chat_fields.CompletionCreateParamsBase) | {"stream"},
    "responses": _fields(response_fields.ResponseCreateParamsBase) | {"stream", "client_metadata"},
    "messages": (_fields(message_fields.MessageCreateParamsBase) | {"stream"}) - {"betas"},
}


class ScriptedService:
    """The service; it runs in a thread while the `with` block runs.

    Attributes:
        url: Its address.
        requests: What was asked.
        refused: Why requests were refused.
        reads: How often the model reads the file, in one answer.
        failure: Status, code and words with which every request is refused, if any.
    """

    def __init__(self):
        self.url = ""
        self.requests = []
        self.refused = []
        self.reads = 1
        self.failure = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._started = threading.Event()

    def __enter__(self):
        self._thread.start()
        self._started.wait(30)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def forget(self):
        """Forget all requests, and be as at the start."""
        self.requests.clear()
        self.refused.clear()
        self.reads, self.failure = 1, None

    def _run(self):
        asyncio.set_event_loop(self._loop)
        runner = self._loop.run_until_complete(self._listen())
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _listen(self):
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/responses", self._responses)
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_post("/v1/messages/count_tokens", self._count)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def _chat(self, request):
        return await self._answer(request, "chat", read_chat, chat_answer, chat_events)

    async def _responses(self, request):
        return await self._answer(request, "responses", read_responses, response_answer, response_events)

    async def _messages(self, request):
        return await self._answer(request, "messages", read_messages, message_answer, message_events)

    async def _count(self, request):
        return web.json_response({"input_tokens": 100})

    async def _answer(self, request, api, read, whole, events):
        body = await request.json()
        try:
            if unknown := set(body) - _FIELDS[api]:
                raise ValueError(f"unknown fields: {sorted(unknown)}")
            tools, calls, results = read(body)
            if sorted(calls) != sorted(name for name, _ in results):
                raise ValueError(f"the calls {calls} have the results of {[name for name, _ in results]}")
        except (ValueError, KeyError, TypeError, IndexError) as error:
            self.refused.append(f"{api}: {error!r}")
            return _refusal(api, str(error))
        texts = [text for _, text in results]
        self.requests.append(
            Seen(api, {n.lower(): v for n, v in request.headers.items()}, body, texts, tools)
        )
        if self.failure is not None:
            return _refusal(api, self.failure[2], *self.failure[:2])
        step = next_step(tools, texts, json.dumps(body), reads=self.reads)
        if not body.get("stream"):
            return web.json_response(whole(body, step))
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in events(body, step):
            await response.write(event)
        await response.write_eof()
        return response


def _refusal(api, message, status=400, code="invalid_request_error"):
    error = {"type": code, "message": message}
    body = {"type": "error", "error": error} if api == "messages" else {"error": {**error, "code": code}}
    return web.json_response(body, status=status)


def _text(content):
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _halves(text):
    middle = len(text) // 2
    return [piece for piece in (text[:middle], text[middle:]) if piece]


def _arguments(call):
    return json.dumps(call.arguments) if isinstance(call.arguments, dict) else call.arguments


def _sse(event, *, named=True):
    head = f"event: {event['type']}\n" if named else ""
    return f"{head}data: {json.dumps(event)}\n\n".encode()


# Chat completions


def read_chat(body):
    """Return the tools, the ids of calls, and ids and texts of their results."""
    tools = [
        Tool(tool[tool["type"]]["name"], tool[tool["type"]].get("parameters", {}), tool["type"])
        for tool in body.get("tools", ())
    ]
    calls, results = [], []
    for message in body["messages"]:
        if message["role"] not in ("system", "developer", "user", "assistant", "tool"):
            raise ValueError(f"the role {message['role']}")
        for call in message.get("tool_calls") or ():
            if call["type"] == "function":
                json.loads(call["function"]["arguments"])
            calls.append(call["id"])
        if message["role"] == "tool":
            results.append((message["tool_call_id"], _text(message["content"])))
    return tools, calls, results


def _chat_call(call):
    form = call.tool.form
    inner = {"name": call.tool.name, ("arguments" if form == "function" else "input"): _arguments(call)}
    return {"id": f"call_c{next(_numbers)}", "type": form, form: inner}


_CHAT_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 5},
}


def chat_answer(body, step):
    """Return a whole answer."""
    message = {"role": "assistant", "content": step.text, "refusal": None}
    if step.calls:
        message["tool_calls"] = [_chat_call(call) for call in step.calls]
    finish = "tool_calls" if step.calls else "stop"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    head = {"id": f"chatcmpl-{next(_numbers)}", "object": "chat.completion", "created": 1796000000}
    return {**head, "model": body["model"], "choices": [choice], "usage": _CHAT_USAGE}


def chat_events(body, step):
    """Return a streamed answer."""
    head = {"id": f"chatcmpl-{next(_numbers)}", "object": "chat.completion.chunk", "created": 1796000000}
    asked = (body.get("stream_options") or {}).get("include_usage")
    head |= {"model": body["model"], **({"usage": None} if asked else {})}

    def chunk(delta, finish=None):
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _sse({**head, "choices": [choice]}, named=False)

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    for piece in _halves(step.text):
        yield chunk({"content": piece})
    pieces = []  # those of several calls come by turns
    for index, call in enumerate(map(_chat_call, step.calls)):
        inner = call[call["type"]]
        field = "arguments" if call["type"] == "function" else "input"
        text, inner[field] = inner[field], ""
        yield chunk({"tool_calls": [{"index": index, **call}]})
        pieces += [(turn, index, call["type"], field, piece) for turn, piece in enumerate(_halves(text))]
    for _, index, form, field, piece in sorted(pieces):
        yield chunk({"tool_calls": [{"index": index, form: {field: piece}}]})
    yield chunk({}, "tool_calls" if step.calls else "stop")
    if asked:
        yield _sse({**head, "choices": [], "usage": _CHAT_USAGE}, named=False)
    yield b"data: [DONE]\n\n"


# Responses


def _response_tools(tools, namespace=None):
    for tool in tools:
        if tool["type"] == "namespace":
            yield from _response_tools(tool["tools"], tool["name"])
        elif tool["type"] in ("function", "custom"):
            yield Tool(tool["name"], tool.get("parameters") or {}, tool["type"], namespace)


def read_responses(body):
    """Return the tools, the ids of calls, and ids and texts of their results."""
    tools, calls, results = list(_response_tools(body.get("tools") or ())), [], []
    items = body["input"]
    for item in [] if isinstance(items, str) else items:
        kind = item.get("type", "message")
        if kind == "additional_tools":
            tools += _response_tools(item["tools"])
        elif kind == "reasoning":
            if item.get("encrypted_content") not in (None, ENCRYPTED):
                raise ValueError("the encrypted content could not be verified")
        elif kind in ("function_call", "custom_tool_call"):
            if kind == "function_call":
                json.loads(item["arguments"])
            calls.append(item["call_id"])
        elif kind in ("function_call_output", "custom_tool_call_output"):
            results.append((item["call_id"], _text(item["output"])))
        elif kind != "message":
            raise ValueError(f"the item {kind}")
    return tools, calls, results


def _response_items(body, step):
    encrypted = "reasoning.encrypted_content" in (body.get("include") or ())
    number = next(_numbers)
    summary = (
        [{"type": "summary_text", "text": THOUGHT}] if (body.get("reasoning") or {}).get("summary") else []
    )
    reasoning = {"type": "reasoning", "id": f"rs_{number}", "summary": summary}
    if encrypted:
        reasoning["encrypted_content"] = ENCRYPTED
    part = {"type": "output_text", "text": step.text, "annotations": [], "logprobs": []}
    message = {"type": "message", "id": f"msg_{number}", "role": "assistant", "content": [part]}
    items = [reasoning, {**message, "status": "completed"}]
    for call in step.calls:
        kind, field = {"custom": ("custom_tool_call", "input")}.get(
            call.tool.form, ("function_call", "arguments")
        )
        number = next(_numbers)
        item = {"type": kind, "id": f"fc_{number}", "call_id": f"call_r{number}", "name": call.tool.name}
        item |= {field: _arguments(call), "status": "completed"}
        items.append(item if call.tool.namespace is None else {**item, "namespace": call.tool.namespace})
    return items


def _response(body, status, items, usage):
    head = {"id": f"resp_{next(_numbers)}", "object": "response", "created_at": 1796000000, "status": status}
    told = {
        "error": None, "incomplete_details": None, "instructions": body.get("instructions"), "metadata": {},
        "parallel_tool_calls": True, "temperature": 1.0, "top_p": 1.0, "tool_choice": "auto", "tools": [],
        "previous_response_id": None, "max_output_tokens": None, "reasoning": {"effort": None, "summary": None},
        "store": body.get("store", True), "text": {"format": {"type": "text"}}, "truncation": "disabled",
    }  # fmt: skip
    return {**head, "model": body["model"], **told, "output": items, "usage": usage}


_RESPONSE_USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 0},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 120,
}


def response_answer(body, step):
    """Return a whole answer."""
    return _response(body, "completed", _response_items(body, step), _RESPONSE_USAGE)


def response_events(body, step):
    """Return a streamed answer."""
    items = _response_items(body, step)
    done = _response(body, "completed", items, _RESPONSE_USAGE)
    begun = {**done, "status": "in_progress", "output": [], "usage": None}
    plain = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(items):
        plain += _item_events(index, item)
    plain.append({"type": "response.completed", "response": done})
    for number, event in enumerate(plain):
        yield _sse({**event, "sequence_number": number})


def _item_events(index, item):
    place = {"item_id": item["id"], "output_index": index}
    empty = {"reasoning": {"summary": []}, "message": {"content": []}, "function_call": {"arguments": ""}}
    begun = {**item, **empty.get(item["type"], {"input": ""})}
    if item["type"] != "reasoning":
        begun["status"] = "in_progress"
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    if item["type"] == "reasoning":
        for number, part in enumerate(item["summary"]):
            at = {**place, "summary_index": number}
            head = "response.reasoning_summary"
            yield {"type": f"{head}_part.added", **at, "part": {**part, "text": ""}}
            for piece in _halves(part["text"]):
                yield {"type": f"{head}_text.delta", **at, "delta": piece}
            yield {"type": f"{head}_text.done", **at, "text": part["text"]}
            yield {"type": f"{head}_part.done", **at, "part": part}
    elif item["type"] == "message":
        at, part = {**place, "content_index": 0}, item["content"][0]
        yield {"type": "response.content_part.added", **at, "part": {**part, "text": ""}}
        for piece in _halves(part["text"]):
            yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
        yield {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}
        yield {"type": "response.content_part.done", **at, "part": part}
    else:
        head, field = (
            ("response.function_call_arguments", "arguments")
            if item["type"] == "function_call"
            else ("response.custom_tool_call_input", "input")
        )
        for piece in _halves(item[field]):
            yield {"type": f"{head}.delta", **place, "delta": piece}
        yield {"type": f"{head}.done", **place, field: item[field]}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


# Messages


def read_messages(body):
    """Return the tools, the ids of calls, and ids and texts of their results."""
    if body["max_tokens"] < 1:
        raise ValueError("max_tokens")
    tools = [
        Tool(tool["name"], tool["input_schema"]) for tool in body.get("tools", ()) if "input_schema" in tool
    ]
    calls, results, open_calls = [], [], []
    for number, message in enumerate(body["messages"]):
        if message["role"] not in ("user", "assistant") and (number == 0 or message["role"] != "system"):
            raise ValueError(f"the role {message['role']} in message {number}")
        blocks = message["content"]
        blocks = [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks
        found = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if open_calls and sorted(found) != sorted(open_calls):
            raise ValueError(f"the calls {open_calls} are followed by the results of {found}")
        open_calls = []
        for block in blocks:
            if block["type"] == "thinking" and block.get("signature") != SIGNATURE:
                raise ValueError("invalid signature in thinking block")
            if block["type"] == "text" and not block["text"]:
                raise ValueError("text content blocks must be non-empty")
            if block["type"] == "tool_use":
                calls.append(block["id"])
                open_calls.append(block["id"])
            if block["type"] == "tool_result":
                results.append((block["tool_use_id"], _text(block.get("content", ""))))
    return tools, calls, results


def _message_blocks(body, step):
    blocks = []
    if (body.get("thinking") or {"type": "disabled"})["type"] != "disabled":
        blocks.append({"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE})
    blocks.append({"type": "text", "text": step.text})
    for call in step.calls:
        block = {"id": f"toolu_{next(_numbers)}", "name": call.tool.name, "input": call.arguments}
        blocks.append({"type": "tool_use", **block})
    return blocks


_MESSAGE_USAGE = {
    "input_tokens": 60,
    "cache_read_input_tokens": 40,
    "cache_creation_input_tokens": 0,
    "output_tokens": 20,
}


def message_answer(body, step):
    """Return a whole answer."""
    head = {"id": f"msg_{next(_numbers)}", "type": "message", "role": "assistant", "model": body["model"]}
    stop = "tool_use" if step.calls else "end_turn"
    blocks = _message_blocks(body, step)
    return {**head, "content": blocks, "stop_reason": stop, "stop_sequence": None, "usage": _MESSAGE_USAGE}


def message_events(body, step):
    """Return a streamed answer."""
    whole = message_answer(body, step)
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**_MESSAGE_USAGE, "output_tokens": 1}}
    yield _sse({"type": "message_start", "message": begun})
    yield _sse({"type": "ping"})
    for index, block in enumerate(whole["content"]):
        empty = {"thinking": {"thinking": "", "signature": ""}, "text": {"text": ""}}.get(
            block["type"], {"input": {}}
        )
        yield _sse({"type": "content_block_start", "index": index, "content_block": {**block, **empty}})
        for delta in _block_deltas(block):
            yield _sse({"type": "content_block_delta", "index": index, "delta": delta})
        yield _sse({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield _sse({"type": "message_delta", "delta": delta, "usage": _MESSAGE_USAGE})
    yield _sse({"type": "message_stop"})


def _block_deltas(block):
    if block["type"] == "tool_use":
        pieces = _halves(json.dumps(block["input"]))
        return [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    kind = block["type"]
    deltas = [{"type": f"{kind}_delta", kind: piece} for piece in _halves(block[kind])]
    return deltas + (
        [{"type": "signature_delta", "signature": block["signature"]}] if kind == "thinking" else []
    )

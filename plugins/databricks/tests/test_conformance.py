"""The conformance kit over our samples, which are written by us from the documented formats."""

from __future__ import annotations

import json

import jackfield_databricks
from jackfield import ContextLengthExceededError, Image, Message, RateLimitError, Reasoning, Text, Tool
from jackfield.plugin import ChatRequest, Options
from jackfield.testing import Case, conformance

CLAUDE, LLAMA = "databricks-claude-sonnet-4-5", "databricks-meta-llama-3-3-70b-instruct"
SKY = "The sky scätters blue 🌤 light."
USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
ADD = Tool("add", "Add.", {"type": "object", "properties": {"a": {"type": "integer"}}})


def whole(message, finish="stop", usage=USAGE):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return json.dumps({"id": "msg_1", "object": "chat.completion", "model": "m-1", "choices": [choice], "usage": usage}).encode()  # fmt: skip


def streamed(*deltas, finish="stop"):
    base = {"id": "msg_1", "object": "chat.completion.chunk", "model": "m-1"}
    running = {**USAGE, "completion_tokens": None, "total_tokens": None}
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}], "usage": running} for delta in deltas]  # fmt: skip
    chunks.append({**base, "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": finish}], "usage": USAGE})  # fmt: skip
    return (
        b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    )


CALL = {"id": "toolu_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
HALF = {"index": 0, "id": "toolu_1", "type": "function", "function": {"name": "add", "arguments": ""}}
REST = [{"index": 0, "function": {"arguments": text}} for text in ('{"a"', ": 1}")]
THOUGHT = {"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm.", "signature": "s"}]}]}  # fmt: skip
ASKED = (Message("user", (Text("What is it?", cache="5m"), Image(data=b"x", media_type="image/png"))),)
THINK = Options(reasoning=Reasoning(budget_tokens=1024), max_tokens=2048)
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "stop_reason": "end_turn",
}
TOKENS = {"input_tokens": 10, "cache_read_input_tokens": 2, "output_tokens": 5}
THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}}


def message(*blocks, **facts):
    return json.dumps({**MESSAGE, "content": blocks, "usage": TOKENS, **facts}).encode()


def events(*blocks, stop="end_turn"):
    empty = {**MESSAGE, "content": [], "stop_reason": None, "usage": {**TOKENS, "output_tokens": 1}}
    made = [{"type": "message_start", "message": empty}]
    for index, (block, *deltas) in enumerate(blocks):
        made.append({"type": "content_block_start", "index": index, "content_block": block})
        made += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        made.append({"type": "content_block_stop", "index": index})
    made.append({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 5}})
    made.append({"type": "message_stop"})
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (one["type"].encode(), json.dumps(one).encode()) for one in made
    )


STREAMED_THINKING = (
    {**THINKING, "thinking": "", "signature": ""},
    {"type": "thinking_delta", "thinking": "Hm."},
    {"type": "signature_delta", "signature": "s"},
)
STREAMED_TEXT = (
    {"type": "text", "text": ""},
    *({"type": "text_delta", "text": text} for text in (SKY[:8], SKY[8:])),
)
STREAMED_USE = (
    {**USE, "input": {}},
    *({"type": "input_json_delta", "partial_json": text} for text in ('{"a"', ": 1}")),
)


def native(wire, **facts):
    """A case of the route `messages`."""
    return Case(model=CLAUDE, declared={"id": CLAUDE, "route": "messages"}, wire=wire, **facts)


@conformance(
    jackfield_databricks,
    native(events(STREAMED_THINKING, STREAMED_TEXT), thinking="Hm.", text=SKY, usage=(12, 5), finish="stop",
           pair="native", name="a streamed message", request=ChatRequest(ASKED, THINK, stream=True)),
    native(message(THINKING, {"type": "text", "text": SKY}), thinking="Hm.", text=SKY, usage=(12, 5), finish="stop",
           pair="native", name="a message", request=ChatRequest(ASKED, THINK)),
    native(events(STREAMED_USE, stop="tool_use"), tool_call=("add", {"a": 1}), finish="tool_calls", pair="native call",
           name="a streamed call of a message", request=ChatRequest(ASKED, Options(tools=(ADD,), tool_choice="add"), stream=True)),
    native(message(USE, stop_reason="tool_use"), tool_call=("add", {"a": 1}), finish="tool_calls", pair="native call",
           name="a call of a message", request=ChatRequest(ASKED, Options(tools=(ADD,), tool_choice="add"))),
    native(message({"type": "text", "text": '{"a": 1}'}), text='{"a": 1}', name="a schema of a message",
           request=ChatRequest((Message("user", "Add"),), Options(response_format=SCHEMA))),
    native(b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2 tokens > 1 maximum"}}',
           status=400, error=ContextLengthExceededError, name="a message that is too long"),
    native(b'{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"QPS"}', status=429, error=RateLimitError, name="a limit of messages"),
    Case(model=CLAUDE, wire=streamed({"content": SKY[:8]}, {"content": SKY[8:]}), text=SKY, pair="sky",
         usage=(12, 5), finish="stop", name="a stream"),
    Case(model=CLAUDE, wire=whole({"content": SKY}), text=SKY, pair="sky", finish="stop", name="an answer"),
    Case(model=CLAUDE, wire=streamed(THOUGHT, {"content": "Blue."}), thinking="Hm.", text="Blue.", name="thinking",
         request=ChatRequest(ASKED, THINK, stream=True), shows=("reasoning", "images", "prompt_cache")),
    Case(model=CLAUDE, wire=streamed({"tool_calls": [HALF]}, {"tool_calls": REST}, finish="tool_calls"),
         request=ChatRequest(ASKED, Options(tools=(ADD,)), stream=True), tool_call=("add", {"a": 1}),
         finish="tool_calls", pair="add", name="a streamed call"),
    Case(model=LLAMA, wire=whole({"content": None, "tool_calls": [CALL]}, "tool_calls"),
         request=ChatRequest((Message("user", "Add"),), Options(tools=(ADD,), tool_choice="add")),
         tool_call=("add", {"a": 1}), finish="tool_calls", shows=("tool_choice",), name="a call"),
    Case(model=LLAMA, wire=whole({"content": '{"a": 1}'}), text='{"a": 1}', shows=("json_schema",), name="a schema",
         request=ChatRequest((Message("user", "Add"),), Options(response_format=SCHEMA))),
    Case(model="databricks-gpt-oss-20b", wire=streamed({"reasoning_content": "Hm."}, {"content": "Hi"}),
         thinking="Hm.", text="Hi", name="an open model thinks"),
    Case(model="databricks-mpt-30b-instruct", kind="completion", name="a completion", text=" upon",
         wire=b'{"id":"t","object":"text_completion","model":"m","choices":[{"index":0,"text":" upon","finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}',
         usage=(1, 1), finish="length"),
    Case(model="databricks-bge-large-en", kind="embedding", embedding=(1, 2), name="an embedding",
         wire=b'{"object":"list","model":"m","data":[{"index":0,"embedding":[0.5,1.0]}],"usage":{"prompt_tokens":1,"total_tokens":1}}'),
    Case(model=LLAMA, wire=b'{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"QPS"}', status=429, error=RateLimitError, name="a limit"),
    Case(model=CLAUDE, wire=b'{"error_code":"BAD_REQUEST","message":"prompt is too long: 2 tokens > 1 maximum"}',
         status=400, error=ContextLengthExceededError, name="too long"),
)  # fmt: skip
def test_conformance(check):
    check()

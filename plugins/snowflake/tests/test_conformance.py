"""The conformance kit over our samples, which are written by us from the documented formats."""

from __future__ import annotations

import json

import jackfield_snowflake
from jackfield import (
    AuthenticationError,
    ContextLengthExceededError,
    Image,
    Message,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    Reasoning,
    Text,
    Tool,
)
from jackfield.plugin import ChatRequest, EmbedRequest, Options, SummarizeRequest
from jackfield.testing import Case, conformance

CLAUDE, MISTRAL, GPT = "claude-sonnet-4-6", "mistral-7b", "openai-gpt-4.1"
SKY = "The sky scätters blue 🌤 light."
USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
ADD = Tool("add", "Add.", {"type": "object", "properties": {"a": {"type": "integer"}}})
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
ASKED = (Message("user", (Text("What is it?", cache="5m"), Image(data=b"x", media_type="image/png"))),)
ADDED = (Message("user", "Add"),)


def sse(*events, done=False):
    lines = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    return b"".join(lines) + (b"data: [DONE]\n\n" if done else b"")


def whole(message, usage=USAGE):
    return json.dumps({"id": "1", "model": "m-1", "choices": [{"message": message}], "usage": usage}).encode()


def streamed(*deltas):
    base = {"id": "1", "created": 1, "model": "m-1"}
    pieces = [{**base, "choices": [{"delta": delta}], "usage": {}} for delta in deltas]
    return sse(*pieces, {**base, "choices": [{"delta": {}}], "usage": USAGE})


def openai(*deltas):
    base = {"id": "", "created": 0, "object": "chat.completion.chunk", "model": "m-1"}
    pieces = [{**base, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return sse(*pieces, {**base, "choices": [], "usage": USAGE}, done=True)


def openai_whole(message):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": ""}
    return json.dumps({"id": "", "object": "chat.completion", "created": 0, "model": "m-1", "choices": [choice], "usage": USAGE}).encode()  # fmt: skip


def said(text):
    return {"type": "text", "content": text, "content_list": [{"type": "text", "text": text}], "text": text}


CALL = {"type": "tool_use", "tool_use": {"tool_use_id": "toolu_1", "name": "add", "input": {"a": 1}}}
BEGUN = {"content_list": [{"type": "tool_use", "tool_use_id": "toolu_1", "name": "add"}]}
REST = [{"content_list": [{"type": "tool_use", "input": text}]} for text in ('{"a"', ": 1}")]
CHAT_CALL = {"id": "toolu_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
VECTORS = {"object": "list", "model": "m", "usage": {"total_tokens": 3}, "data": [
    {"object": "embedding", "index": 0, "embedding": [[0.5, -0.25]]}]}  # fmt: skip


def asked(messages=ASKED, stream=False, **options):
    return ChatRequest(messages, Options(**options), stream=stream)


@conformance(
    jackfield_snowflake,
    Case(model=CLAUDE, wire=streamed(said(SKY[:8]), said(SKY[8:])), text=SKY, usage=(12, 5), finish="stop", pair="sky",
         name="a stream", request=asked(stream=True)),
    Case(model=CLAUDE, wire=whole({"content": SKY, "content_list": [{"type": "text", "text": SKY}]}), text=SKY, pair="sky",
         finish="stop", name="an answer", request=asked(), shows=("images", "prompt_cache")),
    Case(model=CLAUDE, wire=streamed(said("I add."), BEGUN, *REST), text="I add.", tool_call=("add", {"a": 1}), pair="add",
         finish="tool_calls", name="a streamed call", request=asked(ADDED, stream=True, tools=(ADD,))),
    Case(model=CLAUDE, wire=whole({"content": "I add.", "content_list": [{"type": "text", "text": "I add."}, CALL]}),
         text="I add.", tool_call=("add", {"a": 1}), pair="add", finish="tool_calls", name="a call",
         request=asked(ADDED, tools=(ADD,), tool_choice="add"), shows=("tool_choice",)),
    Case(model=CLAUDE, wire=whole({"content": "{}"}), name="a schema", request=asked(ADDED, response_format=SCHEMA),
         shows=("json_schema",)),
    Case(model=GPT, wire=whole({"content": "Hi"}), name="an effort", text="Hi", shows=("reasoning",),
         request=asked(ADDED, reasoning=Reasoning(effort="low"))),
    Case(model=MISTRAL, wire=whole({"content": "Hi"}, {**USAGE, "completion_tokens": 9}), finish="length", name="cut short",
         request=asked(ADDED, max_tokens=9)),
    Case(model="snowflake-arctic-embed-m", kind="embedding", embedding=[[0.5, -0.25]], usage=(3, None), name="an embedding",
         wire=json.dumps(VECTORS).encode(), request=EmbedRequest(inputs=("a",))),
    Case(model=MISTRAL, wire=b'{"message": "max tokens of count exceeded"}', status=400, error=ContextLengthExceededError, name="too long"),
    Case(model=MISTRAL, wire=b'{"message": "unknown model \\"x\\""}', status=400, error=NotFoundError, name="unknown"),
    Case(model=MISTRAL, wire=b'{"message": "budget exceeded"}', status=402, error=QuotaExceededError, name="a budget"),
    Case(model=MISTRAL, wire=b'{"message": "too many requests"}', status=429, error=RateLimitError, name="a limit"),
    Case(model=MISTRAL, wire=b'{"message": "JWT token is invalid.", "code": "390144"}', status=401, error=AuthenticationError, name="a token"),
    Case(model=MISTRAL, wire=sse({"error": {"message": "503 overloaded", "code": "503"}}), error=OverloadedError, name="in a stream",
         request=asked(ADDED, stream=True)),
    Case(kind="listing", models=("a", "b"), wire=b'{"models": [{"name": "a"}, "b"]}', name="a listing"),
    settings={"account": "org-account", "token": "env:HOME", "route": "complete"},
)  # fmt: skip
def test_the_native_form_conforms(check):
    check()


@conformance(
    jackfield_snowflake,
    Case(model=CLAUDE, wire=openai({"role": "assistant", "content": SKY[:8]}, {"content": SKY[8:]}), text=SKY, usage=(12, 5),
         finish="stop", pair="sky", name="a stream", request=asked(stream=True)),
    Case(model=CLAUDE, wire=openai_whole({"content": SKY}), text=SKY, finish="stop", pair="sky", name="an answer",
         request=asked(reasoning=Reasoning(effort="low")), shows=("images", "prompt_cache", "reasoning")),
    Case(model=CLAUDE, wire=openai_whole({"content": "Hm.", "tool_calls": [CHAT_CALL]}), tool_call=("add", {"a": 1}),
         finish="tool_calls", name="a call", request=asked(ADDED, tools=(ADD,), tool_choice="add", parallel_tool_calls=False),
         shows=("tool_choice", "parallel_tool_calls")),
    Case(model=GPT, wire=openai_whole({"content": "{}"}), name="a schema", request=asked(ADDED, response_format=SCHEMA),
         shows=("json_schema",)),
    Case(model=MISTRAL, wire=b'{"error": {"message": "too many requests"}}', status=429, error=RateLimitError, name="a limit"),
    settings={"account": "org-account", "token": "env:HOME"},
)  # fmt: skip
def test_the_form_of_openai_conforms(check):
    check()


MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "stop_sequence": None,
           "usage": {"input_tokens": 12, "output_tokens": 5}}  # fmt: skip
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}


def claude(text, **more):
    return json.dumps(
        {**MESSAGE, "stop_reason": "end_turn", "content": [{"type": "text", "text": text}], **more}
    ).encode()


def claude_stream(*texts):
    begun = {**MESSAGE, "content": [], "stop_reason": None, "usage": {"input_tokens": 12, "output_tokens": 1}}
    events = [{"type": "message_start", "message": begun}, BLOCK]
    events += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in texts
    ]
    events += [{"type": "content_block_stop", "index": 0}, {"type": "message_delta", "delta": {"stop_reason": "end_turn"},
               "usage": {"output_tokens": 5}}, {"type": "message_stop"}]  # fmt: skip
    lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
    return b"".join(lines)


USE = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}}


@conformance(
    jackfield_snowflake,
    Case(model=CLAUDE, wire=claude_stream(SKY[:8], SKY[8:]), text=SKY, usage=(12, 5), finish="stop", pair="sky", name="a stream",
         request=asked(stream=True, max_tokens=99)),
    Case(model=CLAUDE, wire=claude(SKY), text=SKY, finish="stop", pair="sky", name="an answer", request=asked(max_tokens=99)),
    Case(model=CLAUDE, wire=claude("", content=[USE], stop_reason="tool_use"), tool_call=("add", {"a": 1}), finish="tool_calls",
         name="a call", request=asked(ADDED, tools=(ADD,), tool_choice="add", max_tokens=99)),
    Case(model=CLAUDE, wire=b'{"type": "error", "error": {"type": "rate_limit_error", "message": "busy"}}', status=429,
         error=RateLimitError, name="a limit"),
    settings={"account": "org-account", "token": "env:HOME", "route": "messages"},
)  # fmt: skip
def test_the_form_of_anthropic_conforms(check):
    check()


def result(*rows):
    return [{"query_id": "q", "columns": ["ANSWER"], "rows": list(rows)}]


ANSWERED = {"choices": [{"messages": SKY}], "created": 1, "model": "m-1", "usage": USAGE}


@conformance(
    jackfield_snowflake,
    Case(model=MISTRAL, wire=result([json.dumps({"value": ANSWERED, "error": None})]), text=SKY, usage=(12, 5), finish="stop",
         status=None, name="AI_COMPLETE", request=asked(ADDED, max_tokens=99, temperature=0), always=("statement", "model_parameters")),
    Case(model=MISTRAL, wire=result([json.dumps({"value": None, "error": "400 unknown model"})]), error=NotFoundError,
         status=None, name="a failed row", request=asked(ADDED)),
    Case(model=MISTRAL, wire=result([json.dumps({"structured_output": [{"raw_message": {"a": 1}, "type": "json"}], "usage": USAGE})]),
         text='{"a":1}', status=None, name="a schema", request=asked(ADDED, response_format=SCHEMA), shows=("json_schema", "json")),
    Case(model="summarize", kind="summarization", wire=result(["Short."]), text="Short.", finish="stop", status=None,
         name="AI_SUMMARIZE", request=SummarizeRequest("Long.")),
    Case(model="snowflake-arctic-embed-m", kind="embedding", embedding=[[0.5, -0.25], [1.0, 2.0]], usage=(None, None),
         status=None, wire=result([1, [1.0, 2.0]], [0, "[0.5, -0.25]"]), name="AI_EMBED", request=EmbedRequest(inputs=("a", "b"))),
    settings={"account": "org-account", "token": "env:HOME", "route": "sql"},
)  # fmt: skip
def test_the_form_of_sql_conforms(check):
    check()

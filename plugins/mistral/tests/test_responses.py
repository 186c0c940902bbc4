"""Responses at Mistral, and the count of tokens: what is sent, what is refused, and what the official SDK does.

The answers are made up from the documented formats.
"""

from __future__ import annotations

from contextlib import asynccontextmanager

import oracles
import pytest
from mistralai.client import Mistral, models

import jackfield_mistral
from jackfield import Mesh, Message, Reasoning, TextDelta, Tool, UnsupportedError
from jackfield.plugin import ChatRequest, Continuation, CountRequest, ModelRef, Options
from jackfield.testing import Answer, RecordingServer, translated

MODEL = "mistral-small-2603"
HELLO = (Message("user", "Why?"),)
INPUT = [{"role": "user", "content": "Why?"}]
SCHEMA = {"type": "object", "title": "city", "properties": {}, "required": [], "additionalProperties": False}
TEXT = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [
    {"type": "output_text", "text": "Because.", "annotations": []}]}  # fmt: skip
THOUGHT = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "Hm."}],
}
RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": MODEL, "tools": [],
    "output": [THOUGHT, TEXT], "parallel_tool_calls": True, "tool_choice": "auto",
    "usage": {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14, "input_tokens_details": {"cached_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 3}},
}  # fmt: skip
COUNT = {"object": "response.input_tokens", "input_tokens": 7}
# What the SDK sends though its caller did not ask for it.
DEFAULTS = {"stream": False, "parallel_tool_calls": True, "truncation": "disabled", "background": False,
    "store": False, "top_logprobs": 0}  # fmt: skip


def made(kind=ChatRequest, route="responses", **options):
    model = ModelRef(MODEL, declared={"route": route})
    return translated(jackfield_mistral, model, kind(HELLO, Options(**options)))


@asynccontextmanager
async def both(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", "made-up-key")
    async with RecordingServer() as server:
        connection = {"provider": "mistral", "base_url": server.url, "api_key": "env:MISTRAL_API_KEY",
            "models": [{"id": MODEL, "route": "responses"}, "mistral-large-2512"]}  # fmt: skip
        client = Mistral(api_key="made-up-key", server_url=server.url)
        async with Mesh.from_config({"connections": {"mistral": connection}}) as mesh, client:
            yield server, mesh, client


def difference(ours, theirs):
    said = {name: one for name, one in theirs.json.items() if one is not None and DEFAULTS.get(name) != one}
    # It names the type of a message, which may be missing.
    said["input"] = [{name: one for name, one in item.items() if one != "message"} for item in said["input"]]
    if "tools" in said:
        said["tools"] = [
            {name: one for name, one in tool.items() if one is not None} for tool in said["tools"]
        ]
    return oracles.difference(ours, theirs, said=said)


CHATS = {
    "nothing": ({}, {}),
    "sampling": (
        {"temperature": 0.5, "top_p": 0.9, "max_tokens": 5, "system": "Be brief."},
        {"temperature": 0.5, "top_p": 0.9, "max_output_tokens": 5, "instructions": "Be brief."},
    ),
    "effort": ({"reasoning": "high"}, {"reasoning": {"effort": "high"}}),
    "tools": (
        {"tools": [Tool("now", "Now.", {"type": "object", "properties": {}})], "tool_choice": "required"},
        {"tools": [{"type": "function", "name": "now", "description": "Now.", "strict": False,
            "parameters": {"type": "object", "properties": {}}}], "tool_choice": "required"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHATS)
async def test_requests_are_those_of_the_sdk(name, monkeypatch):
    ours, theirs = CHATS[name]
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(RESPONSE), Answer.json(RESPONSE))
        reply = await mesh.chat(f"mistral:{MODEL}", "Why?", **ours)
        answer = await client.responses.create_async(model=MODEL, input=INPUT, **theirs)
        assert difference(*server.requests) == {}
        assert server.requests[0].path == "/v1/responses"
        assert (reply.text, reply.thinking, reply.id) == ("Because.", "Hm.", answer.id)
        assert (reply.usage.input_tokens, reply.usage.cached_input_tokens) == (9, 4)
        assert (reply.usage.output_tokens, reply.usage.reasoning_tokens) == (5, 3)
        assert reply.cost.status == "complete"


async def test_the_oracle_sees_another_request(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(RESPONSE), Answer.json(RESPONSE))
        await mesh.chat(f"mistral:{MODEL}", "Why?", temperature=0.0)
        await client.responses.create_async(model=MODEL, input=INPUT)
        assert difference(*server.requests).keys() == {"body"}


@pytest.mark.parametrize(
    ("form", "kind"),
    [("json", models.CreateResponseRequestResponsesFormatJSONObject),
     (SCHEMA, models.CreateResponseRequestResponsesFormatTextJSONSchemaConfig)],
)  # fmt: skip
def test_formats_are_what_the_sdk_declares(form, kind):
    """The SDK of this version loses `text` when it sends, so its declaration is the oracle."""
    body = made(response_format=form).wire.body
    assert type(models.CreateResponseRequest.model_validate(body).text.format_) is kind
    nameless = {**body, "text": {"format": {"type": "json_schema"}}}
    assert type(models.CreateResponseRequest.model_validate(nameless).text.format_) is not kind


@pytest.mark.parametrize("model", [MODEL, "mistral-large-2512"])
async def test_tokens_are_counted_by_the_service(model, monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(COUNT), Answer.json(COUNT))
        count = await mesh.count_tokens(f"mistral:{model}", "Why?", system="Be brief.", temperature=0.5)
        theirs = await client.responses.count_input_tokens_async(
            model=model, input=INPUT, instructions="Be brief."
        )
        assert difference(*server.requests) == {}
        assert (count.input_tokens, count.exact, count.source) == (theirs.input_tokens, True, "service")


async def test_a_stream_is_read(monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        server.answer(Answer.sse([
            {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": []}},
            {"type": "response.output_item.added", "output_index": 0, "item": {**THOUGHT, "content": []}},
            {"type": "response.reasoning_text.delta", "output_index": 0, "item_id": "rs_1", "content_index": 0, "delta": "Hm."},
            {"type": "response.output_item.done", "output_index": 0, "item": THOUGHT},
            {"type": "response.output_text.delta", "output_index": 1, "item_id": "msg_1", "content_index": 0, "delta": "Because."},
            {"type": "response.completed", "response": RESPONSE},
        ]), Answer.json(RESPONSE))  # fmt: skip
        async with mesh.stream_chat(f"mistral:{MODEL}", "Why?") as stream:
            text = "".join([event.text async for event in stream if isinstance(event, TextDelta)])
        whole = await mesh.chat(f"mistral:{MODEL}", "Why?")
        assert text == "Because."
        assert (stream.response.choices, stream.response.usage) == (whole.choices, whole.usage)


async def test_thinking_goes_back_as_it_came(monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        server.answer(Answer.json(RESPONSE), Answer.json(RESPONSE))
        reply = await mesh.chat(f"mistral:{MODEL}", "Why?")
        await mesh.chat(f"mistral:{MODEL}", [*HELLO, reply.message, Message("user", "And?")])
        assert server.requests[1].json["input"][1] == THOUGHT


@pytest.mark.parametrize(
    "options",
    [
        {"store": True}, {"background": True}, {"continue_from": Continuation(id="resp_1", stored=True)},
        {"logprobs": True}, {"top_logprobs": 2}, {"seed": 1}, {"stop": ("a",)}, {"n": 2}, {"user": "u"},
        {"presence_penalty": 1.0}, {"reasoning": Reasoning(effort="high", summary=True)},
    ],
    ids=lambda options: next(iter(options)),
)  # fmt: skip
def test_what_responses_do_not_have_is_refused(options):
    with pytest.raises(UnsupportedError):
        made(**options)
    (name,) = options
    report = made(**options, unsupported="drop").report
    assert next(note.fate for note in report if note.name.startswith(name)) in ("dropped", "clamped")


def test_the_other_route_has_no_state():
    assert made(store=False).wire.body["store"] is False
    assert made(route=None).wire.path == "/v1/chat/completions"
    for options in ({"store": True}, {"continue_from": Continuation(id="x")}, {"background": True}):
        with pytest.raises(UnsupportedError):
            made(route=None, **options)
    assert made(CountRequest, route=None).wire.path == "/v1/responses/input_tokens"

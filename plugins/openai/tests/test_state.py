"""Answers that the service keeps: how a call continues one, and what is refused before anything is sent."""

from __future__ import annotations

import attrs
import pytest
from openai_clients import SENT, both
from openai_oracle import RESPONSE, USER, WHOLE
from oracles import difference

import jackfield_openai
from jackfield import ConfigurationError, Message, Reply, Text, ToolCall, ToolResult, UnsupportedError
from jackfield.plugin import ChatRequest, Continuation, CountRequest, ModelRef, Options
from jackfield.testing import Answer, translated
from jackfield_openai import OpenAISettings, compatible

KEPT = Continuation(
    id="resp_1", connection="openai", model="gpt-5", answered_by="gpt-5-2025-08-07", stored=True
)
HELLO = Message("user", "Hello")


def made(model="gpt-5", messages=(HELLO,), *, route=None, settings=None, kind=ChatRequest, **options):
    declared = {} if route is None else {"route": route}
    ref = ModelRef(model, "openai", declared=declared, settings=settings)
    return translated(jackfield_openai, ref, kind(tuple(messages), Options(**options)))


def test_an_answer_is_continued_by_its_id():
    wire = made(continue_from=KEPT).wire
    assert wire.path == "/responses"
    assert wire.body == {
        "model": "gpt-5",
        "input": [{"role": "user", "content": "Hello"}],
        "previous_response_id": "resp_1",
    }


def test_what_stands_before_the_answer_is_not_sent_again():
    messages = (HELLO, Message("assistant", "Hi"), Message("user", "On"))
    translation = made(messages=messages, continue_from=attrs.evolve(KEPT, seen=2))
    assert translation.wire.body["input"] == [{"role": "user", "content": "On"}]
    assert translation.report["messages"].fate == "dropped"


def test_the_result_of_a_custom_tool_fits_its_call_in_the_answer():
    call = ToolCall("call_1", "shell", {}, "ls", {"openai": {"type": "custom"}})
    answer = attrs.evolve(KEPT, tool_calls=(call,))
    body = made(messages=[Message("tool", (ToolResult("call_1", "a.py"),))], continue_from=answer).wire.body
    assert body["input"] == [{"type": "custom_tool_call_output", "call_id": "call_1", "output": "a.py"}]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"stored": False}, "does not keep resp_1"),
        ({"stored": None}, "did not say that it keeps resp_1"),
        ({"connection": "other"}, "came through the connection other; openai does not know it"),
        ({"model": "gpt-4o", "answered_by": "gpt-4o-2024-08-06"}, "gpt-4o-2024-08-06, which is of another family"),
        ({"model": "o3", "answered_by": None}, "answer of o3, which is of another family"),
    ],
)  # fmt: skip
def test_what_the_service_cannot_continue_is_refused(changes, why):
    answer = attrs.evolve(KEPT, seen=1, **changes)
    with pytest.raises(UnsupportedError, match=why) as caught:
        made(messages=(HELLO, HELLO), continue_from=answer)
    assert caught.value.parameter == "continue_from"
    dropped = made(messages=(HELLO, HELLO), continue_from=answer, unsupported="drop")
    assert "previous_response_id" not in dropped.wire.body
    assert len(dropped.wire.body["input"]) == 2


@pytest.mark.parametrize(
    ("model", "before"), [("gpt-5-mini", "gpt-5"), ("gpt-5.1", "gpt-5.4-mini"), ("mine", "mine")]
)
def test_a_model_of_the_family_continues(model, before):
    answer = attrs.evolve(KEPT, model=before, answered_by=None)
    assert made(model, continue_from=answer).wire.body["previous_response_id"] == "resp_1"


def test_a_socket_knows_its_last_answer_though_it_is_not_kept():
    settings = OpenAISettings(transport="websocket")
    body = made(settings=settings, continue_from=attrs.evolve(KEPT, stored=False), store=False).wire.body
    assert (body["previous_response_id"], body["store"]) == ("resp_1", False)
    with pytest.raises(UnsupportedError, match="did not say"):
        made(settings=settings, continue_from=attrs.evolve(KEPT, stored=None))


def test_chat_completions_keep_no_state():
    for options in ({"continue_from": KEPT}, {"background": True}):
        with pytest.raises(UnsupportedError, match='route = "responses"'):
            made("gpt-4o", route="chat", **options)
    assert made("gpt-4o", route="chat", store=True).wire.body["store"] is True
    assert made("gpt-4o", store=False).wire.path == "/chat/completions"
    assert made("gpt-4o", background=False).report["background"].fate == "dropped"
    assert made("gpt-4o", store=True).wire.path == "/responses"
    other = compatible(id="acme", base_url="http://127.0.0.1:9/v1")
    for options in ({"store": True}, {"continue_from": KEPT}, {"background": True}):
        with pytest.raises(UnsupportedError):
            translated(other, ModelRef("m"), ChatRequest((HELLO,), Options(**options)))


def test_tokens_are_counted_behind_the_answer():
    made_count = made(kind=CountRequest, continue_from=KEPT, store=True)
    assert made_count.wire.body["previous_response_id"] == "resp_1"
    assert "store" not in made_count.wire.body


def test_an_answer_in_the_background_is_kept():
    body = made(background=True).wire.body
    assert (body["background"], body["store"]) == (True, True)
    assert made(background=True).report["store"].fate == "defaulted"
    with pytest.raises(UnsupportedError, match="store=False"):
        made(background=True, store=False)
    lax = made(background=True, store=False, unsupported="drop", route="responses").wire
    assert (lax.body.get("background"), lax.body["store"], lax.transport) == (None, False, None)
    quiet = compatible(id="acme", base_url="http://127.0.0.1:9/v1", responses_path="/responses")
    with pytest.raises(UnsupportedError, match="not known to have it"):
        translated(quiet, ModelRef("m"), ChatRequest((HELLO,), Options(background=True)))


async def test_a_conversation_is_continued_as_the_sdk_does(monkeypatch):
    first, second = {**RESPONSE, "store": True}, {**RESPONSE, "id": "resp_2", "store": True}
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(*(Answer.json(answer) for answer in (first, second, second)))
        said = await mesh.chat("openai:gpt-5.2-pro", "Why?", store=True)
        assert (said.stored, said.id) == (True, "resp_1")
        ours = await mesh.chat("openai:gpt-5.2-pro", "And?", continue_from=said, store=True)
        await client.responses.create(model="gpt-5.2-pro", input=[{"role": "user", "content": "And?"}],
            previous_response_id="resp_1", store=True)  # fmt: skip
        assert ours.id == "resp_2"
        assert server.requests[1].json["previous_response_id"] == "resp_1"
        assert difference(*server.requests[1:], *SENT) == {}


async def test_the_oracle_sees_another_id(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(*(Answer.json({**RESPONSE, "store": True}) for _ in range(3)))
        said = await mesh.chat("openai:gpt-5.2-pro", "Why?")
        await mesh.chat("openai:gpt-5.2-pro", "And?", continue_from=said)
        await client.responses.create(model="gpt-5.2-pro", input=[{"role": "user", "content": "And?"}],
            previous_response_id="resp_0")  # fmt: skip
        assert difference(*server.requests[1:], *SENT).keys() == {"body"}


async def test_the_same_list_of_messages_may_grow(monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        server.answer(Answer.json({**RESPONSE, "store": True}), Answer.json(RESPONSE))
        messages = [{"role": "user", "content": "Why?"}]
        said = await mesh.chat("openai:gpt-5.2-pro", messages)
        messages = [*messages, said.message, {"role": "user", "content": "And?"}]
        later = await mesh.chat("openai:gpt-5.2-pro", messages, continue_from=said)
        assert server.requests[1].json["input"] == [{"role": "user", "content": "And?"}]
        assert later.stored is None  # this one does not say so
        with pytest.raises(UnsupportedError, match="did not say"):
            await mesh.chat("openai:gpt-5.2-pro", "So?", continue_from=later)
        with pytest.raises(ConfigurationError, match="end with the answer that is continued"):
            await mesh.chat("openai:gpt-5.2-pro", messages[:2], continue_from=said)
        assert len(server.requests) == 2


async def test_what_is_asked_for_holds_where_the_answer_does_not_say(monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        server.answer(Answer.json(RESPONSE), Answer.json(RESPONSE), Answer.json(WHOLE))
        assert (await mesh.chat("openai:gpt-5.2-pro", USER, store=True)).stored is True
        assert (await mesh.chat("openai:gpt-5.2-pro", USER, store=False)).stored is False
        assert (await mesh.chat("openai:gpt-4o", USER)).stored is None


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("resp_1", "must be a reply"),
        (Reply(), "gave the answer no id"),
        (Reply(id="resp_1", complete=False), "is not complete"),
    ],
)
async def test_only_a_whole_answer_is_continued(value, why, monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        with pytest.raises(ConfigurationError, match=why):
            await mesh.chat("openai:gpt-5.2-pro", [Message("user", (Text("And?"),))], continue_from=value)
        assert not server.requests


def test_thinking_that_is_not_kept_comes_as_it_can_be_sent_back():
    body = made("gpt-5.2", store=False, route="responses").wire.body
    assert (body["store"], body["include"]) == (False, ["reasoning.encrypted_content"])
    both = made(
        "gpt-5.2",
        store=False,
        route="responses",
        logprobs=True,
        unsupported="drop",
        extra={"openai": {"include": ["reasoning.encrypted_content"]}},
    )
    assert both.wire.body["include"].count("reasoning.encrypted_content") == 1
    for kept in (made("gpt-5.2", route="responses"), made("gpt-5.2", store=True, route="responses")):
        assert "include" not in kept.wire.body
    assert "include" not in made("gpt-4o", store=False, route="responses").wire.body


def test_a_service_that_keeps_nothing_need_not_be_told_to_keep_nothing():
    other = compatible(id="acme", base_url="http://127.0.0.1:9/v1", responses_path="/responses")
    for api in (compatible(id="acme", base_url="http://127.0.0.1:9/v1"), other):
        told = translated(api, ModelRef("m"), ChatRequest((HELLO,), Options(store=False)))
        assert "store" not in told.wire.body
        assert told.report["store"].fate == "dropped"

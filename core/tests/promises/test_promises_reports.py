"""What is renamed, defaulted, clamped, dropped or emulated is reported, per attempt; nothing given is changed."""

import copy

import attrs
import pytest
from plain_provider import KINDS, TABLE, PlainProvider, hello, mesh_for, read, streamed

from jackfield import Message, Text, ToolResult, UnsupportedError
from jackfield.plugin import Capabilities, ParameterRule, hookimpl
from jackfield.testing import Answer, FakeProvider

CONVERSATION = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": [{"type": "text", "text": "what is 1 + 2?"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "t1", "function": {"name": "add", "arguments": {"numbers": [1, 2]}}}],
    },
    {"role": "tool", "tool_call_id": "t1", "content": "3"},
]
TOOLS = [
    {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
]


def fates(report):
    return {note.name: note.fate for note in report}


RULES = attrs.evolve(
    TABLE,
    parameters={
        **TABLE.parameters,
        "stop": ParameterRule(max_items=2),
        "user": ParameterRule(supported=False, why="the model knows no users"),
    },
)


async def test_renamed_and_sent(server):
    server.answer(hello())
    async with mesh_for(server.url) as mesh:
        reply = await mesh.chat("c:m", "hi", max_tokens=9, temperature=0)
    assert fates(reply.parameters) == {"max_tokens": "renamed", "temperature": "sent"}
    assert server.requests[0].json["limit"] == 9
    assert server.requests[0].json["temperature"] == 0
    assert reply.parameters.changed() == ()


async def test_clamped_and_dropped_are_reported_in_every_attempt(server, pauses):
    server.answer(Answer.json({}, 503), hello())
    async with mesh_for(server.url, PlainProvider(capabilities=RULES)) as mesh:
        reply = await mesh.chat(
            "c:m", "hi", temperature=9, stop=["a", "b", "c"], user="me", seed=1, unsupported="drop"
        )
    wanted = {"temperature": "clamped", "stop": "clamped", "user": "dropped", "seed": "dropped"}
    assert fates(reply.parameters) == wanted
    assert [fates(attempt.parameters) for attempt in reply.attempts] == [wanted, wanted]
    assert all(note.why for note in reply.parameters.changed())
    sent = server.requests[0].json
    assert (sent["temperature"], sent["stop"]) == (2, ["a", "b"])
    assert "user" not in sent
    assert "seed" not in sent


async def test_the_same_is_an_error_unless_asked_otherwise(server):
    async with mesh_for(server.url, PlainProvider(capabilities=RULES)) as mesh:
        for options in ({"temperature": 9}, {"stop": ["a", "b", "c"]}, {"user": "me"}, {"seed": 1}):
            with pytest.raises(UnsupportedError, match=next(iter(options))) as caught:
                await mesh.chat("c:m", "hi", **options)
            assert caught.value.parameter == next(iter(options))
    assert server.requests == []


async def test_the_connections_policy_holds_unless_the_call_says_otherwise(server):
    server.answer(hello())
    async with mesh_for(server.url, unsupported="drop") as mesh:
        assert fates((await mesh.chat("c:m", "hi", seed=1)).parameters) == {"seed": "dropped"}
        with pytest.raises(UnsupportedError):
            await mesh.chat("c:m", "hi", seed=1, unsupported="error")


async def test_a_stream_reports_too(server):
    server.answer(streamed())
    async with mesh_for(server.url) as mesh:
        stream = mesh.stream_chat("c:m", "hi", seed=1, unsupported="drop")
        await read(stream)
    assert fates(stream.response.parameters) == {"seed": "dropped"}
    assert fates(stream.response.attempts[0].parameters) == {"seed": "dropped"}


async def test_a_failed_calls_attempts_report_as_well(server):
    server.answer(Answer.json({}, 400))
    async with mesh_for(server.url) as mesh:
        with pytest.raises(Exception) as caught:
            await mesh.chat("c:m", "hi", max_tokens=1)
    assert fates(caught.value.attempts[0].parameters) == {"max_tokens": "renamed"}


class Defaulting(PlainProvider):
    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        made = super().jackfield_translate(model, request, capabilities)
        from jackfield import ParameterNote, ParameterReport
        from jackfield.plugin import Translation

        made.wire.body["limit"] = 99
        note = ParameterNote("max_tokens", "defaulted", "limit", 99, "the service wants one")
        return Translation(made.wire, ParameterReport((*made.report, note)))


async def test_what_the_service_requires_is_defaulted_and_reported(server):
    server.answer(hello())
    async with mesh_for(server.url, Defaulting()) as mesh:
        reply = await mesh.chat("c:m", "hi")
    assert reply.parameters["max_tokens"].fate == "defaulted"


async def test_nothing_is_sent_that_was_not_given(server):
    server.answer(hello())
    async with mesh_for(server.url) as mesh:
        reply = await mesh.chat("c:m", "hi")
    assert set(server.requests[0].json) == {"model", "messages"}
    assert len(reply.parameters) == 0


@pytest.mark.parametrize(
    ("name", "value"), [("temperature", 0), ("system", ""), ("stop", []), ("max_tokens", 0)]
)
async def test_zero_and_empty_are_given(server, name, value):
    server.answer(hello())
    async with mesh_for(server.url) as mesh:
        await mesh.chat("c:m", "hi", **{name: value})
    sent = server.requests[0].json
    assert sent["limit" if name == "max_tokens" else name] == value


async def test_extra_goes_to_its_provider_alone(server):
    server.route("POST", "/chat", hello())
    async with mesh_for(server.url) as mesh:
        reply = await mesh.chat("c:m", "hi", extra={"plain": {"deep": {"x": 1}}, "openai": {"y": 2}})
    assert server.requests[0].json["deep"] == {"x": 1}
    assert "y" not in server.requests[0].json
    assert reply.parameters["extra.plain.deep"].fate == "sent"


async def test_a_summary_on_a_chat_model_is_reported_as_emulated(server):
    server.answer(hello("short"))
    async with mesh_for(server.url) as mesh:
        reply = await mesh.summarize("c:m", "a long text")
        note = reply.parameters["summarization"]
        assert (note.fate, "summary prompt" in note.why) == ("emulated", True)
        with pytest.raises(UnsupportedError, match="emulate=False") as caught:
            await mesh.summarize("c:m", "a long text", emulate=False)
        assert caught.value.parameter == "emulate"
    assert len(server.requests) == 1
    assert "Summarize" in server.requests[0].json["system"]
    assert server.requests[0].json["messages"] == [{"role": "user", "text": "a long text"}]


async def test_a_completion_on_a_chat_only_model_is_reported_as_emulated(server):
    plugin = PlainProvider(capabilities=attrs.evolve(TABLE, kinds=frozenset({"chat"})))
    server.answer(hello())
    async with mesh_for(server.url, plugin) as mesh:
        reply = await mesh.complete("c:m", "once upon")
        with pytest.raises(UnsupportedError):
            await mesh.complete("c:m", "once upon", emulate=False)
    assert reply.parameters["completion"].fate == "emulated"
    assert server.requests[0].path == "/chat"


async def test_a_kind_that_cannot_be_emulated_is_refused(server):
    plugin = PlainProvider(capabilities=attrs.evolve(TABLE, kinds=frozenset({"chat"})))
    async with mesh_for(server.url, plugin) as mesh:
        with pytest.raises(UnsupportedError, match="does not serve embedding"):
            await mesh.embed("c:m", ["a"])
        with pytest.raises(UnsupportedError, match="does not serve rerank"):
            await mesh.rerank("c:m", "q", ["a"])
    assert server.requests == []


async def test_several_choices_are_never_made_of_several_calls(server):
    async with mesh_for(server.url) as mesh:
        with pytest.raises(UnsupportedError, match="cannot honour n"):
            await mesh.chat("c:m", "hi", n=2)
    assert server.requests == []


# Nothing that was given is changed


@pytest.mark.parametrize("how", ["chat", "stream", "explain", "count", "drop"])
async def test_input_objects_are_never_changed(server, how):
    messages, tools = copy.deepcopy(CONVERSATION), copy.deepcopy(TOOLS)
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    options = {
        "tools": tools,
        "response_format": schema,
        "stop": ["a", "b"],
        "extra": {"plain": {"response_format": {"properties": {"b": {}}}, "stop": ["c"]}},
        "timeout": {"total": 5},
    }
    before = copy.deepcopy((messages, options))
    server.route("POST", "/chat", lambda request: streamed() if request.json.get("stream") else hello())
    plugin = PlainProvider(capabilities=TABLE.with_features("t", tools=how != "drop"))
    async with mesh_for(server.url, plugin) as mesh:
        if how == "stream":
            await read(mesh.stream_chat("c:m", messages, **options))
        elif how == "explain":
            mesh.explain("c:m", messages, **options)
        elif how == "count":
            await mesh.count_tokens("c:m", messages, **options)
        else:
            await mesh.chat("c:m", messages, unsupported="drop", **options)
    assert (messages, options) == before


async def test_texts_and_documents_are_never_changed(server):
    texts = ["a", "b", "c"]
    before = list(texts)
    server.route("POST", "/embed", lambda r: Answer.json({"vectors": [[1.0]] * len(r.json["inputs"])}))
    server.route("POST", "/rerank", Answer.json({"scores": [[0, 0.1], [2, 0.3], [1, 0.2]]}))
    async with mesh_for(server.url) as mesh:
        await mesh.embed("c:m", texts)
        await mesh.rerank("c:m", "q", texts)
    assert texts == before


async def test_a_reply_goes_back_as_it_is(server):
    server.route("POST", "/chat", hello())
    messages = [Message("user", "hi")]
    async with mesh_for(server.url) as mesh:
        reply = await mesh.chat("c:m", messages)
        await mesh.chat(
            "c:m", [*messages, reply.message, ToolResult("t1", "42"), {"role": "user", "content": "so?"}]
        )
    assert [m["role"] for m in server.requests[1].json["messages"]] == ["user", "assistant", "tool", "user"]
    assert messages == [Message("user", (Text("hi"),))]


async def test_the_report_of_the_fake_says_what_the_models_rules_did():
    fake = FakeProvider(capabilities=Capabilities(kinds=KINDS, parameters=RULES.parameters))
    from jackfield import Mesh
    from jackfield._plugins.registry import Registry

    async with Mesh.from_config(
        {"connections": {"c": {"provider": "fake"}}}, registry=Registry.of(fake)
    ) as mesh:
        reply = await mesh.chat("c:m", "hi", temperature=3, user="me", unsupported="drop")
    assert fates(reply.parameters) == {"temperature": "clamped", "user": "dropped"}

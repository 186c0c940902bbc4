"""Requests: what becomes of each thing that a caller can say."""

import copy

import pytest

import jackfield_cohere
from jackfield import (
    ConfigurationError,
    Document,
    Image,
    Message,
    RawPart,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    UnsupportedError,
)
from jackfield._calls.translation import translate as as_a_call_does
from jackfield.plugin import (
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    ModelRef,
    Options,
    RerankRequest,
    SummarizeRequest,
)
from jackfield.testing import no_sockets
from jackfield_cohere import Dialect, capabilities, translate

USER = (Message("user", "Why?"),)
ADD = Tool(
    "add",
    "Add.",
    {"type": "object", "properties": {"a": {"type": "integer", "minimum": 0}}, "required": ["a"]},
)


def translated(request, model="command-a-03-2025", **declared):
    ref = ModelRef(model, declared=declared)
    known = jackfield_cohere.jackfield_capabilities(ref)
    return as_a_call_does(jackfield_cohere.jackfield_translate, ref, request, known)


def chat(messages=USER, model="command-a-03-2025", route=None, **options):
    declared = {} if route is None else {"route": route}
    return translated(ChatRequest(tuple(messages), Options(**options)), model, **declared)


def fates(translation):
    return {note.name: note.fate for note in translation.report}


def test_paths():
    paths = {
        "command-a-03-2025": ("/v2/chat", "sse"),
        "command": ("/v1/chat", "jsonlines"),
        "command-light": ("/v1/chat", "jsonlines"),
        "something-new": ("/v2/chat", "sse"),
    }
    for model, (path, framing) in paths.items():
        wire = translated(ChatRequest(USER, stream=True), model).wire
        assert (wire.path, wire.framing, wire.body["stream"]) == (path, framing, True)
    assert translated(CompletionRequest("a"), "command-light").wire.path == "/v1/generate"
    assert translated(SummarizeRequest("a"), "command").wire.path == "/v1/summarize"
    assert translated(EmbedRequest(inputs=("a",)), "embed-v4.0").wire.path == "/v2/embed"
    assert translated(RerankRequest(query="q", documents=("a",)), "rerank-v3.5").wire.path == "/v2/rerank"
    assert translated(CountRequest(USER)).wire.path == "/v1/tokenize"
    assert chat(route="v1").wire.path == "/v1/chat"
    assert chat(model="command", route="v2").wire.path == "/v2/chat"


def test_a_wrong_route_is_told():
    with pytest.raises(ConfigurationError, match='"v1" or "v2"'):
        chat(route="v3")


def test_newer_models_complete_and_summarize_by_chat():
    for request in (CompletionRequest("a"), SummarizeRequest("a")):
        made = translated(request, "command-a-03-2025")
        assert made.wire.path == "/v2/chat"
        assert "emulated" in fates(made).values()


@pytest.mark.parametrize(
    ("model", "option", "value"),
    [
        ("command-a-03-2025", "temperature", 1.5),
        ("command-a-03-2025", "top_p", 1.0),
        ("command-a-03-2025", "top_k", 501),
        ("command-a-03-2025", "max_tokens", 8001),
        ("command-a-03-2025", "stop", tuple("abcdef")),
        ("command-a-03-2025", "frequency_penalty", -1),
        ("command-a-03-2025", "n", 2),
        ("command-a-03-2025", "top_logprobs", 2),
        ("command-a-03-2025", "logit_bias", {"1": 1}),
        ("command-a-03-2025", "user", "u"),
        ("command-a-03-2025", "parallel_tool_calls", False),
        ("command-a-03-2025", "reasoning", Reasoning(effort="high")),
        ("command", "temperature", 1.5),
        ("command", "n", 2),
        ("command", "tools", (ADD,)),
        ("command", "response_format", "json"),
        ("command", "logprobs", True),
    ],
)
def test_what_a_chat_model_cannot_honour(model, option, value):
    with pytest.raises(UnsupportedError, match=option.split("_", maxsplit=1)[0]):
        chat(model=model, **{option: value})

    made = chat(model=model, unsupported="drop", **{option: value})
    assert fates(made)[option] in {"clamped", "dropped"}


def test_ranges_of_completion_are_its_own():
    body = translated(CompletionRequest("a", Options(temperature=4.5, n=5, top_p=1)), "command").wire.body

    assert body == {"model": "command", "prompt": "a", "temperature": 4.5, "num_generations": 5, "p": 1}
    with pytest.raises(UnsupportedError):
        translated(CompletionRequest("a", Options(n=6)), "command")


def test_a_model_that_nobody_knows_gets_everything():
    given = {"temperature": 9, "top_p": 5, "top_k": 9999, "stop": tuple("abcdefgh")}
    body = chat(model="someone-s-own", **given).wire.body

    assert body == {
        "model": "someone-s-own",
        "messages": [{"role": "user", "content": "Why?"}],
        "temperature": 9,
        "p": 5,
        "k": 9999,
        "stop_sequences": list("abcdefgh"),
    }


def test_a_tool_is_forced_by_name_by_offering_it_alone():
    made = chat(tools=(ADD, Tool("now")), tool_choice="add")

    assert [tool["function"]["name"] for tool in made.wire.body["tools"]] == ["add"]
    assert made.wire.body["tool_choice"] == "REQUIRED"
    assert fates(made)["tool_choice"] == "emulated"


def test_command_r_of_2024_chooses_freely():
    for choice in ("required", "none", "add"):
        with pytest.raises(UnsupportedError):
            chat(model="command-r-08-2024", tools=(ADD,), tool_choice=choice)
    assert "tool_choice" not in chat(model="command-r-08-2024", tools=(ADD,), tool_choice="auto").wire.body


def test_one_strict_tool_makes_all_strict():
    made = chat(tools=(Tool("add", strict=True), Tool("now")))

    assert made.wire.body["strict_tools"] is True
    assert fates(made)["tools.strict"] == "emulated"


def test_efforts_are_a_switch():
    made = chat(model="command-a-reasoning-08-2025", reasoning=Reasoning(effort="low", budget_tokens=5))

    assert made.wire.body["thinking"] == {"type": "enabled", "token_budget": 5}
    assert fates(made)["reasoning.effort"] == "clamped"


def test_json_and_documents_exclude_each_other():
    shown = (Message("user", (Document(text="a"), Text("Why?"))),)
    with pytest.raises(UnsupportedError, match="documents"):
        chat(shown, response_format="json")


def test_documents_are_gathered():
    parts = (
        Document(text="Blue.", name="Sky", citations=True),
        Document(text='{"region": "north"}', media_type="application/json"),
        Document(text="[1]", media_type="application/json"),
        Text("Why?"),
    )
    made = chat((Message("user", parts),))

    assert made.wire.body["messages"] == [{"role": "user", "content": "Why?"}]
    data = [document["data"] for document in made.wire.body["documents"]]
    assert data == [{"title": "Sky", "text": "Blue."}, {"region": "north"}, {"text": "[1]"}]


def test_files_are_no_documents():
    for part in (
        Document(data=b"%PDF", media_type="application/pdf"),
        Document(url="https://example.com/a.pdf"),
    ):
        shown = (Message("user", (part, Text("Why?"))),)
        for model in ("command-a-03-2025", "someone-s-own"):
            with pytest.raises(UnsupportedError):
                chat(shown, model=model)
    text = Document(data="Blå.".encode(), media_type="text/plain")
    assert chat((Message("user", (text,)),), model="someone-s-own").wire.body["documents"] == [
        {"data": {"text": "Blå."}}
    ]


def test_what_others_left_in_a_history_is_reported():
    parts = (
        Thinking("Hm.", "anthropic", data={"signature": "s"}),
        RawPart("openai", {"type": "x"}),
        Text("Hi."),
    )
    made = chat((Message("user", "Hi."), Message("assistant", parts), *USER))

    assert made.wire.body["messages"][1] == {"role": "assistant", "content": "Hi."}
    assert fates(made) == {"messages[1].thinking": "dropped", "messages[1]": "dropped"}


def test_an_empty_turn_is_left_out():
    made = chat((Message("user", "Hi."), Message("assistant", (Thinking("Hm.", "openai"),)), *USER))

    assert [message["role"] for message in made.wire.body["messages"]] == ["user", "user"]
    assert fates(made)["messages[1]"] == "dropped"


def test_marks_of_caches_are_reported():
    shown = (Message("user", (Text("Why?", cache="5m"),)),)

    assert fates(chat(shown, tools=(Tool("now", cache="1h"),)))["tools[0].cache"] == "dropped"
    assert fates(chat(shown))["messages[0].cache"] == "dropped"


def test_results_of_tools():
    image = ToolResult("x", (Image(data=b"png"),))
    with pytest.raises(UnsupportedError):
        chat((*USER, Message("tool", (image,))), model="command-a-vision-07-2025")
    failed = ToolResult("x", (Text("no"), Document(text="why", name="Log")), is_error=True)
    made = chat((*USER, Message("tool", (failed,))))

    assert made.wire.body["messages"][1]["content"] == [
        {"type": "text", "text": "no"},
        {"type": "document", "document": {"data": {"title": "Log", "text": "why"}}},
    ]
    assert fates(made) == {"messages[1].is_error": "dropped"}


def test_extra_is_merged():
    made = chat(extra={"cohere": {"safety_mode": "OFF"}, "openai": {"store": True}})

    assert made.wire.body["safety_mode"] == "OFF"
    assert "store" not in made.wire.body


def test_tools_of_v1_say_what_they_lose():
    made = chat(model="command-r", route="v1", tools=(ADD,))

    assert made.wire.body["tools"] == [
        {
            "name": "add",
            "description": "Add.",
            "parameter_definitions": {"a": {"type": "int", "required": True}},
        }
    ]
    assert fates(made)["tools[0].parameters.a"] == "dropped"
    with pytest.raises(UnsupportedError):
        chat(model="command-r", route="v1", tools=(Tool("a", strict=True),))


def test_a_history_of_v1():
    messages = (
        Message("system", "Be brief."),
        Message("user", "Add."),
        Message("assistant", (Text("I add."), ToolCall("x", "add", {"a": 1}))),
        Message("tool", (ToolResult("x", "2"), ToolResult("unknown", (Text("3"),), name="other"))),
    )
    made = chat(messages, model="command-r", route="v1", system="Sail.")

    call = {"name": "add", "parameters": {"a": 1}}
    assert made.wire.body == {
        "model": "command-r",
        "message": "",
        "preamble": "Sail.",
        "chat_history": [
            {"role": "SYSTEM", "message": "Be brief."},
            {"role": "USER", "message": "Add."},
            {"role": "CHATBOT", "message": "I add.", "tool_calls": [call]},
        ],
        "tool_results": [
            {"call": call, "outputs": [{"output": "2"}]},
            {"call": {"name": "other", "parameters": {}}, "outputs": [{"output": "3"}]},
        ],
    }
    assert fates(made)["message"] == "defaulted"


def test_a_picture_is_nothing_for_v1():
    shown = (Message("user", (Image(data=b"png"), Text("Why?"))),)
    with pytest.raises(UnsupportedError):
        chat(shown, model="someone-s-own", route="v1")


def test_embeddings_say_what_they_are_for():
    made = translated(EmbedRequest(inputs=("a",)), "embed-v4.0")

    assert made.wire.body == {
        "model": "embed-v4.0",
        "texts": ["a"],
        "input_type": "search_document",
        "truncate": "NONE",
        "embedding_types": ["base64"],
    }
    assert fates(made) == {"input_type": "defaulted", "truncate": "defaulted", "embedding_types": "defaulted"}
    assert "embedding_types" not in translated(EmbedRequest(inputs=("a",)), "someone-s-own").wire.body
    for model in ("embed-v4.0", "someone-s-own"):
        with pytest.raises(UnsupportedError):
            translated(EmbedRequest(inputs=("a",), input_type="similarity"), model)
    with pytest.raises(UnsupportedError):
        translated(EmbedRequest(inputs=("a",), dimensions=7), "embed-v4.0")
    with pytest.raises(UnsupportedError):
        translated(EmbedRequest(inputs=("a",), dimensions=256), "embed-english-v3.0")


def test_reranking_cuts_at_the_end():
    made = translated(RerankRequest(query="q", documents=("a",)), "rerank-v3.5")

    assert fates(made) == {"truncate": "defaulted"}
    for model in ("rerank-v3.5", "someone-s-own"):
        with pytest.raises(UnsupportedError):
            translated(RerankRequest(query="q", documents=("a",), truncate="error"), model)


def test_summaries():
    made = translated(
        SummarizeRequest("a", Options(temperature=3, extra={"cohere": {"length": "long"}})), "command"
    )

    assert made.wire.body == {"model": "command", "text": "a", "temperature": 3, "length": "long"}
    for request in (SummarizeRequest("a", Options(max_tokens=5)), SummarizeRequest("a", stream=True)):
        with pytest.raises(UnsupportedError):
            translated(request, "command")


def test_counting_reads_text_alone():
    messages = (
        Message("user", (Text("a"), Image(data=b"png"), Document(text="b"))),
        Message("tool", (ToolResult("x", "c"),)),
    )
    made = translated(CountRequest(messages, Options(system="s", tools=(ADD,))), "command-a-plus-05-2026")

    assert made.wire.body["text"] == "s\na\nb\nc"
    assert fates(made) == {"messages[0]": "dropped", "tools": "dropped", "messages": "emulated"}


def test_translation_is_pure():
    request = ChatRequest(
        (Message("user", (Text("a"), Document(text="b"))),), Options(tools=(ADD,), stop=("x",))
    )
    before = copy.deepcopy(request)
    with no_sockets():
        first, second = translated(request), translated(request)

    assert first == second
    assert request == before


# A dialect like Bedrock's, for what a plugin on top needs.
CARRIED = Dialect(
    id="carrier",
    also=("cohere",),
    route="v1",
    send_model=False,
    send_stream=False,
    base64=False,
    stop="stop_sequences",
    name=lambda model: model.id.removeprefix("cohere."),
    paths=dict.fromkeys(("chat_v1", "generate", "embed"), "/model/{model}/invoke"),
    stream_paths={"chat_v1": "/model/{model}/stream"},
    framing="aws_eventstream",
)


def test_a_service_that_carries_the_models():
    model = ModelRef("cohere.command-r")
    known = capabilities(CARRIED, model)
    made = translate(CARRIED, model, ChatRequest(USER, Options(max_tokens=5), stream=True), known)

    assert (made.wire.path, made.wire.framing) == ("/model/cohere.command-r/stream", "aws_eventstream")
    assert made.wire.body == {"message": "Why?", "max_tokens": 5}
    assert known.known
    made = translate(CARRIED, ModelRef("cohere.command"), CompletionRequest("a", Options(stop=("x",))), known)
    assert made.wire.body == {"prompt": "a", "stop_sequences": ["x"]}
    embedded = ModelRef("cohere.embed-v4.0")
    made = translate(CARRIED, embedded, EmbedRequest(inputs=("a",)), capabilities(CARRIED, embedded))
    assert "embedding_types" not in made.wire.body
    with pytest.raises(UnsupportedError, match="does not rerank"):
        translate(
            CARRIED, embedded, RerankRequest(query="q", documents=("a",)), capabilities(CARRIED, embedded)
        )

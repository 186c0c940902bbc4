"""What requests become, without a network: routes, tables, emulation, reports; and decoders cut anywhere."""

import copy
import json
from itertools import pairwise

import pytest
from bedrock_samples import (
    CHAT,
    CHAT_STREAM,
    CITED_STREAM,
    CLAUDE_STREAM,
    COMMAND_R_STREAM,
    EVENT_STREAM,
    MISTRAL_CHAT_STREAM,
    TEXTS,
    TOOLS,
    TOOLS_STREAM,
    text_stream,
)
from hypothesis import given, settings, strategies as st

import jackfield_bedrock
from jackfield import (
    Audio,
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
    Usage,
)
from jackfield._calls.translation import translate
from jackfield.http import framer_for
from jackfield.plugin import (
    ChatRequest,
    CompletionRequest,
    CostContext,
    CountRequest,
    EmbedRequest,
    Frame,
    Head,
    Headers,
    ModelRef,
    Options,
)
from jackfield_bedrock._models import known_models, row_of
from jackfield_bedrock._names import bare, claude_name, cohere_name

CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "amazon.nova-2-lite-v1:0"
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
ADD = Tool("add", "Add.", SCHEMA)
HI = (Message("user", "Hi"),)


def made(model, request, **declared):
    ref = ModelRef(model, declared=declared)
    return translate(
        jackfield_bedrock.jackfield_translate, ref, request, jackfield_bedrock.jackfield_capabilities(ref)
    )


def chat(model, messages=HI, *, stream=False, declared=None, **options):
    return made(model, ChatRequest(messages, Options(**options), stream), **(declared or {}))


def fate(translation, name):
    note = translation.report[name]
    return note.fate, note.value


# -- which model, which way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (CLAUDE, CLAUDE),
        (f"eu.{CLAUDE}", CLAUDE),
        (f"us-gov.{CLAUDE}", CLAUDE),
        (f"arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.{CLAUDE}", CLAUDE),
        (f"arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/{CLAUDE}", CLAUDE),
        ("arn:aws:bedrock:eu-central-1:123456789012:provisioned-model/abc", ""),
        ("arn:aws:sagemaker:eu-central-1:123456789012:endpoint/x", ""),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001"),
    ],
)
def test_an_id_is_read_behind_its_region_and_out_of_its_arn(name, expected):
    assert bare(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (CLAUDE, "claude-sonnet-4-5-20250929"),
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet-20241022"),
        ("anthropic.claude-3-haiku-20240307-v1:0:200k", "claude-3-haiku-20240307"),
        ("anthropic.claude-v2:1", "claude-2.1"),
        ("anthropic.claude-v2:1:200k", "claude-2.1"),
        ("anthropic.claude-v2", "claude-2"),
        ("anthropic.claude-instant-v1", "claude-instant-1"),
        ("global.anthropic.claude-opus-4-8", "claude-opus-4-8"),
    ],
)
def test_claude_is_known_by_its_makers_names(name, expected):
    assert claude_name(name) == expected


def test_coheres_embeddings_are_known_by_their_makers_names():
    assert cohere_name("cohere.embed-english-v3") == "embed-english-v3.0"
    assert cohere_name("us.cohere.embed-v4:0") == "embed-v4.0"
    assert (
        jackfield_bedrock.jackfield_capabilities(ModelRef("cohere.embed-english-v3")).limits.max_inputs == 96
    )


# The families that the first users asked for, and how each is asked.
WAYS = {
    "anthropic.claude-v1": ("completion", "invoke"),
    "anthropic.claude-v2": ("chat completion", "converse"),
    "anthropic.claude-3-sonnet-20240229-v1:0": ("chat", "converse"),
    "anthropic.claude-3-5-sonnet-20241022-v2:0": ("chat", "converse"),
    "ai21.j2-ultra-v1": ("completion", "invoke"),
    "cohere.command-text-v14": ("completion", "invoke"),
    "cohere.command-light-text-v14": ("completion", "invoke"),
    "cohere.command-r-v1:0": ("chat", "converse"),
    "cohere.command-r-plus-v1:0": ("chat", "converse"),
    "cohere.embed-multilingual-v3": ("embedding", "invoke"),
    "amazon.titan-text-express-v1": ("chat completion", "converse"),
    "amazon.titan-embed-text-v1": ("embedding", "invoke"),
    "amazon.titan-embed-text-v2:0": ("embedding", "invoke"),
    "mistral.mistral-7b-instruct-v0:2": ("chat completion", "converse"),
    "mistral.mixtral-8x7b-instruct-v0:1": ("chat completion", "converse"),
    "mistral.mistral-large-2402-v1:0": ("chat completion", "converse"),
    "meta.llama2-70b-chat-v1": ("chat completion", "converse"),
    "meta.llama3-70b-instruct-v1:0": ("chat completion", "converse"),
}


@pytest.mark.parametrize("model", WAYS)
def test_the_first_users_models_are_known(model):
    kinds, route = WAYS[model]
    for name in (model, f"eu.{model}"):
        known = jackfield_bedrock.jackfield_capabilities(ModelRef(name))
        assert known.known
        assert known.kinds == set(kinds.split())
        assert row_of(name)["route"] == route


def test_the_route_can_be_forced_and_the_report_says_so():
    for route, path in (("converse", "converse"), ("invoke", "invoke")):
        translation = chat(CLAUDE, declared={"route": route}, max_tokens=5)
        assert translation.wire.path == f"/model/{CLAUDE.replace(':', '%3A')}/{path}"
        note = translation.report["route"]
        assert (note.value, "the entry in `models`" in note.why) == (route, True)
    assert "table's way" in chat(CLAUDE).report["route"].why
    for route in ("openai", "mantle", "responses"):
        assert chat(CLAUDE, declared={"route": route}, max_tokens=5).report["route"].value == route
    with pytest.raises(ConfigurationError, match="must be one of"):
        chat(CLAUDE, declared={"route": "telegraph"})


@pytest.mark.parametrize(
    "model", ["cohere.command-text-v14", "ai21.j2-mid-v1", "meta.llama2-13b-chat-v1", "anthropic.claude-v2"]
)
def test_a_model_that_completes_text_can_be_forced_to_converse(model):
    assert chat(model, declared={"route": "converse"}).wire.path.endswith("/converse")


@pytest.mark.parametrize(
    ("model", "begins"),
    [
        ("meta.llama2-13b-chat-v1", "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST]"),
        (
            "meta.llama3-8b-instruct-v1:0",
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.",
        ),
        ("anthropic.claude-v2", "Be brief.\n\nHuman: Hi\n\nAssistant:"),
    ],
)
def test_a_conversation_becomes_the_documented_prompt(model, begins):
    translation = chat(model, declared={"route": "invoke"}, system="Be brief.", max_tokens=5)
    assert translation.wire.body["prompt"].startswith(begins)
    assert translation.report["chat"].fate == "emulated"
    with pytest.raises(UnsupportedError, match="emulate"):
        chat(model, declared={"route": "invoke"}, emulate=False)


def test_prices_are_known_only_where_a_source_says_them():
    now = CostContext(when=0)
    used = Usage(10, 10)
    cost = jackfield_bedrock.jackfield_cost
    card = cost(ModelRef("eu.meta.llama3-8b-instruct-v1:0"), used, now)
    assert card is not None
    assert cost(ModelRef(CLAUDE), used, now) is None
    assert (
        cost(ModelRef("meta.llama3-8b-instruct-v1:0"), used, CostContext(when=0, service_tier="priority"))
        is None
    )
    assert cost(ModelRef("meta.llama3-8b-instruct-v1:0"), used, CostContext(when=0, batch=True)) is None
    assert cost(ModelRef("meta.llama3-8b-instruct-v1:0"), Usage(10, 10, 5), now) is None
    assert all("price" not in row or row["price"]["input"] for row in known_models().values())


# -- Converse ----------------------------------------------------------------------------------------------------------


def test_what_is_unknown_is_sent():
    translation = chat(
        "acme.model-v1", top_k=3, seed=4, presence_penalty=0, reasoning=Reasoning("high"), temperature=7
    )
    assert translation.wire.body["additionalModelRequestFields"] == {
        "reasoning_config": "high", "top_k": 3, "seed": 4, "presence_penalty": 0,
    }  # fmt: skip
    assert translation.wire.body["inferenceConfig"] == {"temperature": 7}


@pytest.mark.parametrize("option", ["logit_bias", "user", "top_logprobs", "suffix"])
def test_what_the_service_has_not_is_refused_or_dropped(option):
    value = {"logit_bias": {"1": 1}, "top_logprobs": 2}.get(option, "x")
    with pytest.raises(UnsupportedError) as caught:
        chat(CLAUDE, **{option: value})
    assert caught.value.parameter == option
    assert fate(chat(CLAUDE, unsupported="drop", **{option: value}), option)[0] == "dropped"


def test_what_it_does_anyway_is_dropped_without_a_quarrel():
    translation = chat(CLAUDE, n=1, logprobs=False, tools=(ADD,), parallel_tool_calls=True)
    assert {fate(translation, name)[0] for name in ("n", "logprobs", "parallel_tool_calls")} == {"dropped"}
    with pytest.raises(UnsupportedError, match="parallel_tool_calls"):
        chat(CLAUDE, tools=(ADD,), parallel_tool_calls=False)


def test_values_out_of_range():
    with pytest.raises(UnsupportedError, match="at most 1"):
        chat("amazon.titan-text-express-v1", temperature=1.5)
    clamped = chat("amazon.titan-text-express-v1", temperature=1.5, unsupported="drop")
    assert clamped.wire.body["inferenceConfig"] == {"temperature": 1}


def test_tools_that_a_history_calls_are_made_up_if_they_are_not_given():
    messages = (
        Message("user", "1 + 2?"),
        Message("assistant", (ToolCall("c", "add", {"a": 1}),)),
        Message("tool", (ToolResult("c", "3"),)),
    )
    translation = chat(CLAUDE, messages)
    assert [tool["toolSpec"]["name"] for tool in translation.wire.body["toolConfig"]["tools"]] == ["add"]
    assert fate(translation, "tools") == ("defaulted", ["add"])
    with pytest.raises(UnsupportedError, match="cannot forbid"):
        chat(CLAUDE, messages, tools=(ADD,), tool_choice="none")
    assert "toolConfig" not in chat(CLAUDE, tools=(ADD,), tool_choice="none").wire.body


def test_tools_that_are_not_streamed():
    for model in ("mistral.mistral-large-2402-v1:0", "meta.llama3-1-8b-instruct-v1:0"):
        assert chat(model, tools=(ADD,)).wire.body["toolConfig"]
        with pytest.raises(UnsupportedError, match="streams no tool calls"):
            chat(model, stream=True, tools=(ADD,))


def test_a_choice_without_tools_and_one_that_cannot_be():
    assert fate(chat(CLAUDE, tool_choice="auto"), "tool_choice")[0] == "dropped"
    with pytest.raises(UnsupportedError, match="no tool to choose"):
        chat(CLAUDE, tool_choice="required")
    with pytest.raises(UnsupportedError, match="thinks by a budget"):
        chat(
            CLAUDE, tools=(ADD,), tool_choice="add", reasoning=Reasoning(budget_tokens=1024), max_tokens=4096
        )


def test_json_through_a_forced_tool():
    beside = chat(NOVA, tools=(ADD,), response_format=SCHEMA).wire.body["toolConfig"]
    assert beside["toolChoice"] == {"any": {}}
    assert [tool["toolSpec"]["name"] for tool in beside["tools"]] == ["add", "answer_in_json"]
    alone = chat(NOVA, response_format=SCHEMA).wire.body["toolConfig"]
    assert alone["toolChoice"] == {"tool": {"name": "answer_in_json"}}
    for options, why in (
        ({"emulate": False}, "emulate=False"),
        ({"tools": (ADD,), "tool_choice": "add"}, "stands in the way"),
        ({"response_format": {"type": "array"}}, "type object"),
    ):
        with pytest.raises(UnsupportedError, match=why):
            chat(NOVA, **{"response_format": SCHEMA, **options})
    thinking = {"reasoning": Reasoning(budget_tokens=1024), "max_tokens": 4096}
    with pytest.raises(UnsupportedError, match="while the model thinks"):
        chat(CLAUDE, response_format="json", **thinking)


def test_efforts_and_budgets():
    effort = chat("anthropic.claude-opus-4-8", reasoning=Reasoning("high")).wire.body[
        "additionalModelRequestFields"
    ]
    assert effort == {"output_config": {"effort": "high"}, "thinking": {"type": "adaptive"}}
    note = chat(NOVA, reasoning=Reasoning("low")).report["reasoning.effort"]
    assert note.wire == "additionalModelRequestFields.reasoningConfig"
    native = chat(NOVA, declared={"route": "invoke"}, reasoning=Reasoning("low"), top_k=3).wire.body
    assert native["reasoningConfig"] == {"type": "enabled", "maxReasoningEffort": "low"}
    assert (native["inferenceConfig"], native["schemaVersion"]) == ({"topK": 3}, "messages-v1")
    off = chat(NOVA, reasoning=Reasoning("none")).wire.body["additionalModelRequestFields"]
    assert off == {"reasoningConfig": {"type": "disabled"}}
    assert chat("openai.gpt-oss-20b-1:0", reasoning=Reasoning("low")).wire.body[
        "additionalModelRequestFields"
    ] == {"reasoning_effort": "low"}
    with pytest.raises(UnsupportedError, match="low, medium, high"):
        chat(NOVA, reasoning=Reasoning("max"))
    with pytest.raises(UnsupportedError, match="no budgets"):
        chat(NOVA, reasoning=Reasoning(budget_tokens=1024))
    with pytest.raises(UnsupportedError, match="reasoning"):
        chat("amazon.titan-text-express-v1", reasoning=Reasoning("low"))
    with pytest.raises(UnsupportedError, match="temperature"):
        chat(CLAUDE, reasoning=Reasoning(budget_tokens=1024), max_tokens=4096, temperature=0.2)


def test_turns_are_joined_and_system_messages_move_to_the_top():
    messages = (
        Message("system", "One."),
        Message("user", "a"),
        Message("user", "b", name="Bob"),
        Message("system", "Two."),
        Message("assistant", ""),
        Message("assistant", "c"),
    )
    translation = chat(CLAUDE, messages, system="Zero.")
    body = translation.wire.body
    assert [block["text"] for block in body["system"]] == ["Zero.", "One.", "Two."]
    assert body["messages"] == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "c"}]},
    ]
    assert [fate(translation, f"messages[{i}]")[0] for i in (2, 3, 4)] == ["emulated", "emulated", "dropped"]
    with pytest.raises(UnsupportedError, match="system messages at the beginning"):
        chat(CLAUDE, messages, emulate=False)
    with pytest.raises(UnsupportedError, match="system"):
        chat("mistral.mistral-7b-instruct-v0:2", messages)


def test_what_others_left_is_dropped_and_reported():
    parts = (
        Thinking("foreign", "openai", "gpt-5", {"encrypted_content": "x"}),
        Thinking("novas", "bedrock", NOVA, {"signature": "s"}),
        Thinking("by InvokeModel", "bedrock", CLAUDE, {"data": "x"}),
        RawPart("openai", {"a": 1}),
        RawPart("bedrock", {"type": "tool_use"}),
        RawPart("bedrock", {"guardContent": {"text": {"text": "g"}}}),
        Text("said", provider_data={"openai": {"id": 1}}),
        ToolCall("an id with spaces", "add", {}, "no json", {"vertex": {"s": 1}}),
    )
    messages = (*HI, Message("assistant", parts), ToolResult("an id with spaces", ""))
    messages = tuple(m if isinstance(m, Message) else Message("tool", (m,)) for m in messages)
    translation = chat(CLAUDE, messages, tools=(ADD,))
    content = translation.wire.body["messages"][1]["content"]
    assert content == [
        {"guardContent": {"text": {"text": "g"}}},
        {"text": "said"},
        {"toolUse": {"toolUseId": "jackfield_0", "name": "add", "input": {"INVALID_JSON": "no json"}}},
    ]
    result = translation.wire.body["messages"][2]["content"][0]["toolResult"]
    assert result == {"toolUseId": "jackfield_0", "content": []}
    assert sum(note.fate == "dropped" for note in translation.report) == 7


def test_files_that_cannot_be_sent():
    for part in (
        Image(url="https://example.com/a.png"),
        Document(url="https://example.com/a.pdf"),
        Audio(url="https://example.com/a.mp3"),
    ):
        messages = (Message("user", (Text("?"), part)),)
        with pytest.raises(UnsupportedError, match="fetches nothing"):
            chat("acme.model-v1", messages)
        assert (
            len(chat("acme.model-v1", messages, unsupported="drop").wire.body["messages"][0]["content"]) == 1
        )


def test_names_and_formats_of_files():
    parts = (
        Document(data=b"x", media_type="text/csv", name="Q3_report?.csv"),
        Document(data=b"x", name="!!!"),
        Image(data=b"x", detail="high"),
        Image(url="s3://b/a.webp"),
    )
    translation = chat("acme.model-v1", (Message("user", parts),))
    first, second, third, fourth = translation.wire.body["messages"][0]["content"]
    assert (first["document"]["name"], first["document"]["format"]) == ("Q3 report csv", "csv")
    assert (second["document"]["name"], second["document"]["format"]) == ("Document 2", "pdf")
    assert (third["image"]["format"], fourth["image"]["format"]) == ("png", "webp")


def test_cache_points_have_two_lifetimes():
    parts = (Text("a", cache="5m"), Text("b", cache="20m"), Text("c", cache="1h"))
    translation = chat(CLAUDE, (Message("user", parts),))
    points = [b["cachePoint"] for b in translation.wire.body["messages"][0]["content"] if "cachePoint" in b]
    assert points == [{"type": "default"}, {"type": "default", "ttl": "1h"}, {"type": "default", "ttl": "1h"}]
    assert fate(translation, "messages[0].cache") == ("clamped", "1h")


def test_a_count_leaves_out_what_does_not_count():
    options = Options(system="s", max_tokens=5, temperature=0, tools=(ADD,), response_format=SCHEMA)
    translation = made(f"eu.{CLAUDE}", CountRequest(HI, options))
    inner = translation.wire.body["input"]["converse"]
    assert set(inner) == {"messages", "system", "toolConfig"}
    assert "eu." not in translation.wire.path
    assert fate(translation, "max_tokens")[0] == "dropped"
    with pytest.raises(UnsupportedError, match="counts no tokens"):
        made("cohere.command-r-v1:0", CountRequest(HI), route="invoke")


def test_embeddings_of_one_text():
    with pytest.raises(UnsupportedError, match="one text a call"):
        made("amazon.titan-embed-text-v2:0", EmbedRequest(inputs=("a", "b")))
    with pytest.raises(UnsupportedError, match="cuts no text"):
        made("amazon.titan-embed-text-v2:0", EmbedRequest(inputs=("a",), truncate="end"))
    with pytest.raises(UnsupportedError, match="not known"):
        made("acme.embedder-v1", EmbedRequest(inputs=("a",)))
    nova = made("amazon.nova-2-multimodal-embeddings-v1:0", EmbedRequest(inputs=("a",), input_type="query"))
    assert nova.wire.body["singleEmbeddingParams"]["embeddingPurpose"] == "GENERIC_RETRIEVAL"


def test_text_completions_take_what_their_makers_take():
    with pytest.raises(UnsupportedError, match="no such parameter"):
        made("meta.llama3-8b-instruct-v1:0", CompletionRequest("p", Options(stop=("x",))))
    body = made(
        "ai21.j2-mid-v1", CompletionRequest("p", Options(presence_penalty=0.5, stop=("x",)))
    ).wire.body
    assert body == {"prompt": "p", "stopSequences": ["x"], "presencePenalty": {"scale": 0.5}}
    titan = made("amazon.titan-text-lite-v1", CompletionRequest("p", Options(max_tokens=5, temperature=0)))
    assert titan.wire.body["textGenerationConfig"] == {"maxTokenCount": 5, "temperature": 0}
    with pytest.raises(UnsupportedError, match="at most"):
        made("amazon.titan-text-premier-v1:0", CompletionRequest("p", Options(max_tokens=9000)))


def test_purity():
    messages = [Message("user", (Text("a", cache="1h"), Document(data=b"x", name="a_b")))]
    options = {
        "tools": (ADD,),
        "reasoning": Reasoning("low"),
        "extra": {"bedrock": {"inferenceConfig": {"x": 1}}},
    }
    before = copy.deepcopy((messages, options))
    first = chat(NOVA, tuple(messages), **options)
    assert chat(NOVA, tuple(messages), **options) == first
    assert (messages, options) == before


# -- decoders -----------------------------------------------------------------------------------------------------------

STREAMS = {
    "chat": (CLAUDE, CHAT_STREAM, {}),
    "tools": (CLAUDE, TOOLS_STREAM, {}),
    "cited": (CLAUDE, CITED_STREAM, {}),
    "claude": (CLAUDE, CLAUDE_STREAM, {"route": "invoke"}),
    "command r": ("cohere.command-r-v1:0", COMMAND_R_STREAM, {"route": "invoke"}),
    "mistral": ("mistral.mistral-large-2402-v1:0", MISTRAL_CHAT_STREAM, {"route": "invoke"}),
    **{model: (model, text_stream(pieces), {}) for model, (_, pieces) in TEXTS.items() if pieces},
}


def events(name, cuts):
    model, body, declared = STREAMS[name]
    kinds = jackfield_bedrock.jackfield_capabilities(ModelRef(model, declared=declared)).kinds
    asked = (
        ChatRequest(HI, stream=True)
        if declared or "/" in name or name in ("chat", "tools", "cited")
        else None
    )
    asked = asked or (
        CompletionRequest("Hi", stream=True) if "completion" in kinds else ChatRequest(HI, stream=True)
    )
    wire = made(model, asked, **declared).wire
    decoder = jackfield_bedrock.jackfield_decoder(wire)
    framer = framer_for(EVENT_STREAM, wire.framing)
    found = list(decoder.start(Head(200, Headers({"content-type": EVENT_STREAM}))))
    edges = [0, *sorted(cut % len(body) for cut in cuts), len(body)]
    for start, end in pairwise(edges):
        for frame in framer.feed(body[start:end]):
            found += decoder.feed(frame)
    for frame in framer.close():
        found += decoder.feed(frame)
    return found + decoder.finish()


def nulled(value):
    """Add the other members of every union as null, as clients show them."""
    if isinstance(value, list):
        return [nulled(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    more = {"image": None, "toolUse": None, "text": None, "reasoningContent": None, "citationsContent": None}
    unions = value.keys() & more.keys() and not value.keys() & {"signature", "title"}
    return {**(more if unions else {}), **{name: nulled(inner) for name, inner in value.items()}}


@pytest.mark.parametrize("body", [CHAT, TOOLS])
def test_null_is_the_same_as_absent(body):
    def read(answer):
        decoder = jackfield_bedrock.jackfield_decoder(chat(CLAUDE).wire)
        return [*decoder.feed(Frame(json.dumps(answer).encode())), *decoder.finish()]

    plain = json.loads(body)
    answer = {**plain, "output": {"message": {"content": nulled(plain["output"]["message"]["content"])}}}
    assert read(answer) == read(plain)


@given(st.sampled_from(sorted(STREAMS)), st.lists(st.integers(0, 10_000), max_size=30))
@settings(deadline=None, max_examples=60)
def test_cuts_anywhere_mean_the_same(name, cuts):
    assert events(name, cuts) == events(name, [])


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_stream_cut_at_every_byte_means_the_same(name):
    assert events(name, range(len(STREAMS[name][1]))) == events(name, [])

"""How requests are written, what is reported, and what is known of models and prices."""

import copy
import re
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings, strategies as st

import jackfield_vertex
from jackfield import (
    CitationDelta,
    Document,
    Image,
    Message,
    RawPart,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolResult,
    UnsupportedError,
    Usage,
    UsageUpdate,
)
from jackfield._calls.fold import fold
from jackfield._calls.translation import translate
from jackfield.http import framer_for
from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    CostContext,
    EmbedRequest,
    Frame,
    ModelRef,
    Options,
    Wire,
)
from jackfield_vertex._errors import error
from jackfield_vertex._models import known_models

MODEL = "gemini-2.5-flash"
WIRE = Path(__file__).parent / "wire"


def write(messages="Why?", model=MODEL, **options):
    if isinstance(messages, str):
        messages = [Message("user", messages)]
    request = ChatRequest(tuple(messages), Options(**options))
    ref = ModelRef(model)
    known = jackfield_vertex.jackfield_capabilities(ref)
    made = translate(jackfield_vertex.jackfield_translate, ref, request, known)
    return made.wire.body, {note.name: note.fate for note in made.report}


def test_the_first_users_models_are_known():
    for name, kind in (("gemini-pro", "chat"), ("gemini-1.0-pro-002", "chat"), ("chat-bison@002", "chat")):
        known = jackfield_vertex.jackfield_capabilities(ModelRef(name))
        assert (known.known, known.kinds) == (True, {kind})
    assert {"chat-bison", "gemini-1.0-pro"} <= known_models().keys()


def test_what_others_left_is_dropped_and_reported():
    body, report = write(
        [
            Message("user", (Text("Why?", cache="5m"), Image(data=b"x", detail="low"))),
            Message("assistant", (Thinking("Hm.", "openai", "m", {"signature": "x"}), RawPart("openai", {}), Text("A."))),
            Message("user", (Document(text="Plain.", name="A"),)),
        ]
    )  # fmt: skip
    assert body["contents"][1] == {"role": "model", "parts": [{"text": "A."}]}
    for name in (
        "messages[0].cache",
        "messages[0].detail",
        "messages[1].thinking",
        "messages[1]",
        "messages[2].name",
    ):
        assert report[name] == "dropped"
    assert report["messages[0].media_type"] == "defaulted"


def test_turns_of_one_kind_are_merged_and_system_goes_to_the_top():
    body, report = write(
        [Message("user", "a"), Message("user", "b"), Message("system", "S"), Message("assistant", ())],
        system="T",
    )
    assert body["contents"] == [{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}]
    assert body["systemInstruction"] == {"parts": [{"text": "T"}, {"text": "S"}]}
    assert (report["messages[2]"], report["messages[3]"]) == ("emulated", "dropped")
    with pytest.raises(UnsupportedError):
        write([Message("user", "a"), Message("system", "S")], emulate=False)


def test_a_result_needs_a_name():
    with pytest.raises(UnsupportedError):
        write([Message("tool", (ToolResult("1", "3"),))])
    body, _ = write(
        [Message("tool", (ToolResult("1", (Text("3"), Image(data=b"x", media_type="image/png")), name="f"),))]
    )
    response = body["contents"][0]["parts"][0]["functionResponse"]
    assert (response["name"], response["response"], len(response["parts"])) == ("f", {"result": "3"}, 1)


def test_older_models_take_a_subset_of_schemas():
    schema = {
        "type": "object", "additionalProperties": False,
        "properties": {"a": {"type": ["string", "null"]}, "b": {"type": "array", "items": {"$ref": "x", "type": "string"}}},
    }  # fmt: skip
    kept = copy.deepcopy(schema)
    body, report = write(model="gemini-1.5-pro-002", tools=(Tool("f", None, schema), Tool("g")))
    assert body["tools"][0]["functionDeclarations"] == [
        {
            "name": "f",
            "parameters": {
                "type": "object",
                "properties": {"a": {"nullable": True, "type": "string"}, "b": {"type": "array", "items": {"type": "string"}}},
            },
        },
        {"name": "g"},
    ]  # fmt: skip
    assert report["tools[0].parameters"] == "dropped"
    assert schema == kept
    assert "responseSchema" in write(model="gemini-1.5-pro", response_format=schema)[0]["generationConfig"]


def test_what_the_service_cannot_is_refused_or_dropped():
    for option, value in {
        "parallel_tool_calls": False, "user": "u", "logit_bias": {1: 2}, "temperature": 3, "stop": tuple("abcdef"),
        "reasoning": Reasoning("extreme"),
    }.items():  # fmt: skip
        with pytest.raises(UnsupportedError):
            write(**{option: value})
        write(**{option: value}, unsupported="drop")
    with pytest.raises(UnsupportedError):
        write(model="gemini-3-pro", reasoning=Reasoning("none"))
    assert write(parallel_tool_calls=True)[1]["parallel_tool_calls"] == "dropped"
    assert write(tools=())[0] == {"contents": [{"role": "user", "parts": [{"text": "Why?"}]}]}
    assert write(model="gemini-3-pro", reasoning=Reasoning("low"))[0]["generationConfig"] == {
        "thinkingConfig": {"thinkingLevel": "LOW"}
    }


def test_where_embeddings_go():
    def wire(model, *inputs, **options):
        request = EmbedRequest(inputs=inputs, **options)
        return translate(jackfield_vertex.jackfield_translate, ModelRef(model), request, Capabilities()).wire

    assert wire("gemini-embedding-2-preview", "a", input_type="query").body == {
        "content": {"parts": [{"text": "a"}]},
        "embedContentConfig": {"taskType": "RETRIEVAL_QUERY", "autoTruncate": False},
    }
    assert wire("text-embedding-005", "a", truncate="end").body["parameters"] == {"autoTruncate": True}
    with pytest.raises(UnsupportedError):
        wire("text-embedding-005", "a", truncate="start")
    with pytest.raises(UnsupportedError):
        wire("gemini-embedding-2", "a", "b")


def test_prices_are_known_only_where_a_source_says_them():
    def rates(model, usage=None, **context):
        return jackfield_vertex.jackfield_cost(
            ModelRef(model), usage or Usage(10, 10), CostContext(when=0, **context)
        )

    assert str(rates("gemini-2.5-pro").rates["output"].amount) == "10"
    assert rates("gemini-2.5-pro", Usage(200_001, 1)) is None
    assert rates("gemini-2.5-flash", Usage(10, 1, details={"input_audio_tokens": 5})) is None
    assert rates("gemini-2.5-flash", Usage(10, 1, 5)) is None
    assert rates("gemini-2.5-flash", service_tier="PROVISIONED_THROUGHPUT") is None
    assert rates("gemini-2.5-flash", batch=True) is None
    assert rates("gemini-9") is rates("claude-sonnet-4-6") is rates("chat-bison") is None


def test_purity():
    """The same question twice is the same wire, and nothing that was given is changed."""
    messages = [Message("user", "Why?"), Message("assistant", "A."), Message("user", "And?")]
    extra = {"vertex": {"tools": [{"googleSearch": {}}], "generationConfig": {"mediaResolution": "LOW"}}}
    kept = copy.deepcopy((messages, extra))
    assert write(messages, extra=extra, temperature=0) == write(messages, extra=extra, temperature=0)
    assert (messages, extra) == kept


WORDS = st.text(min_size=1, max_size=8)
PARTS = st.one_of(
    st.builds(lambda text: {"text": text}, WORDS),
    st.builds(lambda text: {"text": text, "thought": True}, WORDS),
    st.just({"functionCall": {"name": "f", "args": {"a": "é"}}, "thoughtSignature": "c2ln"}),
    st.just({"text": "", "thoughtSignature": "c2ln"}),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=4))
def test_cuts_anywhere_and_whole_answers_mean_the_same(parts):
    import json

    chunks = [{"candidates": [{"content": {"parts": [part]}}], "responseId": "r"} for part in parts]
    chunks[-1]["candidates"][0]["finishReason"] = "STOP"
    data = b"".join(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks)

    def read(cut):
        decode = jackfield_vertex.jackfield_decoder(ModelRef(MODEL), Wire("/", stream=True))
        framer = framer_for("text/event-stream", "sse")
        frames = [*framer.feed(data[:cut]), *framer.feed(data[cut:]), *framer.close()]
        return [event for frame in frames for event in decode.feed(frame)] + decode.finish()

    first = read(0)
    for cut in range(1, len(data)):
        assert read(cut) == first
    whole = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}], "responseId": "r"}
    decode = jackfield_vertex.jackfield_decoder(ModelRef(MODEL), Wire("/"))
    events = decode.feed(Frame(json.dumps(whole).encode())) + decode.finish()
    assert fold(events).choices == fold(first).choices


NULLS = ("thought", "thoughtSignature", "functionCall", "inlineData", "index", "citationMetadata", "groundingMetadata",
         "finishMessage", "logprobsResult", "promptFeedback", "toolUsePromptTokenCount", "promptTokensDetails", "error",
         "serviceTier", "name_that_nobody_knows")  # fmt: skip


def with_nulls(value):
    if isinstance(value, list):
        return [with_nulls(one) for one in value]
    if not isinstance(value, dict) or "a" in value:
        return value
    return {**dict.fromkeys(NULLS), **{name: with_nulls(one) for name, one in value.items()}}


@pytest.mark.parametrize("name", ["chat.json", "tools.json", "grounded.json", "json.json"])
def test_null_is_the_same_as_absent(name):
    """Programs that keep answers through a client library write absent fields as null."""
    import json

    value = json.loads((WIRE / name).read_text("utf-8"))
    if name != "tools.json":
        for candidate in value["candidates"]:
            candidate["content"]["parts"] = [with_nulls(part) if "text" in part else part
                                             for part in candidate["content"]["parts"]]  # fmt: skip
    nulled = {**dict.fromkeys(NULLS), **value}
    nulled["candidates"] = [{**dict.fromkeys(NULLS), **one} for one in value["candidates"]]
    nulled["usageMetadata"] = {**dict.fromkeys(NULLS), **value["usageMetadata"]}

    def read(body):
        decode = jackfield_vertex.jackfield_decoder(ModelRef(MODEL), Wire("/"))
        return fold(decode.feed(Frame(json.dumps(body).encode())) + decode.finish())

    assert read(nulled).choices == read(json.loads((WIRE / name).read_text("utf-8"))).choices
    assert read(nulled).usage == read(value).usage
    assert not read(nulled).raw or all(event.data is not None for event in read(nulled).raw)


def test_secrets_are_masked():
    from jackfield.plugin import Failure

    body = b'{"error": {"code": 400, "message": "bad key AIzaSyMadeUpMadeUp and ya29.made-up-token"}}'
    said = str(error(Failure(status=400, body=body)))
    assert not re.search("AIza|ya29", said)


def whole(candidate, **more):
    body = {"candidates": [{"finishReason": "STOP", **candidate}], **more}
    reader = jackfield_vertex.jackfield_decoder(ModelRef(MODEL), Wire("/", {}, meta={"family": "gemini"}))
    return [*reader.feed(Frame(orjson.dumps(body))), *reader.finish()]


def test_places_of_citations_that_are_written_with_a_point_are_places():
    """A field of protobuf that passed through a Struct has one."""
    cited = {"startIndex": 0.0, "endIndex": 3.0, "uri": "u"}
    grounding = {
        "groundingChunks": [{"web": {"uri": "v", "title": "t"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 4.0, "endIndex": 7.0}, "groundingChunkIndices": [0.0]}
        ],
    }
    events = whole(
        {
            "content": {"parts": [{"text": "The sky"}]},
            "citationMetadata": {"citations": [cited]},
            "groundingMetadata": grounding,
        }
    )
    found = [event.citation for event in events if isinstance(event, CitationDelta)]
    assert [(c.start, c.end, c.url, c.source_id) for c in found] == [(0, 3, "u", None), (4, 7, "v", "0")]


def test_a_piece_of_a_call_whose_name_is_null_goes_on_with_the_call():
    parts = [
        {"functionCall": {"name": "add", "willContinue": True}},
        {
            "functionCall": {
                "name": None,
                "partialArgs": [{"jsonPath": "$.a", "numberValue": 1}],
                "willContinue": True,
            }
        },
        {"functionCall": {"name": None, "args": None}},
    ]
    (call,) = fold(whole({"content": {"parts": parts}})).choices[0].message.tool_calls
    assert (call.name, dict(call.arguments)) == ("add", {"a": 1})


def test_rows_of_usage_that_are_null_are_no_rows():
    usage = {
        "promptTokenCount": 3,
        "candidatesTokenCount": 2,
        "totalTokenCount": 5,
        "promptTokensDetails": [None],
    }
    (told,) = [
        e.usage
        for e in whole({"content": {"parts": [{"text": "x"}]}}, usageMetadata=usage)
        if isinstance(e, UsageUpdate)
    ]
    assert (told.input_tokens, told.output_tokens, dict(told.details)) == (3, 2, {})

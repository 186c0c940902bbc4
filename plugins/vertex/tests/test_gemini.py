"""How requests to Gemini are written, and what is reported."""

import copy

import pytest

import jackfield_vertex
from jackfield import (
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
from jackfield.plugin import (
    ChatRequest,
    ModelRef,
    Options,
)
from jackfield.testing import translated

MODEL = "gemini-2.5-flash"


def write(messages="Why?", model=MODEL, **options):
    if isinstance(messages, str):
        messages = [Message("user", messages)]
    request = ChatRequest(tuple(messages), Options(**options))
    ref = ModelRef(model)
    known = jackfield_vertex.jackfield_capabilities(ref)
    made = translated(jackfield_vertex, ref, request, known)
    return made.wire.body, {note.name: note.fate for note in made.report}


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


def test_purity():
    """The same question twice is the same wire, and nothing that was given is changed."""
    messages = [Message("user", "Why?"), Message("assistant", "A."), Message("user", "And?")]
    extra = {"vertex": {"tools": [{"googleSearch": {}}], "generationConfig": {"mediaResolution": "LOW"}}}
    kept = copy.deepcopy((messages, extra))
    assert write(messages, extra=extra, temperature=0) == write(messages, extra=extra, temperature=0)
    assert (messages, extra) == kept


def test_empty_text_is_left_out_wherever_it_is():
    body, report = write(
        [
            Message("system", ""),
            Message("user", (Text("a"), Document(text=""))),
            Message("assistant", (Text(""), ToolCall("c", "f", {}))),
            Message("tool", (ToolResult("c", ""),)),
            Message("assistant", ""),
            Message(
                "assistant", (Text("", provider_data={"vertex": {"thoughtSignature": "c2ln"}}), Text(" "))
            ),
        ],
        system="",
    )
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "a"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": ""}}}]},
        {"role": "model", "parts": [{"text": "", "thoughtSignature": "c2ln"}, {"text": " "}]},
    ]
    assert "systemInstruction" not in body
    for name in ("system", "messages[0]", "messages[1]", "messages[2]", "messages[4]"):
        assert report.get(name) == "dropped" or name == "messages[0]"


def signatures(model, *calls):
    history = [Message("user", "q"), Message("assistant", calls)]
    history += [Message("tool", tuple(ToolResult(call.id, "ok") for call in calls))]
    body, report = write(history, model)
    return [part.get("thoughtSignature") for part in body["contents"][1]["parts"]], report


@pytest.mark.parametrize(
    "model", ["gemini-3-pro-preview", "gemini-3.1-flash", "publishers/google/models/gemini-4-pro"]
)
def test_calls_that_another_model_made_pass_the_check_of_signatures(model):
    skipped = "skip_thought_signature_validator"
    foreign = ToolCall("a", "f", {}, provider_data={"openai": {"x": 1}})
    own = ToolCall("b", "f", {}, provider_data={"vertex": {"thoughtSignature": "c2ln"}})
    found, report = signatures(model, foreign, ToolCall("c", "f", {}))
    assert found == [skipped, None]  # of parallel calls, the first is checked
    assert report["messages[1].thoughtSignature"] == "emulated"
    assert signatures(model, own, ToolCall("c", "f", {}))[0] == ["c2ln", None]
    assert signatures("gemini-2.5-flash", foreign)[0] == [None]

"""A request is made to fit its model before a plugin sees it."""

import attrs
import pytest

from jackfield import (
    Document,
    Image,
    Message,
    ParameterNote,
    ParameterReport,
    Reasoning,
    Text,
    Tool,
    ToolResult,
    UnsupportedError,
)
from jackfield._calls.translation import SUMMARY_PROMPT, kind_of, translate
from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    ModelRef,
    Options,
    RerankRequest,
    SummarizeRequest,
    Translation,
    Wire,
    unserved,
)

MODEL = ModelRef("m", "c", "chat")
PICTURE = Image(data=b"x", media_type="image/png")


def translated(request, capabilities):
    """What the plugin is shown, and the report."""
    seen = []

    def hook(model, request, capabilities):
        seen.append((model, request))
        return Translation(Wire("x"), ParameterReport((ParameterNote("own", "sent"),)))

    report = translate(hook, MODEL, request, capabilities).report
    [(model, request)] = seen
    assert report.notes[-1].name == "own"
    return model, request, {note.name: note.fate for note in report.notes[:-1]}


def able(*kinds, **features):
    return Capabilities(kinds=frozenset(kinds)).with_features("test", **features)


def test_kinds():
    chat = ChatRequest((Message("user", "x"),))
    assert kind_of(chat) == kind_of(CountRequest(chat.messages)) == "chat"
    assert kind_of(CompletionRequest("x")) == "completion"
    assert kind_of(SummarizeRequest("x")) == "summarization"
    assert kind_of(EmbedRequest(inputs=("x",))) == "embedding"
    assert kind_of(RerankRequest(query="x", documents=("x",))) == "rerank"


@pytest.mark.parametrize("kinds", [(), ("chat",)])
def test_what_fits_or_may_fit_is_left_alone(kinds):
    request = ChatRequest((Message("user", "x"),), Options(max_tokens=1))
    assert translated(request, able(*kinds))[1:] == (request, {})


# Emulation


def format_of_the_house(messages):
    return "".join(f"<{m.role}>{m.text}" for m in messages), ("<user>",)


SPEAKS = attrs.evolve(able("completion"), chat_prompt=format_of_the_house, chat_prompt_name="house")


def test_a_conversation_becomes_the_documented_prompt():
    request = ChatRequest(
        (Message("user", "hi"),), Options(system="brief", stop=("x", "<user>")), stream=True
    )
    model, request, notes = translated(request, SPEAKS)
    assert model.kind == "completion"
    assert request == CompletionRequest("<system>brief<user>hi", Options(stop=("<user>", "x")), stream=True)
    assert notes == {"chat": "emulated", "system": "renamed"}


def test_without_a_documented_prompt_a_conversation_is_refused():
    with pytest.raises(UnsupportedError, match="no prompt format"):
        translated(ChatRequest((Message("user", "hi"),)), able("completion"))


def test_a_prompt_becomes_a_user_turn():
    model, request, notes = translated(CompletionRequest("once"), able("chat"))
    assert (model.kind, request.messages) == ("chat", (Message("user", "once"),))
    assert notes == {"completion": "emulated"}


@pytest.mark.parametrize(
    ("capabilities", "wanted"),
    [
        (able("chat"), ChatRequest((Message("user", "long"),), Options(system=SUMMARY_PROMPT))),
        (able("chat", system=False), ChatRequest((Message("user", f"{SUMMARY_PROMPT}\n\nlong"),))),
        (able("completion"), CompletionRequest(f"{SUMMARY_PROMPT}\n\nText:\nlong\n\nSummary:\n")),
    ],
)
def test_a_summary_is_asked_for_under_the_documented_prompt(capabilities, wanted):
    _, request, notes = translated(SummarizeRequest("long"), capabilities)
    assert request == wanted
    assert notes == {"summarization": "emulated"}


def test_a_summary_keeps_the_callers_own_instruction():
    _, request, _ = translated(SummarizeRequest("long", Options(system="in French")), able("chat"))
    assert request.options.system == "in French"


def test_a_summary_goes_to_the_endpoint_that_there_is():
    request = SummarizeRequest("long")
    assert translated(request, able("chat", "summarization"))[1:] == (request, {})


@pytest.mark.parametrize(
    ("request_", "capabilities"),
    [
        (CompletionRequest("x", Options(emulate=False)), able("chat")),
        (ChatRequest((Message("user", "x"),), Options(emulate=False)), SPEAKS),
        (SummarizeRequest("x", Options(emulate=False)), able("chat")),
    ],
)
def test_emulation_can_be_forbidden(request_, capabilities):
    with pytest.raises(UnsupportedError, match="emulate=False forbids") as caught:
        translated(request_, capabilities)
    assert caught.value.parameter == "emulate"


@pytest.mark.parametrize(
    "request_",
    [EmbedRequest(inputs=("x",)), RerankRequest(query="q", documents=("x",)), SummarizeRequest("x")],
)
def test_what_nothing_stands_in_for_is_refused(request_):
    other = "rerank" if kind_of(request_) == "embedding" else "embedding"
    with pytest.raises(UnsupportedError, match="it serves"):
        translated(request_, able(other))


# Features that are missing

NEEDS = {
    "tools": ({"tools": (Tool("f"),)}, "tools"),
    "tool_choice": ({"tool_choice": "required"}, "tool_choice"),
    "json": ({"response_format": "json"}, "response_format"),
    "json_schema": ({"response_format": {"type": "object"}}, "response_format"),
    "reasoning": ({"reasoning": Reasoning("high")}, "reasoning"),
    "system": ({"system": "x"}, "system"),
}


@pytest.mark.parametrize("feature", NEEDS)
def test_an_option_that_needs_a_missing_feature(feature):
    options, name = NEEDS[feature]
    capabilities = able("chat", **{feature: False})
    with pytest.raises(UnsupportedError, match=feature) as caught:
        translated(ChatRequest((Message("user", "x"),), Options(**options)), capabilities)
    assert caught.value.parameter == name
    dropping = ChatRequest((Message("user", "x"),), Options(unsupported="drop", **options))
    _, request, notes = translated(dropping, capabilities)
    assert request.options == Options(unsupported="drop")
    assert notes == {name: "dropped"}
    for value in (True, None):
        assert translated(dropping, able("chat", **{feature: value}))[1:] == (dropping, {})


@pytest.mark.parametrize(
    ("feature", "options"),
    [
        ("tools", {"tools": ()}),
        ("tool_choice", {"tool_choice": "auto"}),
        ("tool_choice", {"tool_choice": "none"}),
        ("reasoning", {"reasoning": Reasoning("none")}),
    ],
)
def test_what_asks_for_nothing_needs_nothing(feature, options):
    request = ChatRequest((Message("user", "x"),), Options(**options))
    assert translated(request, able("chat", **{feature: False}))[1:] == (request, {})


def test_a_model_that_cannot_stream():
    with pytest.raises(UnsupportedError, match="cannot stream"):
        translated(
            ChatRequest((Message("user", "x"),), Options(unsupported="drop"), stream=True),
            able("chat", streaming=False),
        )


def test_parts_that_the_model_cannot_see():
    messages = (
        Message("user", (Text("look"), PICTURE)),
        Message("tool", (ToolResult("t", (Text("y"), PICTURE)),)),
    )
    blind = able("chat", images=False)
    with pytest.raises(UnsupportedError, match=r"messages\[0\]"):
        translated(ChatRequest(messages), blind)
    _, request, notes = translated(ChatRequest(messages, Options(unsupported="drop")), blind)
    assert request.messages == (Message("user", "look"), Message("tool", (ToolResult("t", (Text("y"),)),)))
    assert notes == {"messages[0]": "dropped", "messages[1]": "dropped"}
    assert messages[0].parts == (Text("look"), PICTURE)


def test_a_document_that_is_text_can_be_read_by_all():
    request = ChatRequest((Message("user", (Document(text="plain"),)),))
    assert translated(request, able("chat", documents=False))[1:] == (request, {})


# Plugins that fail


def test_a_document_that_is_text_can_be_read_by_all_in_a_result_too():
    result = ToolResult("x", (Text("a"), Document(text="plain")))
    request = ChatRequest((Message("tool", (result,)),))

    assert translated(request, able("chat", documents=False))[1] == request
    with pytest.raises(UnsupportedError):
        translated(
            ChatRequest((Message("tool", (ToolResult("x", (Document(data=b"%PDF"),)),)),)),
            able("chat", documents=False),
        )


@pytest.mark.parametrize(
    ("request_", "hint"), [(SummarizeRequest("text"), True), (EmbedRequest(inputs=("x",)), False)]
)
def test_a_kind_that_may_be_emulated_is_refused_with_what_to_declare(request_, hint):
    def refuse(model, request, capabilities):
        raise unserved("acme", request)

    with pytest.raises(UnsupportedError) as caught:
        translate(refuse, ModelRef("some", "c"), request_, Capabilities())
    assert ('declare that: models = [{ id = "some", kind = "chat" }]' in str(caught.value)) is hint
    with pytest.raises(UnsupportedError) as caught:
        translate(
            refuse,
            ModelRef("some", "c"),
            request_,
            Capabilities(kinds=frozenset({"summarization", "embedding"})),
        )
    assert "declare" not in str(caught.value)

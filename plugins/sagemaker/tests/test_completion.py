"""Requests and answers of the modes that are texts, embeddings, and the envelope around streams."""

import itertools
import json

import pytest
from hypothesis import given, strategies as st
from sagemaker_endpoints import EVENTS, MODE, asked, enveloped, events_of, exception, part, ref, translated

from jackfield import (
    ConfigurationError,
    Finish,
    LogprobsDelta,
    MalformedResponseError,
    Message,
    RawEvent,
    StreamInterruptedError,
    TextDelta,
    UnsupportedError,
    UsageUpdate,
)
from jackfield.http import FramingError, framer_for
from jackfield.plugin import (
    ChatRequest,
    CompletionRequest,
    EmbeddingData,
    EmbedRequest,
    Failure,
    FailureInStream,
    Frame,
    Headers,
    ModelRef,
    Options,
    SummarizeRequest,
)
from jackfield_sagemaker import SageMakerModelKeys, SageMakerSettings, jackfield_capabilities
from jackfield_sagemaker._errors import error
from jackfield_sagemaker._invoke_decoder import JSONStreamFramer, TextFramer

LLAMA2 = "<s>[INST] Why? [/INST]"


def prompt(text="Hi", *, stream=False, **options):
    return CompletionRequest(text, Options(**options), stream)


def body_of(mode, request, **declared):
    return translated(ref(mode, **declared), request).wire.body


# Requests: every mode, and what its container wants


@pytest.mark.parametrize(
    ("mode", "request_", "body"),
    [
        ("claude", prompt(max_tokens=5, stop=("x",), top_k=3), {"prompt": "\n\nHuman: Hi\n\nAssistant:", "max_tokens_to_sample": 5, "stop_sequences": ["x"], "top_k": 3}),
        ("jurassic2", prompt(max_tokens=5, temperature=0.0, top_p=0.5, stop=("x",), n=2, presence_penalty=1.0), {"prompt": "Hi", "maxTokens": 5, "temperature": 0.0, "topP": 0.5, "stopSequences": ["x"], "numResults": 2, "presencePenalty": {"scale": 1.0}}),
        ("jurassic2-summarize", SummarizeRequest("Long."), {"source": "Long.", "sourceType": "TEXT"}),
        ("cohere-command", prompt(max_tokens=5, top_k=3, top_p=0.5, stop=("x",)), {"prompt": "Hi", "max_tokens": 5, "k": 3, "p": 0.5, "stop_sequences": ["x"]}),
        ("cohere-chat", asked(max_tokens=5), {"message": "Why?", "max_tokens": 5}),
        ("llama", asked(max_tokens=5, top_p=0.5, stop=("x",)), {"inputs": LLAMA2, "parameters": {"max_new_tokens": 5, "top_p": 0.5, "stop": ["x"], "return_full_text": False}}),
        ("llama-dialogs", asked(system="S", temperature=0.5), {"inputs": [[{"role": "system", "content": "S"}, {"role": "user", "content": "Why?"}]], "parameters": {"max_new_tokens": 512, "temperature": 0.5}}),
        ("tgi", prompt(temperature=0, seed=0, frequency_penalty=0.5), {"inputs": "Hi", "parameters": {"max_new_tokens": 512, "do_sample": False, "seed": 0, "frequency_penalty": 0.5, "return_full_text": False}}),
        ("lmi", prompt(max_tokens=0, temperature=0.5, top_k=0), {"inputs": "Hi", "parameters": {"max_new_tokens": 0, "temperature": 0.5, "top_k": 0, "do_sample": True}}),
        ("lmi", prompt(temperature=0, stop=("x",)), {"inputs": "Hi", "parameters": {"max_new_tokens": 512, "do_sample": False, "stop_sequences": ["x"]}}),
        ("lmi", prompt(max_tokens=3, logprobs=True, stream=True), {"inputs": "Hi", "parameters": {"max_new_tokens": 3, "details": True}, "stream": True}),
        ("openai", asked(max_tokens=5, top_k=4, stop=("x",), seed=0), {"messages": [{"role": "user", "content": "Why?"}], "max_tokens": 5, "top_k": 4, "stop": ["x"], "seed": 0}),
        ("text2text", prompt(max_tokens=5, n=2), {"text_inputs": "Hi", "max_length": 5, "num_return_sequences": 2}),
        ("summarization", SummarizeRequest("Long.", Options(max_tokens=9)), {"inputs": "Long.", "parameters": {"max_length": 9}}),
        ("summarization-jumpstart", SummarizeRequest("Long.", Options(max_tokens=9)), {"text_inputs": "Long.", "max_length": 9}),
        ("embedding", EmbedRequest(inputs=("a", "b")), {"inputs": ["a", "b"]}),
        ("embedding-jumpstart", EmbedRequest(inputs=("a",)), {"text_inputs": ["a"]}),
        ("cohere-embed", EmbedRequest(inputs=("a",), input_type="query"), {"texts": ["a"], "input_type": "search_query", "truncate": "NONE"}),
    ],
)  # fmt: skip
def test_bodies(mode, request_, body):
    assert body_of(mode, request_) == body


def test_a_body_that_is_the_text_itself():
    wire = translated(ref("summarization-text"), SummarizeRequest("Länge.")).wire
    assert wire.body == "Länge.".encode()
    assert wire.headers["Content-Type"] == "application/x-text"
    with pytest.raises(UnsupportedError, match="text itself"):
        translated(ref("summarization-text"), SummarizeRequest("x", Options(extra={"sagemaker": {"a": 1}})))
    with pytest.raises(UnsupportedError, match="max_tokens"):
        translated(ref("summarization-text"), SummarizeRequest("x", Options(max_tokens=1)))


def test_what_is_added_is_reported():
    report = translated(ref("lmi", details=True), prompt(temperature=0.5)).report
    added = {note.name: note.value for note in report if note.fate == "defaulted"}
    assert added == {"max_tokens": 512, "do_sample": True, "details": True}
    report = translated(ref("tgi"), prompt(max_tokens=1)).report
    assert {note.name for note in report if note.fate == "defaulted"} == {"return_full_text"}


def test_an_option_that_a_container_does_not_know_is_refused():
    for mode, option in (
        ("jurassic2", {"seed": 1}),
        ("llama-dialogs", {"stop": ("x",)}),
        ("lmi", {"logit_bias": {"1": 1}}),
    ):
        request = asked(**option) if mode == "llama-dialogs" else prompt(**option)
        with pytest.raises(UnsupportedError, match=next(iter(option))):
            translated(ref(mode), request)
        dropped = translated(
            ref(mode),
            type(request)(
                request.messages if mode == "llama-dialogs" else "Hi", Options(**option, unsupported="drop")
            ),
        )
        assert dropped.report[next(iter(option))].fate == "dropped"


def test_the_models_name_is_in_the_body_where_it_is_declared():
    assert body_of("openai", asked(), model_name="adapter-1")["model"] == "adapter-1"
    assert "model" not in body_of("openai", asked())


def test_addresses_and_headers():
    wire = translated(
        ref("lmi", endpoint="shared", inference_component="ic", custom_attributes="accept_eula=true"),
        prompt(stream=True),
    ).wire
    assert wire.path == "/endpoints/shared/invocations-response-stream"
    assert wire.headers == {
        "Content-Type": "application/json", "X-Amzn-SageMaker-Inference-Component": "ic",
        "X-Amzn-SageMaker-Custom-Attributes": "accept_eula=true",
    }  # fmt: skip
    for mode in MODE:
        request = EmbedRequest(inputs=("a",), input_type="query") if mode == "cohere-embed" else asked()
        made = translated(ref(mode, prompt="single"), request).wire
        assert "X-Amzn-SageMaker-Custom-Attributes" not in made.headers, (
            "accepting a licence is never the plugin's word"
        )


def test_conversations_for_models_that_complete_text():
    wire = translated(ref("tgi", "mistral-7b-instruct"), asked()).wire
    assert wire.body["inputs"] == "<s>[INST] Why? [/INST]"
    assert body_of("tgi", asked(), prompt="llama-3")["inputs"].startswith("<|begin_of_text|>")
    with pytest.raises(UnsupportedError, match="prompt"):
        translated(ref("lmi", "some-model"), asked())
    with pytest.raises(UnsupportedError, match="no prompt format|declare the prompt"):
        translated(ref("llama", "llama-2-7b"), asked())


def test_what_a_mode_does_not_serve():
    for mode, request in (
        ("lmi", EmbedRequest(inputs=("a",))),
        ("embedding", prompt()),
        ("openai", EmbedRequest(inputs=("a",))),
    ):
        with pytest.raises(UnsupportedError):
            translated(ref(mode), request)
    with pytest.raises(UnsupportedError, match="stream"):
        translated(ref("jurassic2"), prompt(stream=True))


# What is known


def known(mode, underlying=None, **declared):
    return jackfield_capabilities(ref(mode, underlying, **declared))


def test_what_is_known_of_an_endpoint():
    llama = known("lmi", "meta-textgeneration-llama-3-8b-instruct")
    assert (llama.known, llama.kinds, llama.limits.context_window) == (True, frozenset({"completion"}), 8192)
    assert llama.chat_prompt_name.startswith("Llama 3")
    assert known("llama", "llama-2-7b").chat_prompt is None
    assert known("claude", "claude-2.1").limits.context_window == 200_000
    assert known("cohere-command", "command-light").known
    assert not known("lmi", "never-heard-of").known
    nobody = jackfield_capabilities(ModelRef("e", declared={"id": "e", "mode": "claude"}))
    assert (nobody.known, nobody.limits.context_window) == (False, None)
    assert known("openai", "gpt-4o").kinds == {"chat"}
    assert known("lmi").feature("tools").value is False
    assert known("openai", "gpt-oss-120b").feature("tools").value is not False
    assert known("lmi", asynchronous={}).feature("streaming").value is False
    assert jackfield_capabilities(ModelRef("e")).known is False
    body = {"m": "{{messages}}", "p": "{{prompt}}"}
    template = known("template", template={"body": body, "text": "t"})
    assert template.kinds == {"chat", "completion"}
    assert template.feature("streaming").value is False


# Answers


@pytest.mark.parametrize(
    ("answer", "texts"),
    [
        ([{"generation": {"role": "assistant", "content": " A"}}], [" A"]),
        ([{"generation": "A"}], ["A"]),
        ({"generation": "A"}, ["A"]),
        ([{"generated_text": "A"}], ["A"]),
        ({"generated_text": "A"}, ["A"]),
        ([[{"generated_text": "A"}]], ["A"]),
        ({"generated_text": ["A", "B"]}, ["A", "B"]),
        ({"outputs": ["A", "B"]}, ["A", "B"]),
        ({"generated_texts": ["A"]}, ["A"]),
        ([{"generated_text": "A"}, {"generated_text": "B"}], ["A", "B"]),
        ({"generated_text": ""}, [""]),
    ],
)
def test_one_model_answers_in_many_shapes(answer, texts):
    wire = translated(ref("llama"), prompt()).wire
    events = events_of(wire, [Frame(json.dumps(answer).encode())])
    said = [
        "".join(e.text for e in events if isinstance(e, TextDelta) and e.choice == n)
        for n in range(len(texts))
    ]
    assert said == texts
    assert [e.choice for e in events if isinstance(e, Finish)] == list(range(len(texts)))


@pytest.mark.parametrize("answer", [b"{}", b'{"unknown": 1}', b"[]", b"<html>", b"3"])
def test_an_answer_without_a_text(answer):
    with pytest.raises(MalformedResponseError):
        events_of(translated(ref("llama"), prompt()).wire, [Frame(answer)])


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "no", "code": 424},
        [{"error": "no"}],
        {"generated_text": "", "details": {"finish_reason": "error"}},
    ],
)
def test_an_error_with_a_good_status(answer):
    with pytest.raises(FailureInStream):
        events_of(translated(ref("lmi"), prompt()).wire, [Frame(json.dumps(answer).encode())])


def test_details_are_usage_reason_and_likelihoods():
    details = {
        "finish_reason": "stop_sequence", "generated_tokens": 2, "prefill": [{"id": 1}, {"id": 2}, {"id": 3}],
        "tokens": [{"id": 1, "text": "A", "logprob": -0.5}, {"id": 2, "text": "B", "log_prob": None}],
    }  # fmt: skip
    wire = translated(ref("tgi"), prompt(logprobs=True)).wire
    events = events_of(wire, [Frame(json.dumps([{"generated_text": "AB", "details": details}]).encode())])
    (used,) = [e.usage for e in events if isinstance(e, UsageUpdate)]
    assert (used.input_tokens, used.output_tokens) == (3, 2)
    (likely,) = [e.tokens for e in events if isinstance(e, LogprobsDelta)]
    assert likely[0].logprob == -0.5
    assert likely[1].logprob != likely[1].logprob
    (end,) = [e for e in events if isinstance(e, Finish)]
    assert (end.reason, end.raw) == ("stop", "stop_sequence")


@pytest.mark.parametrize(
    ("answer", "inputs", "vectors"),
    [
        ([[0.5, 1.0], [1.5, 2.0]], 2, [[0.5, 1.0], [1.5, 2.0]]),
        ([0.5, 1.0], 1, [[0.5, 1.0]]),
        ([[[0.0, 1.0], [1.0, 2.0]]], 1, [[0.5, 1.5]]),
        ([[[[0.0, 1.0], [1.0, 2.0]]], [[[4.0, 4.0]]]], 2, [[0.5, 1.5], [4.0, 4.0]]),
        ({"embeddings": [[1, 2]]}, 1, [[1.0, 2.0]]),
        ({"vectors": [[0.25, 2]]}, 1, [[0.25, 2.0]]),
    ],
)
def test_vectors(answer, inputs, vectors):
    wire = translated(ref("embedding"), EmbedRequest(inputs=("x",) * inputs)).wire
    events = events_of(wire, [Frame(json.dumps(answer).encode())])
    assert [list(e.vector) for e in events if isinstance(e, EmbeddingData)] == vectors


@pytest.mark.parametrize("answer", [[[1.0]], [], {}, {"embedding": None}, [[], []], "x", [["a"], ["b"]]])
def test_vectors_that_are_not_there(answer):
    wire = translated(ref("embedding"), EmbedRequest(inputs=("x", "y"))).wire
    with pytest.raises(MalformedResponseError):
        events_of(wire, [Frame(json.dumps(answer).encode())])


# The envelope

LINES = b'{"token":{"id":1,"text":"H\xc3\xa4"}}\n{"token":{"id":2,"text":" \xf0\x9f\x8c\xa4 }\\""}}\n{"token":{"id":3,"text":"","special":true},"generated_text":"x","details":{"finish_reason":"length","generated_tokens":3}}\n'
SSE = b"".join(b"data:" + line + b"\n\n" for line in LINES.splitlines())
GLUED = LINES.replace(b"\n", b"")
WIRE = translated(ref("lmi"), prompt(stream=True)).wire


def played(data, inner="", headers=None):
    framer = framer_for(EVENTS, WIRE.framing)
    frames = [*framer.feed(data), *framer.close()]
    return events_of(WIRE, frames, {"x-amzn-sagemaker-content-type": inner} if inner else headers)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
@pytest.mark.parametrize(
    ("body", "inner"),
    [(LINES, "application/jsonlines"), (LINES, ""), (SSE, "text/event-stream; charset=utf-8"), (SSE, ""), (GLUED, "application/json"),
     (b"\n " + GLUED, ""), (LINES, "application/octet-stream")],
)  # fmt: skip
def test_parts_are_cut_anywhere(body, inner, size):
    events = played(enveloped(body, size=size), inner)
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == 'Hä 🌤 }"'
    assert [(e.reason, e.raw) for e in events if isinstance(e, Finish)] == [("length", "length")]


@given(st.lists(st.integers(1, len(SSE)), max_size=6), st.lists(st.integers(0, 2_000), max_size=6))
def test_every_cut_of_parts_and_of_the_network_gives_the_same_events(inside, outside):
    places = sorted({0, *inside, len(SSE)})
    data = b"".join(part(SSE[a:b]) for a, b in itertools.pairwise(places))
    cuts = sorted({0, *(cut % (len(data) + 1) for cut in outside), len(data)})
    framer = framer_for(EVENTS, WIRE.framing)
    frames = [frame for a, b in itertools.pairwise(cuts) for frame in framer.feed(data[a:b])] + framer.close()
    events = events_of(WIRE, frames)
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == 'Hä 🌤 }"'
    assert sum(isinstance(e, Finish) for e in events) == 1


def test_a_stream_without_its_last_token():
    with pytest.raises(StreamInterruptedError):
        played(enveloped(b'{"token":{"id":1,"text":"A"}}\n'), "application/jsonlines")
    with pytest.raises(MalformedResponseError, match="framing"):
        played(enveloped(b'{"token":{"id":1,"te'))


def test_an_exception_in_the_stream_is_given_after_what_came_before():
    from sagemaker_endpoints import decoder

    framer = framer_for(EVENTS, WIRE.framing)
    made = decoder(WIRE)
    data = part(LINES[:40]) + exception("InternalStreamFailure", Message="broken")
    first, second = framer.feed(data)
    assert [e.text for e in made.feed(first) if isinstance(e, TextDelta)] == ["Hä"]
    with pytest.raises(FailureInStream) as caught:
        made.feed(second)
    assert caught.value.failure.event == "InternalStreamFailure"
    assert caught.value.failure.data == {"Message": "broken"}


def test_an_error_behind_text_in_one_part_loses_nothing():
    from sagemaker_endpoints import decoder

    framer = framer_for(EVENTS, WIRE.framing)
    made = decoder(WIRE)
    (frame,) = framer.feed(
        part(b'{"token":{"id":1,"text":"A"}}\n{"error":"gone","error_type":"generation"}\n')
    )
    assert [e.text for e in made.feed(frame) if isinstance(e, TextDelta)] == ["A"]
    with pytest.raises(FailureInStream):
        made.finish()


def test_an_item_of_a_stream_that_nobody_knows_is_kept():
    events = played(enveloped(b'{"usage":{"x":1}}\n' + LINES), "application/jsonlines")
    assert [e.data for e in events if isinstance(e, RawEvent)] == [{"usage": {"x": 1}}]


def test_framers():
    framer = JSONStreamFramer()
    body = b' {"a":"}\\"{"} \n[1,{"b":2}]{"c":{}}'
    assert [f.data for byte in body for f in framer.feed(bytes([byte]))] == [
        b'{"a":"}\\"{"}',
        b'[1,{"b":2}]',
        b'{"c":{}}',
    ]
    assert framer.close() == []
    framer.feed(b'{"a"')
    with pytest.raises(FramingError):
        framer.close()
    text = TextFramer()
    pieces = [f.data for byte in "ä𝄞".encode() for f in text.feed(bytes([byte]))]
    assert pieces == ["ä".encode(), "𝄞".encode()]
    assert [f.data for f in (*text.feed(b"\xf0\x9f"), *text.close())] == ["\ufffd".encode()]


# Declarations


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"mode": "template"}, "belong together"),
        ({"mode": "lmi", "prompt": "llama-4"}, "prompt must be one of"),
        ({"mode": "lmi", "endpoint": "a/b"}, "endpoint must be a name"),
        ({"mode": "lmi", "custom_attributes": "a\nb"}, "printable"),
    ],
)
def test_entries_that_cannot_work(keys, words):
    with pytest.raises(ConfigurationError, match=words):
        SageMakerModelKeys(**keys)


def test_a_conversation_is_never_changed():
    messages = (Message("user", "A"),)
    request = ChatRequest(messages, Options(system="S", stop=("x",)))
    before = repr(request)
    translated(ref("lmi"), request)
    assert repr(request) == before
    assert SageMakerSettings(region="eu-central-1").identity.region() is None


def test_a_stream_may_say_that_it_is_done():
    wire = translated(ref("tgi"), CompletionRequest("x", Options(), stream=True)).wire
    last = {
        "token": {"text": "Hi", "special": False},
        "generated_text": "Hi",
        "details": {"finish_reason": "length"},
    }
    events = events_of(wire, [Frame(json.dumps(last).encode()), Frame(b"[DONE]")])
    assert [e.raw for e in events if isinstance(e, Finish)] == ["length"]
    with pytest.raises(StreamInterruptedError):
        events_of(wire, [Frame(b"[DONE]")])


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "InvalidRequestError"), (401, "AuthenticationError"), (404, "NotFoundError"), (408, "TimeoutError"),
        (422, "InvalidRequestError"), (429, "RateLimitError"), (500, "ServerError"), (503, "OverloadedError"),
        (504, "TimeoutError"), (None, "ServerError"), ("x", "ServerError"), (200, "ServerError"),
    ],
)  # fmt: skip
def test_a_containers_own_status_says_what_its_error_is(status, name):
    said = {"Message": "Received server error", "OriginalMessage": "boom", "OriginalStatusCode": status}
    head = Headers({"x-amzn-errortype": "ModelError"})
    made = error(Failure(424, head, json.dumps(said).encode()))
    assert (type(made).__name__, made.status, made.message) == (name, 424, "boom")

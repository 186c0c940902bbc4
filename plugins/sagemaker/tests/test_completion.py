"""Translate text generation: bodies, options, conversations."""

import pytest
from sagemaker_endpoints import asked, ref, translated
from sagemaker_texts import body_of, prompt

from jackfield import Message, UnsupportedError
from jackfield.plugin import ChatRequest, EmbedRequest, Options, SummarizeRequest
from jackfield_sagemaker import SageMakerSettings

LLAMA2 = "<s>[INST] Why? [/INST]"


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


def test_conversations_for_models_that_complete_text():
    wire = translated(ref("tgi", "mistral-7b-instruct"), asked()).wire
    assert wire.body["inputs"] == "<s>[INST] Why? [/INST]"
    assert body_of("tgi", asked(), prompt="llama-3")["inputs"].startswith("<|begin_of_text|>")
    with pytest.raises(UnsupportedError, match="prompt"):
        translated(ref("lmi", "some-model"), asked())
    with pytest.raises(UnsupportedError, match="no prompt format|declare the prompt"):
        translated(ref("llama", "llama-2-7b"), asked())


def test_a_conversation_is_never_changed():
    messages = (Message("user", "A"),)
    request = ChatRequest(messages, Options(system="S", stop=("x",)))
    before = repr(request)
    translated(ref("lmi"), request)
    assert repr(request) == before
    assert SageMakerSettings(region="eu-central-1").identity.region() is None

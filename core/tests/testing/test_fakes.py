import json
from array import array

import orjson
import pytest

from jackfield import (
    Message,
    RateLimitError,
    StreamInterruptedError,
    Thinking,
    Tool,
    UnsupportedError,
    Usage,
)
from jackfield._calls.fold import fold
from jackfield._plugins.registry import Registry
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    FailureInStream,
    ModelRef,
    Options,
    RerankRequest,
    SummarizeRequest,
)
from jackfield.testing import FakeAnswer, FakeProvider

MODEL = ModelRef("echo", "fake", "chat")


async def events_of(fake, request, *, model=MODEL):
    provider = Registry.of(fake).provider(fake.id)
    wire = provider.translate(model, request, provider.capabilities(model)).wire
    transport = provider.transport(provider.info.settings())
    await transport.open()
    decoder = provider.decoder(model, wire)
    steps = []
    async with transport.exchange(wire) as exchange:
        assert exchange.head.status is None
        events = decoder.start(exchange.head)
        async for frames in exchange.frames:
            steps.append(len(frames))
            for frame in frames:
                events += decoder.feed(frame)
        events += decoder.finish()
    await transport.aclose()
    return events


def chat(text="hello there", *, stream=False, **options):
    return ChatRequest((Message("user", text),), Options(**options), stream)


@pytest.mark.parametrize("stream", [False, True])
async def test_it_echoes_without_a_script(stream):
    fake = FakeProvider()
    folded = fold(await events_of(fake, chat(stream=stream)))
    assert folded.choices[0].text == "You said: hello there"
    assert folded.choices[0].finish_reason == "stop"
    assert folded.usage == Usage(2, 4)
    assert folded.finished
    assert fake.requests == [chat(stream=stream)]
    assert fake.wires[0].body["messages"][0]["content"] == [
        {"type": "Text", "text": "hello there", "refusal": False}
    ]
    assert (fake.opened, fake.closed, fake.cancelled) == (1, 1, 0)


async def test_a_script_is_followed_and_then_the_default():
    call = ("add", {"a": 1, "b": 2})
    fake = FakeProvider(
        answers=[
            "scripted",
            FakeAnswer(
                chunks=["x", "y"], thinking="let me see", usage=(7, 3), finish="length", model="echo-2"
            ),
            FakeAnswer(tool_calls=[call], usage=None),
        ]
    )
    assert fold(await events_of(fake, chat())).choices[0].text == "scripted"
    second = fold(await events_of(fake, chat(stream=True)), provider="fake")
    assert second.choices[0].message.parts[0] == Thinking("let me see", "fake", "echo-2", None)
    assert (second.choices[0].text, second.choices[0].finish_reason) == ("xy", "length")
    assert (second.usage.input_tokens, second.usage.output_tokens, second.model) == (7, 3, "echo-2")
    third = fold(await events_of(fake, chat(stream=True)))
    (got,) = third.choices[0].message.tool_calls
    assert (got.name, got.arguments) == call
    assert third.choices[0].finish_reason == "tool_calls"
    assert third.usage.input_tokens is None
    assert fold(await events_of(fake, chat())).choices[0].text.startswith("You said")


async def test_errors_are_raised_as_scripted_and_the_script_keeps_its_own():
    error = RateLimitError("slow down", retry_after=2.0)
    fake = FakeProvider(answers=[error])
    with pytest.raises(RateLimitError, match="slow down") as raised:
        await events_of(fake, chat())
    assert raised.value is not error
    assert raised.value.retry_after == 2.0


async def test_a_status_comes_as_a_service_sends_it():
    fake = FakeProvider(answers=[FakeAnswer(error=429, retry_after=3)])
    wire = fake.jackfield_translate(MODEL, chat(), Capabilities()).wire
    async with fake.jackfield_transport(fake.jackfield_provider().settings()).exchange(wire) as exchange:
        assert exchange.head.status == 429
        assert exchange.head.headers["Retry-After"] == "3"
        body = [frame.data async for frames in exchange.frames for frame in frames]
    assert "429" in json.loads(b"".join(body))["error"]["message"]


async def test_an_error_may_come_inside_a_stream():
    fake = FakeProvider(answers=[FakeAnswer(text="one two three", error=503, after=2)])
    with pytest.raises(FailureInStream) as raised:
        await events_of(fake, chat(stream=True))
    assert raised.value.failure.status == 503


@pytest.mark.parametrize("stream", [False, True])
async def test_a_truncated_answer_is_no_answer(stream):
    with pytest.raises(StreamInterruptedError):
        await events_of(FakeProvider(answers=[FakeAnswer(text="a b", truncate=True)]), chat(stream=stream))


async def test_leaving_a_stream_is_counted():
    fake = FakeProvider(answers=["one two three"])
    wire = fake.jackfield_translate(MODEL, chat(stream=True), Capabilities()).wire
    async with fake.jackfield_transport(fake.jackfield_provider().settings()).exchange(wire) as exchange:
        async for _ in exchange.frames:
            break
    assert fake.cancelled == 1


async def test_every_kind_is_served():
    fake = FakeProvider()
    vectors = fold(await events_of(fake, EmbedRequest(inputs=("a", "b", "a"), dimensions=5))).vectors
    assert [len(vectors[i]) for i in range(3)] == [5, 5, 5]
    assert list(vectors[0]) == list(vectors[2]) != list(vectors[1])
    assert sum(x * x for x in vectors[0]) == pytest.approx(1, abs=1e-6)
    scores = fold(
        await events_of(
            fake, RerankRequest(query="red cat", documents=("a dog", "a red cat", "cat"), top_n=2)
        )
    ).scores
    assert [index for index, _ in scores] == [1, 2]
    assert fold(await events_of(fake, CountRequest((Message("user", "one two three"),)))).counted == 3
    assert fold(await events_of(fake, CompletionRequest("Once"))).choices[0].text == "You said: Once"
    assert (
        fold(await events_of(fake, SummarizeRequest("a long text"))).choices[0].text
        == "In short: a long text"
    )


async def test_options_show_in_the_made_up_answer():
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
    tool = Tool("look", parameters=schema)
    fake = FakeProvider()
    cut = fold(await events_of(fake, chat(max_tokens=2))).choices[0]
    assert (cut.text, cut.finish_reason) == ("You said:", "length")
    shaped = fold(await events_of(fake, chat(response_format=schema))).choices[0]
    assert orjson.loads(shaped.text) == {"name": "", "age": 0}
    forced = fold(await events_of(fake, chat(tools=(tool,), tool_choice="required"))).choices[0]
    assert forced.message.tool_calls[0].arguments == {"name": "", "age": 0}
    assert len(fold(await events_of(fake, chat(n=3))).choices) == 3


def test_capabilities_are_the_tests_to_declare():
    fake = FakeProvider(capabilities=Capabilities().with_features("test", parallel_tool_calls=False))
    capabilities = fake.jackfield_capabilities(MODEL)
    with pytest.raises(UnsupportedError):
        fake.jackfield_translate(MODEL, chat(parallel_tool_calls=False), capabilities)
    dropped = fake.jackfield_translate(
        MODEL, chat(parallel_tool_calls=False, unsupported="drop"), capabilities
    )
    assert dropped.report["parallel_tool_calls"].fate == "dropped"


async def test_a_function_may_answer():
    fake = FakeProvider(answers=lambda request: "yes" if request.options.temperature is UNSET else None)
    assert fold(await events_of(fake, chat())).choices[0].text == "yes"
    assert fold(await events_of(fake, chat(temperature=0))).choices[0].text == "You said: hello there"


async def test_models_are_listed():
    fake = FakeProvider(models=("a", "b"))
    listing = fake.jackfield_discover()
    async with fake.jackfield_transport(fake.jackfield_provider().settings()).exchange(
        listing.wire
    ) as exchange:
        body = b"".join([frame.data async for frames in exchange.frames for frame in frames])
        cards, following = listing.parse(exchange.head, body)
    assert [card.id for card in cards] == ["a", "b"]
    assert following is None


def test_a_vector_is_float32():
    from jackfield.testing._fake_answers import hash_vector

    assert isinstance(hash_vector("a"), array)
    assert hash_vector("a").typecode == "f"

"""The official Python SDKs read what is written: over loopback, and in this process."""

import asyncio
import threading
from contextlib import asynccontextmanager

import anthropic
import openai
import pytest
from meshes_of_fakes import mesh_of, serving
from pydantic import BaseModel

from jackfield import ConfigurationError, ToolCall, Usage
from jackfield.testing import FakeAnswer, FakeProvider
from jackfield_surfaces import anthropic_client, openai_client, sync_anthropic_client, sync_openai_client

ADD = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}
CHAT_TOOL = {"type": "function", "function": {"name": "add", "parameters": ADD}}
RESPONSES_TOOL = {"type": "function", "name": "add", "parameters": ADD, "strict": True}
MESSAGES_TOOL = {"name": "add", "input_schema": ADD}
ASKED = [{"role": "user", "content": "Hi"}]
CALLS = FakeAnswer(
    thinking="I add.", text="Wait.", tool_calls=[("add", {"a": 1}), ("add", {"a": 2})], usage=Usage(10, 5, 4)
)


@asynccontextmanager
async def clients(way, fake, **fields):
    """Yield both SDKs' clients for a mesh of a fake: on loopback, or in this process."""
    async with mesh_of(fake, **fields) as mesh:
        if way == "in process":
            yield openai_client(mesh), anthropic_client(mesh)
            return
        async with serving(mesh) as url:
            ours = openai.AsyncOpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0)
            theirs = anthropic.AsyncAnthropic(api_key="k", base_url=url, max_retries=0)
            async with ours, theirs:
                yield ours, theirs


WAYS = pytest.mark.parametrize("way", ["loopback", "in process"])


@WAYS
async def test_chats(way):
    fake = FakeProvider(answers=["Hello, you.", CALLS, "Hello, you.", CALLS])
    async with clients(way, fake) as (client, _):
        reply = await client.chat.completions.create(model="c:echo", messages=ASKED)
        assert reply.choices[0].message.content == "Hello, you."
        assert reply.choices[0].finish_reason == "stop"
        assert reply.usage.prompt_tokens == 1
        reply = await client.chat.completions.create(model="best", messages=ASKED, tools=[CHAT_TOOL])
        assert [call.function.arguments for call in reply.choices[0].message.tool_calls] == [
            '{"a":1}',
            '{"a":2}',
        ]
        assert reply.choices[0].finish_reason == "tool_calls"
        assert reply.usage.prompt_tokens_details.cached_tokens == 4
        async with client.chat.completions.stream(
            model="echo", messages=ASKED, stream_options={"include_usage": True}
        ) as stream:
            final = await stream.get_final_completion()
        assert final.choices[0].message.content == "Hello, you."
        assert final.usage.total_tokens == 3
        async with client.chat.completions.stream(model="echo", messages=ASKED, tools=[CHAT_TOOL]) as stream:
            kinds = [event.type async for event in stream]
            final = await stream.get_final_completion()
        assert "tool_calls.function.arguments.done" in kinds
        assert [call.function.name for call in final.choices[0].message.tool_calls] == ["add", "add"]


@WAYS
async def test_responses(way):
    fake = FakeProvider(answers=["Hello, you.", CALLS, "Hello, you.", CALLS])
    async with clients(way, fake) as (client, _):
        reply = await client.responses.create(model="c:echo", input="Hi")
        assert (reply.output_text, reply.status) == ("Hello, you.", "completed")
        assert reply.usage.total_tokens == 3
        reply = await client.responses.create(model="c:echo", input="Hi", tools=[RESPONSES_TOOL])
        assert [item.type for item in reply.output] == [
            "reasoning",
            "message",
            "function_call",
            "function_call",
        ]
        assert reply.usage.input_tokens_details.cached_tokens == 4
        async with client.responses.stream(model="c:echo", input="Hi") as stream:
            kinds = [event.type async for event in stream]
            final = await stream.get_final_response()
        assert kinds[0] == "response.created"
        assert kinds[-1] == "response.completed"
        assert final.output_text == "Hello, you."
        async with client.responses.stream(model="c:echo", input="Hi", tools=[RESPONSES_TOOL]) as stream:
            final = await stream.get_final_response()
        assert [item.arguments for item in final.output if item.type == "function_call"] == [
            '{"a":1}',
            '{"a":2}',
        ]


@WAYS
async def test_messages(way):
    fake = FakeProvider(answers=["Hello, you.", CALLS, "Hello, you.", CALLS])
    async with clients(way, fake) as (_, client):
        reply = await client.messages.create(model="c:echo", messages=ASKED, max_tokens=100)
        assert [block.text for block in reply.content] == ["Hello, you."]
        assert (reply.stop_reason, reply.usage.output_tokens) == ("end_turn", 2)
        reply = await client.messages.create(
            model="c:echo", messages=ASKED, max_tokens=100, tools=[MESSAGES_TOOL]
        )
        assert [block.type for block in reply.content] == ["thinking", "text", "tool_use", "tool_use"]
        assert [block.input for block in reply.content[2:]] == [{"a": 1}, {"a": 2}]
        assert (reply.usage.input_tokens, reply.usage.cache_read_input_tokens) == (6, 4)
        async with client.messages.stream(model="c:echo", messages=ASKED, max_tokens=100) as stream:
            assert [text async for text in stream.text_stream] == ["Hello,", " you."]
            final = await stream.get_final_message()
        assert (final.stop_reason, final.usage.input_tokens) == ("end_turn", 1)
        async with client.messages.stream(
            model="c:echo", messages=ASKED, max_tokens=100, tools=[MESSAGES_TOOL]
        ) as stream:
            final = await stream.get_final_message()
        assert [block.type for block in final.content] == ["thinking", "text", "tool_use", "tool_use"]
        assert final.stop_reason == "tool_use"


@WAYS
async def test_everything_else(way):
    fake = FakeProvider(models=["echo", "other"])
    async with clients(way, fake) as (client, theirs):
        completion = await client.completions.create(model="c:echo", prompt="Hi")
        assert completion.choices[0].text
        pieces = [
            chunk async for chunk in await client.completions.create(model="c:echo", prompt="Hi", stream=True)
        ]
        assert "".join(piece.choices[0].text for piece in pieces) == completion.choices[0].text
        vectors = await client.embeddings.create(model="c:echo", input=["a", "b"])
        floats = await client.embeddings.create(model="c:echo", input=["a", "b"], encoding_format="float")
        assert [len(entry.embedding) for entry in vectors.data] == [8, 8]
        assert vectors.data[1].embedding == pytest.approx(floats.data[1].embedding)
        assert [model.id async for model in client.models.list()] == ["best", "c:echo", "c:other"]
        assert (await client.models.retrieve("c:other")).id == "c:other"
        count = await client.responses.input_tokens.count(model="c:echo", input="Hi there")
        assert count.input_tokens == 2
        assert (await theirs.messages.count_tokens(model="c:echo", messages=ASKED)).input_tokens == 1
        assert [model.id async for model in theirs.models.list()] == ["best", "c:echo", "c:other"]
        assert [model.id async for model in theirs.models.list(limit=1)] == ["best", "c:echo", "c:other"]
        assert (await theirs.models.retrieve("c:echo")).id == "c:echo"
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("none")


class Person(BaseModel):
    name: str
    age: int


@WAYS
async def test_structured_output(way):
    fake = FakeProvider(answers=['{"name": "Ada", "age": 36}'] * 3)
    async with clients(way, fake) as (client, theirs):
        chat = await client.chat.completions.parse(model="c:echo", messages=ASKED, response_format=Person)
        assert chat.choices[0].message.parsed == Person(name="Ada", age=36)
        response = await client.responses.parse(model="c:echo", input="Hi", text_format=Person)
        assert response.output_parsed == Person(name="Ada", age=36)
        message = await theirs.messages.parse(
            model="c:echo", messages=ASKED, max_tokens=100, output_format=Person
        )
        assert message.parsed_output == Person(name="Ada", age=36)
        assert [request.options.response_format["properties"].keys() for request in fake.requests] == [
            {"name", "age"}
        ] * 3


@WAYS
@pytest.mark.parametrize(
    ("status", "ours", "theirs"),
    [
        (400, openai.BadRequestError, anthropic.BadRequestError),
        (404, openai.NotFoundError, anthropic.NotFoundError),
        (429, openai.RateLimitError, anthropic.RateLimitError),
        (503, openai.InternalServerError, anthropic.InternalServerError),
        (401, openai.InternalServerError, anthropic.InternalServerError),
    ],
)
async def test_errors_are_the_classes_that_a_program_knows(way, status, ours, theirs):
    async with clients(way, FakeProvider(answers=[FakeAnswer(error=status)] * 4)) as (client, other):
        for stream in (False, True):
            with pytest.raises(ours):
                await client.chat.completions.create(model="c:echo", messages=ASKED, stream=stream)
            with pytest.raises(theirs):
                await other.messages.create(model="c:echo", messages=ASKED, max_tokens=9, stream=stream)


@WAYS
async def test_errors_in_a_stream_are_raised(way):
    broken = FakeAnswer(text="one two three", error=503, after=2)
    async with clients(way, FakeProvider(answers=[broken] * 3)) as (client, other):
        seen = []
        with pytest.raises(openai.APIError) as caught:
            stream = await client.chat.completions.create(model="c:echo", messages=ASKED, stream=True)
            async for chunk in stream:
                seen += [chunk.choices[0].delta.content]
        assert "one" in seen
        assert caught.value.code == "server_is_overloaded"
        with pytest.raises(openai.APIError):
            async for _ in await client.responses.create(model="c:echo", input="Hi", stream=True):
                pass
        with pytest.raises(anthropic.APIStatusError):
            async for _ in await other.messages.create(
                model="c:echo", messages=ASKED, max_tokens=9, stream=True
            ):
                pass


@WAYS
async def test_a_request_that_is_not_valid_names_its_place(way):
    async with clients(way, FakeProvider(), models=["echo"]) as (client, other):
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(model="c:echo", messages=[{"role": "king", "content": "x"}])
        assert caught.value.param == "messages[0].role"
        with pytest.raises(openai.NotFoundError) as missing:
            await client.chat.completions.create(model="nobody:echo", messages=ASKED)
        assert missing.value.code == "model_not_found"
        with pytest.raises(anthropic.BadRequestError, match=r"messages\.0\.role"):
            await other.messages.create(
                model="c:echo", messages=[{"role": "king", "content": "x"}], max_tokens=9
            )
        with pytest.raises(openai.BadRequestError) as foreign:
            await client.chat.completions.create(model="c:echo", messages=ASKED, verbosity="low")
        assert foreign.value.param == "verbosity"


@WAYS
async def test_what_was_left_out_is_reported_in_a_header(way):
    async with clients(way, FakeProvider(), unsupported="drop") as (client, _):
        raw = await client.chat.completions.with_raw_response.create(
            model="c:echo", messages=ASKED, verbosity="low", extra_body={"mood": 1}
        )
        assert raw.headers["x-jackfield-report"] == "verbosity=dropped; mood=dropped"


@WAYS
async def test_a_client_that_leaves_closes_the_upstream(way):
    fake = FakeProvider(answers=[FakeAnswer(text="word " * 1000, chunk_delay=0.01)] * 2)
    async with clients(way, fake) as (client, other):
        stream = await client.chat.completions.create(model="c:echo", messages=ASKED, stream=True)
        async for _ in stream:
            break
        await stream.close()
        async with other.messages.stream(model="c:echo", messages=ASKED, max_tokens=9) as events:
            async for _ in events:
                break
        async with asyncio.timeout(5):
            while fake.cancelled < 2:
                await asyncio.sleep(0.01)


async def test_a_call_that_is_cancelled_is_cancelled_upstream():
    fake = FakeProvider(answers=[FakeAnswer(text="late", delay=1000.0)])
    async with mesh_of(fake) as mesh:
        call = asyncio.create_task(
            openai_client(mesh).chat.completions.create(model="c:echo", messages=ASKED)
        )
        while not fake.requests:
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert fake.cancelled == 1


async def test_pieces_of_a_stream_arrive_as_they_come():
    fake = FakeProvider(answers=[FakeAnswer(chunks=["a", "b"], chunk_delay=10.0)])
    async with mesh_of(fake) as mesh:
        clock = asyncio.get_running_loop().time
        stream = await openai_client(mesh).chat.completions.create(
            model="c:echo", messages=ASKED, stream=True
        )
        times = [clock() async for chunk in stream if chunk.choices[0].delta.content]
        assert times[1] - times[0] == pytest.approx(10.0, abs=1.0)


async def test_a_limit_of_time_of_the_client_is_the_calls():
    fake = FakeProvider(answers=[FakeAnswer(text="late", delay=1000.0)])
    async with mesh_of(fake) as mesh:
        with pytest.raises(openai.InternalServerError) as caught:
            await openai_client(mesh, timeout=5.0).chat.completions.create(model="c:echo", messages=ASKED)
        assert caught.value.status_code == 504


@pytest.mark.real_time
def test_sync_clients_open_a_mesh_and_close_it():
    fake = FakeProvider(answers=["Hello, you."] * 4)
    with sync_openai_client(mesh_of(fake)) as client:
        assert (
            client.chat.completions.create(model="c:echo", messages=ASKED).choices[0].message.content
            == "Hello, you."
        )
        pieces = client.chat.completions.create(model="c:echo", messages=ASKED, stream=True)
        assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == "Hello, you."
        assert fake.closed == 0
    assert (fake.opened, fake.closed) == (1, 1)
    with sync_anthropic_client(mesh_of(fake)) as client:
        reply = client.messages.create(model="c:echo", messages=ASKED, max_tokens=9)
        assert reply.content[0].text == "Hello, you."
        with client.messages.stream(model="c:echo", messages=ASKED, max_tokens=9) as stream:
            assert "".join(stream.text_stream) == "Hello, you."
    assert (fake.opened, fake.closed) == (2, 2)
    assert not [thread for thread in threading.enumerate() if thread.name == "jackfield-surfaces"]


@pytest.mark.real_time
async def test_a_sync_client_works_in_threads_of_a_program_with_an_event_loop():
    fake = FakeProvider(answers=["Hello, you."] * 2)
    async with mesh_of(fake) as mesh:
        client = sync_openai_client(mesh)
        reply = await asyncio.to_thread(client.chat.completions.create, model="c:echo", messages=ASKED)
        assert reply.choices[0].message.content == "Hello, you."
        with pytest.raises(ConfigurationError, match="call it in a thread"):
            client.chat.completions.create(model="c:echo", messages=ASKED)
        await asyncio.to_thread(client.close)


@WAYS
async def test_a_conversation_with_thinking_and_calls_goes_on(way):
    """Both turns of each API: the answer goes back as the SDK keeps it, and the provider gets its own data again."""
    call = ToolCall("call_0", "add", {"a": 1}, provider_data={"fake": {"signature": "xyz"}})
    answers = [FakeAnswer(thinking="I add.", tool_calls=[call]), "Done."] * 3
    fake = FakeProvider(answers=answers)
    async with clients(way, fake) as (client, other):
        chat = await client.chat.completions.create(model="c:echo", messages=ASKED, tools=[CHAT_TOOL])
        message = chat.choices[0].message.model_dump(exclude_none=True)
        result = {"role": "tool", "tool_call_id": "call_0", "content": "1"}
        await client.chat.completions.create(
            model="c:echo", messages=[*ASKED, message, result], tools=[CHAT_TOOL]
        )
        response = await client.responses.create(model="c:echo", input="Hi", tools=[RESPONSES_TOOL])
        output = {"type": "function_call_output", "call_id": "call_0", "output": "1"}
        items = [{"role": "user", "content": "Hi"}, *response.output, output]
        await client.responses.create(model="c:echo", input=items, tools=[RESPONSES_TOOL])
        asked = {"model": "c:echo", "max_tokens": 99, "tools": [MESSAGES_TOOL]}
        reply = await other.messages.create(messages=ASKED, **asked)
        told = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_0", "content": "1"}]}
        await other.messages.create(
            messages=[*ASKED, {"role": "assistant", "content": reply.content}, told], **asked
        )
    for request in fake.requests[1::2]:
        assert [m.role for m in request.messages] == ["user", "assistant", "tool"]
        (again,) = request.messages[1].tool_calls
        assert (again.id, again.name, dict(again.arguments)) == ("call_0", "add", {"a": 1})

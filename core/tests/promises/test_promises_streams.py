"""A stream that did not end is an error, never a short answer; an error inside a good answer is the error."""

import asyncio

import pytest
from plain_provider import (
    PIECES,
    PlainDecoder,
    PlainProvider,
    hello,
    mesh_for,
    nothing_left,
    read,
    streamed,
    text_of,
)

from jackfield import (
    ConfigurationError,
    Finish,
    MalformedResponseError,
    OverloadedError,
    PluginError,
    ServerError,
    Started,
    StreamInterruptedError,
    TextDelta,
    ToolCallDelta,
    UsageUpdate,
)
from jackfield.testing import Answer, RecordingServer

ONCE = {"attempts": 1}
CUT = (*PIECES[:2], {"usage": [3, 1]}, {"text": "ll"})


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(streamed(*CUT, truncate_after=4), id="cut below HTTP"),
        pytest.param(streamed(*CUT, reset_after=4), id="reset"),
        pytest.param(streamed(*CUT, done=False), id="no end marker, HTTP ends well"),
        pytest.param(streamed(*CUT, {"finish": "stop"}, truncate_after=5), id="cut after the finish reason"),
    ],
)
async def test_a_stream_without_its_end_is_interrupted_and_keeps_what_came(server, answer):
    server.answer(answer)
    seen = []
    async with nothing_left(server), mesh_for(server.url, max_parallel=1) as mesh:
        stream = mesh.stream_chat("c:m", "hi")
        with pytest.raises(StreamInterruptedError) as caught:
            async with stream:
                async for event in stream:
                    seen.append(event)  # noqa: PERF401 -- those before the error are wanted
        assert mesh._open["c"].slots._value == 1
    error = caught.value
    assert text_of(seen) == "hell"
    assert (error.partial.text, error.partial.complete) == ("hell", False)
    assert (error.partial.usage.input_tokens, error.partial.usage.output_tokens) == (3, 1)
    assert (error.connection, error.provider, error.model) == ("c", "plain", "m")
    assert (stream.response.text, stream.response.complete) == ("hell", False)
    assert len(server.requests) == 1


class NoMarker(PlainDecoder):
    """A dialect without an end marker whose decoder does not watch over its end."""

    def finish(self):
        return []


async def test_the_core_asks_for_a_finish_where_a_decoder_forgets_to(server):
    server.answer(streamed(*CUT, done=False), Answer.json({"id": "a", "text": "hell"}))
    async with mesh_for(server.url, PlainProvider(decoder=NoMarker), retry=ONCE) as mesh:
        with pytest.raises(StreamInterruptedError, match="finish") as caught:
            await read(mesh.stream_chat("c:m", "hi"))
        assert caught.value.partial.text == "hell"
        with pytest.raises(StreamInterruptedError, match="finish") as caught:
            await mesh.chat("c:m", "hi")
        assert caught.value.partial.text == "hell"


async def test_an_empty_body_is_no_answer(server):
    server.route("POST", "/chat", streamed({}, done=False, status=200))
    async with mesh_for(server.url, PlainProvider(decoder=NoMarker), retry=ONCE) as mesh:
        with pytest.raises(StreamInterruptedError):
            await read(mesh.stream_chat("c:m", "hi"))


async def test_a_whole_body_that_is_cut_is_interrupted(server):
    server.answer(Answer.short_body(b'{"text": "hello", "finish": "stop"}'))
    async with mesh_for(server.url, retry=ONCE) as mesh:
        with pytest.raises(StreamInterruptedError):
            await mesh.chat("c:m", "hi")


async def test_a_good_stream_is_complete_at_its_end_and_not_before(server):
    server.answer(streamed())
    async with mesh_for(server.url) as mesh:
        async with mesh.stream_chat("c:m", "hi") as stream:
            async for _ in stream:
                assert not stream.response.complete
            assert stream.response.complete
    assert stream.response.complete
    assert stream.response.finish_reason == "stop"
    assert stream.response is stream.response  # folded once


async def test_events_keep_their_order_however_the_bytes_are_cut(server):
    body = b"".join(streamed(*PIECES[:2], *({"text": str(n)} for n in range(50)), *PIECES[3:]).chunks)
    for size in (1, 7, 64, len(body)):
        server.answer(
            Answer.stream([body[n : n + size] for n in range(0, len(body), size)], "text/event-stream")
        )
    wanted = [Started, *[TextDelta] * 51, UsageUpdate, Finish]
    async with mesh_for(server.url) as mesh:
        for _ in range(4):
            events = await read(mesh.stream_chat("c:m", "hi"))
            assert [type(event) for event in events] == wanted
            assert text_of(events) == "he" + "".join(map(str, range(50)))


async def test_a_streamed_and_a_whole_answer_are_the_same(server):
    server.answer(hello(), streamed())
    async with mesh_for(server.url) as mesh:
        whole = await mesh.chat("c:m", "hi")
        stream = mesh.stream_chat("c:m", "hi")
        await read(stream)
    for name in ("id", "text", "usage", "finish_reason", "message", "choices", "complete", "model"):
        assert getattr(whole, name) == getattr(stream.response, name), name


ERROR = {"error": {"message": "too busy", "status": 529, "code": "overloaded"}}


async def test_an_error_inside_a_stream_is_the_error_with_what_had_come(server):
    server.answer(streamed(*CUT, ERROR, interval=0.01))
    async with mesh_for(server.url) as mesh:
        with pytest.raises(OverloadedError, match="too busy") as caught:
            await read(mesh.stream_chat("c:m", "hi"))
    assert caught.value.partial.text == "hell"
    assert caught.value.partial.usage.output_tokens == 1
    assert caught.value.code == "overloaded"
    assert caught.value.__cause__ is not caught.value
    assert len(server.requests) == 1


async def test_an_error_inside_a_whole_answer_with_status_200_is_the_error(server, pauses):
    server.answer(Answer.json(ERROR), hello())
    async with mesh_for(server.url) as mesh:
        reply = await mesh.chat("c:m", "hi")
    assert reply.attempts[0].error == "OverloadedError"


async def test_an_error_as_the_first_event_is_tried_again(server, pauses):
    server.answer(streamed(ERROR), streamed())
    async with mesh_for(server.url) as mesh:
        assert text_of(await read(mesh.stream_chat("c:m", "hi"))) == "hello"
    assert len(server.requests) == 2


async def test_a_stream_asked_for_and_answered_with_an_error_as_plain_json_is_the_error(server):
    server.answer(Answer.json({"error": {"message": "no", "code": "x"}}, 500))
    async with mesh_for(server.url, retry=ONCE) as mesh:
        with pytest.raises(ServerError, match="no"):
            await read(mesh.stream_chat("c:m", "hi"))


@pytest.mark.parametrize("how", ["whole", "stream"])
async def test_a_page_with_status_200_is_malformed_and_shows_how_it_begins(server, how):
    server.answer(Answer.html())
    async with mesh_for(server.url) as mesh:
        with pytest.raises(MalformedResponseError, match="<!doctype html>") as caught:
            await (mesh.chat("c:m", "hi") if how == "whole" else read(mesh.stream_chat("c:m", "hi")))
    assert caught.value.status == 200
    assert caught.value.body.startswith(b"<!doctype")
    assert len(server.requests) == 1


async def test_json_that_is_none_is_malformed(server):
    server.answer(Answer.malformed_json())
    async with mesh_for(server.url) as mesh:
        with pytest.raises(MalformedResponseError, match="cut-sho"):
            await mesh.chat("c:m", "hi")


async def test_a_decoder_that_fails_in_the_middle_gives_what_came_before(server):
    server.answer(streamed(*CUT, "{nonsense"))
    async with mesh_for(server.url) as mesh:
        with pytest.raises(MalformedResponseError, match="nonsense") as caught:
            await read(mesh.stream_chat("c:m", "hi"))
    assert caught.value.partial.text == "hell"
    assert isinstance(caught.value.__cause__, ValueError)


class Nonsense(PlainDecoder):
    def feed(self, frame):
        return [ToolCallDelta(7, "{}"), Finish("stop")] if frame.data != b"[DONE]" else super().feed(frame)


async def test_events_that_do_not_fit_together_are_the_plugins_fault(server):
    server.answer(hello())
    async with mesh_for(server.url, PlainProvider(decoder=Nonsense)) as mesh:
        with pytest.raises(PluginError, match="fit together"):
            await mesh.chat("c:m", "hi")


async def test_a_server_that_dies_in_the_middle(server):
    async with RecordingServer() as doomed:
        doomed.answer(streamed(stall_after=2))
        async with mesh_for(doomed.url) as mesh:
            stream = mesh.stream_chat("c:m", "hi")
            async with stream:
                await anext(stream)
                await anext(stream)
                await doomed.__aexit__(None, None, None)
                with pytest.raises(StreamInterruptedError) as caught:
                    await asyncio.wait_for(anext(stream), 2)
    assert caught.value.partial.text == "he"


async def test_the_error_of_a_broken_stream_stays_when_it_is_asked_again(server):
    server.answer(streamed(*CUT, done=False))
    async with mesh_for(server.url) as mesh:
        async with mesh.stream_chat("c:m", "hi") as stream:
            for _ in range(2):
                with pytest.raises(StreamInterruptedError):
                    while True:
                        await anext(stream)


async def test_a_stream_is_used_inside_its_block(server):
    async with mesh_for(server.url) as mesh:
        stream = mesh.stream_chat("c:m", "hi")
        with pytest.raises(ConfigurationError, match="async with"):
            async for _ in stream:
                pass
        with pytest.raises(ConfigurationError, match="async with"):
            await anext(stream)
        with pytest.raises(ConfigurationError, match="async with"):
            _ = stream.response
        await stream.aclose()  # nothing to close
    assert server.requests == []


async def test_a_stream_is_entered_once(server):
    server.answer(streamed())
    async with mesh_for(server.url) as mesh:
        stream = mesh.stream_chat("c:m", "hi")
        await read(stream)
        with pytest.raises(ConfigurationError, match="entered already"):
            await read(stream)
        with pytest.raises(ConfigurationError, match="read to its end"):
            await anext(aiter(stream))


async def test_the_text_alone(server):
    server.answer(streamed({"text": "a"}, {"text": "b", "choice": 1}, {"text": "c"}, {"finish": "stop"}))
    async with mesh_for(server.url) as mesh, mesh.stream_chat("c:m", "hi") as stream:
        assert [piece async for piece in stream.text()] == ["a", "c"]


async def test_a_stream_can_be_mapped_by_its_caller(server):
    def shout(event):
        if isinstance(event, TextDelta):
            return [TextDelta(event.text.upper()), TextDelta("!")]
        return None if isinstance(event, UsageUpdate) else event

    server.answer(streamed())
    async with mesh_for(server.url) as mesh:
        stream = mesh.stream_chat("c:m", "hi").map(shout)
        assert text_of(await read(stream)) == "HE!LLO!"
    assert stream.response.text == "HE!LLO!"
    assert stream.response.usage.output_tokens == 2  # hidden from the reader, not from the bill
    assert stream.response.complete


async def test_what_a_map_hides_is_hidden_in_the_partial_answer_of_an_error(server):
    def hide(event):
        return TextDelta("***") if isinstance(event, TextDelta) else event

    server.answer(streamed(*CUT, done=False))
    async with mesh_for(server.url) as mesh:
        stream = mesh.stream_chat("c:m", "hi").map(hide)
        with pytest.raises(StreamInterruptedError) as caught:
            await read(stream)
    assert caught.value.partial.text == "******"
    assert caught.value.partial.usage.output_tokens == 1
    assert stream.response.text == "******"

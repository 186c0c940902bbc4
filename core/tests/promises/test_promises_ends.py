"""An answer ends where its service says so; what gateways write around it is neither lost nor taken for it."""

import asyncio
from contextlib import asynccontextmanager

import orjson
import pytest
from plain_provider import (
    PIECES,
    PlainDecoder,
    PlainProvider,
    hello,
    mesh_for,
    nothing_left,
    read,
    text_of,
)

from jackfield import Finish, MalformedResponseError, ProviderError, StreamInterruptedError, TimeoutError
from jackfield.plugin import Exchange, hookimpl, read_frame
from jackfield.testing import Answer

ONCE = {"attempts": 1}
EVENT = b"data: " + orjson.dumps({"text": "he"}) + b"\n\n"
REST = b"".join(b"data: " + orjson.dumps(piece) + b"\n\n" for piece in ({"text": "llo"}, {"usage": [3, 2]}))
FINISH = b"data: " + orjson.dumps({"finish": "stop"}) + b"\n\n"
DONE = b"data: [DONE]\n\n"
LABEL = "text/event-stream"


class EndingDecoder(PlainDecoder):
    """A decoder that knows the end marker, and reads frames as the contract recommends."""

    ended = False

    def feed(self, frame):
        if frame.data == b"[DONE]":
            self.done = self.ended = True
            return []
        value = read_frame(frame)
        return [] if value is None else list(self.events(value))


class LenientDecoder(EndingDecoder):
    """A dialect in which the clean end of the body is an end."""

    def finish(self):
        return [] if self.done else [Finish("other")]


ENDING = PlainProvider(decoder=EndingDecoder)
LENIENT = PlainProvider(decoder=LenientDecoder)


@pytest.mark.parametrize(
    "chunks", [[EVENT, REST + FINISH + DONE], [EVENT, REST, FINISH, DONE], [EVENT + REST + FINISH + DONE]]
)
async def test_at_the_end_marker_the_answer_is_whole_though_the_body_stays_open(server, chunks):
    server.answer(Answer.stream(chunks, LABEL, stall_after=len(chunks)))
    loop = asyncio.get_running_loop()
    async with nothing_left(server), mesh_for(server.url, ENDING, max_parallel=1, retry=ONCE) as mesh:
        began = loop.time()
        stream = mesh.stream_chat("c:m", "hi")
        assert text_of(await read(stream)) == "hello"
        assert loop.time() - began < 5  # not `idle`, a minute
        assert stream.response.complete
        assert (stream.response.usage.input_tokens, stream.response.usage.output_tokens) == (3, 2)
        await server.wait_disconnected(10)  # the connection is closed, and not kept for good
        server.answer(hello())
        assert (await mesh.chat("c:m", "hi")).text == "hello"


async def test_a_connection_whose_body_ends_behind_the_marker_serves_the_next_call(server):
    server.answer(*[Answer.stream([EVENT, REST + FINISH, DONE], LABEL)] * 20)
    async with nothing_left(server), mesh_for(server.url, ENDING) as mesh:
        for _ in range(20):
            assert text_of(await read(mesh.stream_chat("c:m", "hi"))) == "hello"
            await asyncio.sleep(0.01)
    assert (server.connections, len(server.disconnects)) == (1, 0)


@pytest.mark.parametrize("play", [{"truncate_after": 2}, {"reset_after": 2}])
async def test_a_body_that_is_cut_behind_the_end_marker_is_whole(server, play):
    server.answer(Answer.stream([EVENT, REST + FINISH + DONE], LABEL, **play), hello())
    async with mesh_for(server.url, ENDING, retry=ONCE) as mesh:
        stream = mesh.stream_chat("c:m", "hi")
        assert text_of(await read(stream)) == "hello"
        assert stream.response.complete
        assert (await mesh.chat("c:m", "hi")).text == "hello"


class FinishingDecoder(EndingDecoder):
    """A decoder that also knows when only the marker can be missing."""

    is_whole = False

    def feed(self, frame):
        events = super().feed(frame)
        self.is_whole = self.is_whole or any(isinstance(event, Finish) for event in events)
        return events

    def finish(self):
        return [] if self.is_whole else super().finish()


@pytest.mark.parametrize("play", [{"truncate_after": 1}, {"reset_after": 1}, {"stall_after": 1}])
async def test_when_each_choice_has_its_reason_an_answer_is_whole_though_its_body_is_not(server, play):
    stream = Answer.stream([EVENT + REST + FINISH, DONE], LABEL, **play)
    half = Answer.stream([EVENT + REST, FINISH + DONE], LABEL, **play)
    server.answer(stream, half, hello())
    plugin = PlainProvider(decoder=FinishingDecoder)
    async with nothing_left(server), mesh_for(server.url, plugin, retry=ONCE, timeout={"idle": 0.3}) as mesh:
        stream = mesh.stream_chat("c:m", "hi")
        assert text_of(await read(stream)) == "hello"
        assert stream.response.complete
        with pytest.raises((StreamInterruptedError, TimeoutError)):
            await read(mesh.stream_chat("c:m", "hi"))
        assert (await mesh.chat("c:m", "hi")).text == "hello"


async def test_a_whole_answer_of_an_sdk_survives_what_its_stream_raises_behind_it():
    class Transport:
        async def open(self):
            pass

        def exchange(self, wire):
            @asynccontextmanager
            async def exchange():
                async def pieces():
                    yield {"text": "hello"}
                    yield {"finish": "stop"}
                    raise OSError("cut")

                yield Exchange.streamed(pieces())

            return exchange()

        async def aclose(self):
            pass

    class Provider(PlainProvider):
        @hookimpl
        def jackfield_transport(self, settings):
            return Transport()

    async with mesh_for("http://127.0.0.1:9", Provider(decoder=FinishingDecoder), retry=ONCE) as mesh:
        stream = mesh.stream_chat("c:m", "hi")
        assert text_of(await read(stream)) == "hello"
        assert stream.response.complete


@pytest.mark.parametrize("late", [b"data: not JSON\n\n", EVENT, b'data: {"error": {"message": "no"}}\n\n'])
@pytest.mark.parametrize("together", [True, False])
async def test_what_comes_behind_the_end_marker_is_not_of_the_answer(server, late, together):
    chunks = [EVENT + REST + FINISH + DONE + late] if together else [EVENT + REST + FINISH + DONE, late]
    server.answer(Answer.stream(chunks, LABEL))
    async with mesh_for(server.url, ENDING) as mesh:
        stream = mesh.stream_chat("c:m", "hi")
        assert text_of(await read(stream)) == "hello"
    assert stream.response.complete


async def test_a_stream_that_is_left_early_is_still_closed_at_once(server):
    server.answer(Answer.stream([EVENT, REST], LABEL, stall_after=1))
    async with mesh_for(server.url, ENDING) as mesh:
        loop = asyncio.get_running_loop()
        async with mesh.stream_chat("c:m", "hi") as stream:
            await anext(stream)
        began = loop.time()
        await server.wait_disconnected()
        assert loop.time() - began < 0.5


# Labels


@pytest.mark.parametrize("plugin", [ENDING, LENIENT], ids=["strict", "lenient"])
@pytest.mark.parametrize(
    "label", [LABEL, "application/json", "text/plain", "application/vnd.amazon.eventstream"]
)
async def test_an_answer_means_the_same_under_a_wrong_label(server, plugin, label):
    server.answer(Answer.stream([EVENT + REST, FINISH + DONE], label))
    async with mesh_for(server.url, plugin, retry=ONCE) as mesh:
        stream = mesh.stream_chat("c:m", "hi")
        assert text_of(await read(stream)) == "hello"
        assert stream.response.complete


class LabelDecoder(EndingDecoder):
    """A decoder that takes an answer labelled as JSON for a whole one, as many do."""

    def start(self, head):
        self.whole = head.headers["content-type"].startswith("application/json")
        self.seen = dict(head.headers)
        return []

    def finish(self):
        return [] if self.whole or self.done else super().finish()


@pytest.mark.parametrize("label", ["application/json", "application/json; charset=utf-8"])
async def test_a_decoder_is_told_what_came_in_place_of_what_the_label_says(server, label):
    server.answer(Answer.stream([EVENT + REST], label, headers={"X-Request": "r1"}))
    made = []

    def decoder(wire):
        made.append(LabelDecoder(wire))
        return made[-1]

    async with mesh_for(server.url, PlainProvider(decoder=decoder), retry=ONCE) as mesh:
        with pytest.raises(StreamInterruptedError):
            await read(mesh.stream_chat("c:m", "hi"))
    assert not made[0].whole
    assert made[0].seen["x-request"] == "r1"


ERROR = b'{"error": {"message": "You exceeded your quota", "code": "quota", "status": 429}}'


@pytest.mark.parametrize("label", [LABEL, "application/json", "text/plain"])
@pytest.mark.parametrize(
    "body", [ERROR, b"\n" + ERROR + b"\n\ndata: [DONE]\n\n", b"error: " + ERROR + b"\n\n"]
)
async def test_an_error_in_place_of_a_stream_is_the_services_word_and_sent_once(server, label, body):
    server.route("POST", "/chat", Answer.stream([body], label))
    async with mesh_for(server.url, ENDING) as mesh:
        with pytest.raises((ProviderError, MalformedResponseError), match="exceeded your quota"):
            await read(mesh.stream_chat("c:m", "hi"))
    assert len(server.requests) == 1


@pytest.mark.parametrize("label", [LABEL, "application/json", "text/plain", "text/html"])
async def test_a_page_in_place_of_a_stream_is_shown_and_sent_once(server, label):
    server.route("POST", "/chat", Answer.stream([b"<!doctype html>\n\n<title>Sign in</title>"], label))
    async with mesh_for(server.url, ENDING) as mesh:
        with pytest.raises(MalformedResponseError, match=r"a page.*<!doctype html>"):
            await read(mesh.stream_chat("c:m", "hi"))
    assert len(server.requests) == 1


@pytest.mark.parametrize("plugin", [ENDING, LENIENT], ids=["strict", "lenient"])
async def test_text_in_place_of_a_stream_is_shown_and_sent_once(server, plugin):
    server.route("POST", "/chat", Answer.stream([b": hi\n\nquota exceeded\n"], LABEL))
    async with mesh_for(server.url, plugin) as mesh:
        with pytest.raises(
            (MalformedResponseError, StreamInterruptedError), match="quota exceeded"
        ) as caught:
            await read(mesh.stream_chat("c:m", "hi"))
    if plugin is ENDING:
        assert type(caught.value) is MalformedResponseError
        assert len(server.requests) == 1


# In the midst of a stream


@pytest.mark.parametrize("plugin", [ENDING, LENIENT], ids=["strict", "lenient"])
@pytest.mark.parametrize(
    "error",
    [
        b"error: " + ERROR + b"\n\n",
        ERROR + b"\n\n",
        b"event: error\ndata: " + ERROR + b"\n\n",
        b"event: error\ndata: You exceeded your quota\n\n",
    ],
)
@pytest.mark.parametrize("end", [b"", DONE])
async def test_an_error_in_the_midst_is_the_error_in_whatever_form(server, plugin, error, end):
    server.answer(Answer.stream([EVENT, error + end], LABEL))
    async with mesh_for(server.url, plugin, retry=ONCE) as mesh:
        with pytest.raises(ProviderError, match="exceeded your quota") as caught:
            await read(mesh.stream_chat("c:m", "hi"))
    assert (caught.value.partial.text, caught.value.partial.complete) == ("he", False)


@pytest.mark.parametrize("plugin", [ENDING, LENIENT], ids=["strict", "lenient"])
@pytest.mark.parametrize(
    "words", [b"upstream connect error: reset\n", b"Internal Server Error", b"dat", b"no more\n\n"]
)
async def test_a_stream_that_ends_in_other_text_is_interrupted_with_it(server, plugin, words):
    server.answer(Answer.stream([EVENT, words], LABEL))
    async with mesh_for(server.url, plugin, retry=ONCE) as mesh:
        with pytest.raises(StreamInterruptedError) as caught:
            await read(mesh.stream_chat("c:m", "hi"))
    assert words.decode().strip() in caught.value.message
    assert words.decode().strip() in str(caught.value)
    assert caught.value.partial.text == "he"


async def test_a_lenient_dialect_takes_other_text_between_events_and_whatever_follows_a_finish(server):
    ends = [b"junk\n\n" + EVENT, EVENT + FINISH + b"junk\n\n" + DONE]
    server.answer(*[Answer.stream([end], LABEL) for end in ends])
    async with mesh_for(server.url, LENIENT, retry=ONCE) as mesh:
        for _ in ends:
            assert text_of(await read(mesh.stream_chat("c:m", "hi"))) == "he"


@pytest.mark.parametrize(
    "beat",
    [
        b"event: ping\ndata:\n\n",
        b"event: ping\ndata: ping\n\n",
        b"event: x\ndata: null\n\n",
        b"event: x\ndata: {}\n\n",
    ],
)
async def test_heartbeats_mean_nothing(server, beat):
    server.answer(Answer.stream([beat + EVENT, beat + REST + beat, FINISH + beat + DONE], LABEL))
    async with mesh_for(server.url, ENDING, retry=ONCE) as mesh:
        assert text_of(await read(mesh.stream_chat("c:m", "hi"))) == "hello"


# Halves of characters


async def test_a_character_in_two_events_is_one_and_no_event_has_a_half_of_it(server):
    pieces = [b'{"text": "a\\ud83d"}', b'{"text": "\\ude00b"}', b'{"text": "c\\ud83d"}']
    body = [b"data: " + piece + b"\n\n" for piece in pieces] + [FINISH + DONE]
    server.answer(Answer.stream(body, LABEL), Answer.stream([b"".join(body)], LABEL))
    async with mesh_for(server.url, ENDING, retry=ONCE) as mesh:
        for _ in range(2):
            stream = mesh.stream_chat("c:m", "hi")
            events = await read(stream)
            assert text_of(events) == stream.response.text == "a\U0001f600bc\ufffd"
            for event in events:
                repr(event).encode()


async def test_a_whole_answer_with_half_a_character_is_an_answer(server):
    server.answer(Answer.text('{"text": "cut \\ud83d", "finish": "length"}', content_type="application/json"))
    async with mesh_for(server.url, ENDING, retry=ONCE) as mesh:
        reply = await mesh.chat("c:m", "hi")
    assert reply.text == "cut \ufffd"
    assert reply.raw == {"text": "cut \ufffd", "finish": "length"}


async def test_half_a_character_in_a_history_does_not_break_the_request(server):
    server.answer(hello())
    async with mesh_for(server.url) as mesh:
        assert (await mesh.chat("c:m", "log line \ud83d")).text == "hello"
    assert server.requests[0].json["messages"][0]["text"] == "log line \ufffd"


def test_the_pieces_of_these_tests_are_those_of_the_others():
    assert [orjson.loads(line[6:]) for line in (EVENT + REST + FINISH).split(b"\n\n")[:-1]] == [*PIECES[1:]]

"""The core tries again: only before the first event, only what may go well, as the service wishes, and on record."""

import asyncio
import pickle
import socket

import pytest
from plain_provider import PIECES, PlainDecoder, PlainProvider, hello, mesh_for, read, streamed, text_of

from jackfield import (
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    Started,
    StreamInterruptedError,
    TimeoutError,
)
from jackfield.plugin import Bearer, Token
from jackfield.testing import Answer

QUICK = {"attempts": 3, "initial_delay": 0.01}


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
async def test_what_is_retryable_is_sent_again(server, pauses, status):
    server.answer(Answer.json({}, status), hello())
    async with mesh_for(server.url) as mesh:
        reply = await mesh.chat("c:m", "hi")
    assert reply.text == "hello"
    assert len(server.requests) == 2
    assert server.requests[0].body == server.requests[1].body
    assert [attempt.status for attempt in reply.attempts] == [status, 200]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 499])
async def test_what_is_not_retryable_is_sent_once(server, pauses, status):
    server.route("POST", "/chat", Answer.json({}, status))
    async with mesh_for(server.url) as mesh:
        with pytest.raises(Exception) as caught:
            await mesh.chat("c:m", "hi")
    assert len(server.requests) == 1
    assert pauses == []
    assert caught.value.status == status
    assert [attempt.status for attempt in caught.value.attempts] == [status]


async def test_a_plugin_decides_that_a_quota_is_not_worth_another_try(server, pauses):
    server.answer(Answer.json({"error": {"code": "quota", "message": "all used up"}}, 429), hello())
    async with mesh_for(server.url) as mesh:
        with pytest.raises(QuotaExceededError, match="all used up"):
            await mesh.chat("c:m", "hi")
    assert len(server.requests) == 1


@pytest.mark.parametrize("broken", [Answer.hangup(), Answer.reset(), Answer.short_body(b'{"text": "he')])
async def test_a_connection_that_broke_is_tried_again(server, pauses, broken):
    server.answer(broken, hello())
    async with mesh_for(server.url) as mesh:
        reply = await mesh.chat("c:m", "hi")
    assert reply.text == "hello"
    assert len(server.requests) == 2
    assert reply.attempts[0].error in {"ConnectionFailedError", "StreamInterruptedError"}
    assert reply.attempts[0].status is None


async def test_a_port_where_nobody_listens_is_tried_again_and_named(pauses):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with mesh_for(f"http://127.0.0.1:{port}") as mesh:
        with pytest.raises(ConnectionFailedError, match="127.0.0.1") as caught:
            await mesh.chat("c:m", "hi")
    assert len(caught.value.attempts) == 3
    assert isinstance(caught.value, ConnectionError)


async def test_attempts_end_at_the_policys_number_and_the_last_error_is_raised(server, pauses):
    server.answer(Answer.json({}, 500), Answer.json({}, 503), Answer.json({}, 429), hello())
    async with mesh_for(server.url, retry=QUICK) as mesh:
        with pytest.raises(RateLimitError) as caught:
            await mesh.chat("c:m", "hi")
    assert len(server.requests) == 3
    assert [attempt.error for attempt in caught.value.attempts] == [
        "ServerError", "OverloadedError", "RateLimitError",
    ]  # fmt: skip
    assert len(pauses) == 2
    assert pickle.loads(pickle.dumps(caught.value)).attempts == caught.value.attempts


async def test_one_attempt_means_no_other(server, pauses):
    server.route("POST", "/chat", Answer.json({}, 503))
    async with mesh_for(server.url, retry={"attempts": 1}) as mesh:
        with pytest.raises(OverloadedError):
            await mesh.chat("c:m", "hi")
    assert len(server.requests) == 1


async def test_pauses_double_up_to_their_limit(server, pauses):
    server.route("POST", "/chat", Answer.json({}, 503))
    async with mesh_for(server.url, retry={"attempts": 7, "initial_delay": 1, "max_delay": 8}) as mesh:
        with pytest.raises(OverloadedError):
            await mesh.chat("c:m", "hi")
    ceilings = [1, 2, 4, 8, 8, 8]
    assert len(pauses) == 6
    assert all(ceiling / 2 <= pause <= ceiling for pause, ceiling in zip(pauses, ceilings, strict=True))


async def test_retry_after_in_seconds_is_obeyed_and_recorded(server, pauses):
    server.answer(Answer.retry_after_seconds(7.5), hello())
    async with mesh_for(server.url) as mesh:
        reply = await mesh.chat("c:m", "hi")
    assert 7.5 <= pauses[0] <= 8.25
    assert (reply.attempts[0].retry_after, reply.attempts[1].waited) == (7.5, pauses[0])


async def test_calls_that_are_told_the_same_moment_do_not_all_come_back_in_it(server, pauses):
    server.answer(*[Answer.retry_after_seconds(1)] * 20, *[hello()] * 20)
    async with mesh_for(server.url) as mesh:
        await asyncio.gather(*[mesh.chat("c:m", "hi") for _ in range(20)])
    assert len(set(pauses)) == 20
    assert min(pauses) >= 1
    assert max(pauses) - min(pauses) > 0.02


async def test_retry_after_as_a_date_is_obeyed_and_recorded(server, pauses):
    server.answer(Answer.retry_after_date(20.0), hello())
    async with mesh_for(server.url) as mesh:
        reply = await mesh.chat("c:m", "hi")
    asked = reply.attempts[0].retry_after
    assert 17 < asked <= 20
    assert asked <= reply.attempts[1].waited == pauses[0] <= asked * 1.1


async def test_retry_after_is_really_waited_for(server):
    server.answer(Answer.retry_after_seconds(0.2), hello())
    loop = asyncio.get_running_loop()
    async with mesh_for(server.url) as mesh:
        began = loop.time()
        await mesh.chat("c:m", "hi")
    assert loop.time() - began >= 0.19


async def test_a_retry_after_above_the_cap_is_not_waited_for(server, pauses):
    server.answer(Answer.retry_after_seconds(31), hello())
    async with mesh_for(server.url, retry={"retry_after_cap": 30}) as mesh:
        with pytest.raises(RateLimitError) as caught:
            await mesh.chat("c:m", "hi")
    assert (len(server.requests), pauses) == (1, [])
    assert caught.value.retry_after == 31
    assert caught.value.is_retryable


async def test_the_cap_itself_is_still_obeyed(server, pauses):
    server.answer(Answer.retry_after_seconds(30), hello())
    async with mesh_for(server.url, retry={"retry_after_cap": 30, "max_delay": 1}) as mesh:
        await mesh.chat("c:m", "hi")
    assert 30 <= pauses[0] <= 33


async def test_retry_after_on_a_good_answer_means_nothing(server, pauses):
    server.answer(Answer.json({"text": "hello", "finish": "stop"}, headers={"Retry-After": "60"}))
    async with mesh_for(server.url) as mesh:
        reply = await mesh.chat("c:m", "hi")
    assert (reply.attempts[0].retry_after, pauses) == (None, [])


async def test_a_pause_that_the_call_has_no_time_for_is_not_begun(server, pauses):
    server.answer(Answer.retry_after_seconds(20), hello())
    async with mesh_for(server.url) as mesh:
        with pytest.raises(RateLimitError):
            await mesh.chat("c:m", "hi", timeout=5)
    assert (len(server.requests), pauses) == (1, [])


async def test_a_stream_is_tried_again_before_its_first_event(server, pauses):
    server.answer(Answer.json({}, 529), streamed(truncate_after=0), Answer.hangup(), streamed())
    async with mesh_for(server.url, retry={"attempts": 4}) as mesh:
        stream = mesh.stream_chat("c:m", "hi")
        assert text_of(await read(stream)) == "hello"
    assert len(server.requests) == 4
    assert [attempt.error for attempt in stream.response.attempts] == [
        "OverloadedError", "StreamInterruptedError", "ConnectionFailedError", None,
    ]  # fmt: skip


@pytest.mark.parametrize("fault", [{"truncate_after": 1}, {"reset_after": 1}, {"done": False}])
async def test_a_stream_is_never_tried_again_after_its_first_event(server, pauses, fault):
    server.answer(streamed(*PIECES[:2], **fault), streamed())
    async with mesh_for(server.url) as mesh:
        with pytest.raises(StreamInterruptedError) as caught:
            await read(mesh.stream_chat("c:m", "hi"))
    assert (len(server.requests), pauses) == (1, [])
    assert len(caught.value.attempts) == 1


async def test_an_error_that_comes_with_the_first_events_is_not_tried_again(server, pauses):
    """However the network cuts: what was read with the first event counts as after it."""
    error = {"error": {"message": "too much", "status": 529, "code": "overloaded"}}
    pieces = b"".join(Answer.sse([*PIECES[:2], error]).chunks)
    server.answer(Answer.stream([pieces], "text/event-stream"), streamed())
    seen = []
    async with mesh_for(server.url) as mesh:
        with pytest.raises(OverloadedError) as caught:
            async with mesh.stream_chat("c:m", "hi") as stream:
                async for event in stream:
                    seen.append(event)  # noqa: PERF401 -- those before the error are wanted
    assert text_of(seen) == "he"
    assert caught.value.partial.text == "he"
    assert len(server.requests) == 1


async def test_events_of_a_decoders_start_do_not_count_as_the_first_event(server, pauses):
    """They are known before the service has said anything, so they must not end retries and the time limit."""
    overloaded = streamed({"error": {"message": "too much", "status": 529, "code": "overloaded"}})
    server.answer(overloaded, streamed(truncate_after=0), streamed())
    async with mesh_for(server.url, PlainProvider(decoder=EagerDecoder)) as mesh:
        stream = mesh.stream_chat("c:m", "hi")
        events = await read(stream)
    assert [attempt.error for attempt in stream.response.attempts] == [
        "OverloadedError", "StreamInterruptedError", None,
    ]  # fmt: skip
    assert text_of(events) == "hello"
    assert events[0] == Started("from start", None)
    assert [event.id for event in events if isinstance(event, Started)] == ["from start", "a1"]


@pytest.mark.parametrize("whole", [True, False])
async def test_events_of_a_decoders_start_are_no_partial_reply(server, pauses, whole):
    refused = {"error": {"message": "no", "status": 400, "code": "bad"}}
    server.answer(Answer.json(refused) if whole else streamed(refused))
    async with mesh_for(server.url, PlainProvider(decoder=EagerDecoder)) as mesh:
        with pytest.raises(InvalidRequestError) as caught:
            await (mesh.chat("c:m", "hi") if whole else read(mesh.stream_chat("c:m", "hi")))
    assert caught.value.partial is None


async def test_an_alias_asks_its_next_target_after_a_decoders_start(server, pauses):
    overloaded = streamed({"error": {"message": "too much", "status": 529, "code": "overloaded"}})
    server.answer(overloaded, streamed())
    tables = {"aliases": {"both": ["c:a", "c:b"]}}
    plugin = PlainProvider(decoder=EagerDecoder)
    async with mesh_for(server.url, plugin, tables=tables, retry={"attempts": 1}) as mesh:
        assert text_of(await read(mesh.stream_chat("both", "hi"))) == "hello"
    assert [request.json["model"] for request in server.requests] == ["a", "b"]


class EagerDecoder(PlainDecoder):
    def start(self, head):
        return [Started("from start", None)]


async def test_nothing_is_tried_again_after_a_cancel(server, pauses):
    server.route("POST", "/chat", Answer.never())
    async with mesh_for(server.url) as mesh:
        task = asyncio.create_task(mesh.chat("c:m", "hi"))
        await server.wait_requests(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.wait_disconnected()
        await asyncio.sleep(0.05)
    assert (len(server.requests), pauses) == (1, [])


async def test_a_listing_is_not_asked_for_twice_by_the_http_client_underneath(server, pauses):
    """aiohttp sends a GET again when a kept connection breaks, and tells nobody."""
    server.answer(Answer.json({"models": ["a"]}), Answer.hangup(), Answer.json({"models": ["b"]}))
    async with mesh_for(server.url, retry={"attempts": 1}) as mesh:
        await mesh.models("c")
        with pytest.raises(ConnectionFailedError):
            await mesh.models("c", refresh=True)
    assert len(server.requests) == 2


async def test_a_listing_is_tried_again_as_a_call_is(server, pauses):
    server.answer(
        Answer.json({}, 503, headers={"retry-after": "7"}), Answer.hangup(), Answer.json({"models": ["a"]})
    )
    async with mesh_for(server.url) as mesh:
        assert [card.id for card in await mesh.models("c")] == ["a"]
    assert len(server.requests) == 3
    assert 7 <= pauses[0] <= 7.7


async def test_a_listing_that_fails_tells_every_attempt(server, pauses):
    server.answer(*[Answer.json({}, 500)] * 3)
    async with mesh_for(server.url) as mesh:
        with pytest.raises(ServerError) as caught:
            await mesh.models("c")
    assert [attempt.status for attempt in caught.value.attempts] == [500, 500, 500]
    assert caught.value.connection == "c"
    assert len(pauses) == 2


async def test_what_is_no_use_to_ask_again_is_listed_once(server, pauses):
    server.answer(Answer.json({}, 404))
    async with mesh_for(server.url) as mesh:
        with pytest.raises(NotFoundError):
            await mesh.models("c")
    assert (len(server.requests), pauses) == (1, [])


async def test_a_listing_is_asked_for_with_fresh_credentials_once(server, pauses):
    tokens = iter(["old", "new", "newer"])
    auth = Bearer(lambda: Token(next(tokens)))
    server.answer(
        Answer.json({}, 401), Answer.json({"models": ["a"]}), Answer.json({}, 401), Answer.json({}, 401)
    )
    async with mesh_for(server.url, PlainProvider(auth=auth)) as mesh:
        assert [card.id for card in await mesh.models("c")] == ["a"]
        with pytest.raises(AuthenticationError) as caught:
            await mesh.models("c", refresh=True)
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer old", "Bearer new", "Bearer new", "Bearer newer"]
    assert [attempt.refreshed for attempt in caught.value.attempts] == [True, False]


async def test_every_attempt_says_how_long_it_took(server, pauses, monkeypatch):
    monkeypatch.setattr("time.perf_counter", asyncio.get_running_loop().time)
    server.answer(Answer.json({}, 500, delay=0.05), hello())
    async with mesh_for(server.url) as mesh:
        reply = await mesh.chat("c:m", "hi")
    assert reply.attempts[0].duration == pytest.approx(0.05)
    assert reply.attempts[0].message
    assert {attempt.connection for attempt in reply.attempts} == {"c"}
    assert {attempt.model for attempt in reply.attempts} == {"m"}


async def test_a_server_error_and_a_time_out_of_the_service_are_told_apart(server, pauses):
    server.answer(Answer.json({}, 504), Answer.json({}, 500))
    async with mesh_for(server.url, retry={"attempts": 1}) as mesh:
        with pytest.raises(TimeoutError) as caught:
            await mesh.chat("c:m", "hi")
        assert caught.value.phase == "server"
        with pytest.raises(ServerError):
            await mesh.chat("c:m", "hi")

"""The pace of a service: what is declared, and what it shows by refusing and by the headers of its answers."""

import asyncio
import time

import pytest
from limited import FixedWindow
from plain_provider import PIECES, PlainProvider, hello, mesh_for, nothing_left, read, streamed

from jackfield import (
    ConfigurationError,
    QuotaExceededError,
    RateLimitError,
    Registry,
    TimeoutError,
)
from jackfield.plugin import Exchange, hookimpl
from jackfield.testing import Answer

REFUSED = {"error": {"message": "too many", "status": 429, "code": "slow"}}


class Service:
    """Takes so many requests a window, and answers others with 429."""

    def __init__(self, limit, window, *, headers=False, tells=True):
        self.allowance = FixedWindow(limit, window)
        self.headers, self.tells = headers, tells
        self.refused = 0
        self.taken = []

    async def __call__(self, request):
        now = asyncio.get_running_loop().time()
        taken = self.allowance.take(now)
        headers = {
            "x-ratelimit-limit-requests": str(self.allowance.limit),
            "x-ratelimit-remaining-requests": str(self.allowance.remaining(now)),
            "x-ratelimit-reset-requests": f"{self.allowance.reset(now):.3f}s",
        }
        if taken:
            self.taken.append(now)
            return answered(headers if self.headers else {})
        self.refused += 1
        wait = {"Retry-After": f"{self.allowance.wait(now):.3f}"} if self.tells else {}
        return Answer.json(REFUSED, 429, headers=wait)


def answered(headers):
    return Answer.json({"text": "hello", "finish": "stop"}, headers=headers)


def loop_time():
    return asyncio.get_running_loop().time()


async def test_a_connection_starts_no_more_requests_than_declared(server):
    service = Service(10, 60)
    server.route("POST", "/chat", service)
    async with nothing_left(server), mesh_for(server.url, pace={"requests": 10}) as mesh:
        began = loop_time()
        replies = await asyncio.gather(*(mesh.chat(f"c:{m}", "hi") for m in "mn" * 12))
        assert 120 <= loop_time() - began < 130
    assert service.refused == 0
    waits = sorted(reply.attempts[0].queued for reply in replies)
    assert waits[:10] == [0.0] * 10
    assert all(len(reply.attempts) == 1 for reply in replies)
    assert 120 < waits[-1] < 130
    assert max(reply.attempts[0].duration for reply in replies) < 5  # waiting is no part of the attempt


async def test_an_entry_of_models_has_a_pace_of_its_own_and_its_connections(server):
    server.route("POST", "/chat", hello())
    models = ["other", {"id": "big-*", "pace": {"requests": 2, "per": "second"}}]
    async with mesh_for(server.url, models=models, pace={"requests": 5}) as mesh:
        began = loop_time()
        await asyncio.gather(*(mesh.chat("c:other", "hi") for _ in range(2)))
        await asyncio.gather(*(mesh.chat(f"c:big-{n}", "hi") for n in range(3)))
        assert 1 <= loop_time() - began < 2
        await mesh.chat("c:other", "hi")
        assert loop_time() - began > 60


async def test_tokens_are_booked_as_estimated_and_corrected_by_what_was_used(server):
    server.route("POST", "/chat", hello())
    async with mesh_for(server.url, pace={"tokens": 1000}) as mesh:
        began = loop_time()
        for _ in range(10):
            await mesh.chat("c:m", "hi", max_tokens=900)
        assert loop_time() - began < 1


async def test_a_stream_holds_its_estimate_until_it_ends(server):
    server.answer(streamed(stall_after=1), streamed())
    async with mesh_for(server.url, pace={"tokens": 1000}) as mesh:
        async with mesh.stream_chat("c:m", "hi", max_tokens=900) as stream:
            await anext(stream)
            with pytest.raises(TimeoutError, match="1000 tokens per minute") as caught:
                await mesh.chat("c:m", "hi", max_tokens=900, timeout=5)
            assert caught.value.phase == "queue"
    assert len(server.requests) == 1


async def test_usage_of_a_stream_corrects_its_estimate(server):
    server.route("POST", "/chat", streamed(*PIECES))
    async with mesh_for(server.url, pace={"tokens": 1000}) as mesh:
        began = loop_time()
        for _ in range(10):
            await read(mesh.stream_chat("c:m", "hi", max_tokens=900))
        assert loop_time() - began < 1


async def test_one_refusal_holds_back_all_calls_of_the_model_and_no_attempts_are_lost(server):
    """Of three hundred calls that come after a refusal, hardly any is refused, and none fails with three attempts."""
    service = Service(100, 60)
    server.route("POST", "/chat", service)
    async with nothing_left(server), mesh_for(server.url) as mesh:
        await asyncio.gather(*(mesh.chat("c:m", "hi") for _ in range(101)))
        refused = service.refused
        replies = await asyncio.gather(*(mesh.chat("c:m", "hi", timeout=1000) for _ in range(300)))
        assert service.refused - refused <= 5
    assert sum(reply.attempts[0].queued > 0 for reply in replies) > 290


async def test_headers_that_tell_that_nothing_is_left_are_heeded_before_anything_is_refused(server):
    service = Service(10, 60, headers=True)
    server.route("POST", "/chat", service)
    async with nothing_left(server), mesh_for(server.url) as mesh:
        for _ in range(25):
            await mesh.chat("c:m", "hi")
    assert service.refused == 0
    assert len(service.taken) == 25


@pytest.mark.parametrize(
    "headers",
    [
        {"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "MOMENT"},
        {"RateLimit": '"default";r=0;t=20'},
        {"ratelimit-remaining": "0", "ratelimit-reset": "20", "ratelimit-limit": "5"},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "20"},
        {
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "20s",
            "x-ratelimit-limit-tokens": "9000",
        },
    ],
)
async def test_every_family_of_headers_is_read(server, headers):
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 20))
    told = {name: value.replace("MOMENT", moment) for name, value in headers.items()}
    server.answer(answered(told), hello())
    async with mesh_for(server.url) as mesh:
        await mesh.chat("c:m", "hi")
        reply = await mesh.chat("c:m", "hi")
    assert 18 < reply.attempts[0].queued <= 21


async def test_a_quota_that_is_used_up_holds_nothing_back(server):
    body = {"error": {"message": "no money", "code": "quota"}}
    server.answer(Answer.json(body, 429, headers={"Retry-After": "100"}), hello())
    async with mesh_for(server.url) as mesh:
        with pytest.raises(QuotaExceededError):
            await mesh.chat("c:m", "hi")
        assert (await mesh.chat("c:m", "hi", timeout=1)).attempts[0].queued == 0
        assert mesh._open["c"].pacer is None


async def test_a_connection_that_meets_no_limit_has_nothing_to_hold_it_back(server):
    server.answer(hello(), Answer.json({}, 503, headers={"Retry-After": "0.1"}), hello())
    async with mesh_for(server.url) as mesh:
        await mesh.chat("c:m", "hi")
        await mesh.chat("c:m", "hi")
        assert mesh._open["c"].pacer is None


async def test_a_call_that_cannot_start_in_time_fails_at_once_and_the_alias_asks_the_next(server):
    server.answer(Answer.retry_after_seconds(60), hello())
    tables = {"aliases": {"both": ["c:a", "c:b"]}}
    async with mesh_for(server.url, tables=tables, retry={"attempts": 1}) as mesh:
        with pytest.raises(RateLimitError):
            await mesh.chat("c:a", "hi")
        began = loop_time()
        with pytest.raises(TimeoutError, match="limit of the service for c:a") as caught:
            await mesh.chat("c:a", "hi", timeout=20)
        assert caught.value.attempts == ()
        assert loop_time() - began < 1
        reply = await mesh.chat("both", "hi", timeout=20)
        assert loop_time() - began < 1
    assert [attempt.model for attempt in reply.attempts] == ["b"]


async def test_a_call_waits_no_longer_than_it_may_and_says_for_what(server):
    server.route("POST", "/chat", hello())
    async with mesh_for(server.url, pace={"requests": 1, "per": "second"}) as mesh:
        calls = [asyncio.create_task(mesh.chat("c:m", "hi", timeout=3.5)) for _ in range(6)]
        ended = await asyncio.gather(*calls, return_exceptions=True)
    late = [end for end in ended if isinstance(end, TimeoutError)]
    assert len(late) == 2
    assert "the pace of connection c (1 requests per second) left no room" in str(late[0])
    assert late[0].attempts == ()


async def test_a_cancelled_call_leaves_nothing_behind(server):
    server.route("POST", "/chat", hello())
    async with nothing_left(server), mesh_for(server.url, pace={"requests": 1}, max_parallel=2) as mesh:
        await mesh.chat("c:m", "hi")
        waiting = asyncio.create_task(mesh.chat("c:m", "hi"))
        await asyncio.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert mesh._open["c"].slots._value == 2
        assert mesh._open["c"].pacer._timer is None
        assert (await mesh.chat("c:m", "hi")).text == "hello"


async def test_leaving_the_mesh_ends_calls_that_wait(server):
    server.route("POST", "/chat", hello())
    async with nothing_left(server):
        async with mesh_for(server.url, pace={"requests": 1}) as mesh:
            await mesh.chat("c:m", "hi")
            waiting = asyncio.create_task(mesh.chat("c:m", "hi"))
            await asyncio.sleep(1)
        with pytest.raises(ConfigurationError, match="the mesh was left while connection c was in use"):
            await waiting


async def test_a_transport_that_is_not_http_is_held_back_too():
    class Engine:
        sent = 0

        async def open(self): ...

        async def aclose(self): ...

        def exchange(self, wire):
            Engine.sent += 1
            return self

        async def __aenter__(self):
            if Engine.sent == 1:
                raise RuntimeError("throttled")
            return Exchange.whole(b'{"text": "hello", "finish": "stop"}')

        async def __aexit__(self, *error): ...

    class InProcess(PlainProvider):
        @hookimpl
        def jackfield_transport(self, settings):
            return Engine()

        @hookimpl
        def jackfield_error(self, model, failure):
            return failure.error(RateLimitError, "throttled")

    registry = Registry.of(InProcess())
    async with mesh_for("http://127.0.0.1:9", registry=registry, retry={"initial_delay": 8}) as mesh:
        began = loop_time()
        first, second = asyncio.create_task(mesh.chat("c:m", "1")), None
        await asyncio.sleep(0.1)
        second = await mesh.chat("c:m", "2")
        assert loop_time() - began > 3
        await first
    assert (len(second.attempts), Engine.sent) == (1, 3)
    assert second.attempts[0].queued > 3


async def test_a_listing_that_is_refused_holds_no_call_back(server):
    server.route("GET", "/models*", Answer.json({}, 429))
    server.route("POST", "/chat", hello())
    async with mesh_for(server.url, retry={"attempts": 1}, pace={"requests": 1}) as mesh:
        with pytest.raises(RateLimitError):
            await mesh.models("c")
        assert (await mesh.chat("c:m", "hi")).attempts[0].queued == 0


async def test_without_pauses_refusals_hold_nothing_back(server, pauses):
    server.answer(Answer.retry_after_seconds(60), hello(), hello())
    async with mesh_for(server.url) as mesh:
        began = loop_time()
        await mesh.chat("c:m", "hi")
        await mesh.chat("c:m", "hi")
        assert loop_time() - began < 1
    assert len(pauses) == 1

"""Answers that the service computes in the background. The answers are made up from the documented formats."""

from __future__ import annotations

import asyncio
import itertools
from decimal import Decimal

import pytest
from openai_clients import SENT, both
from openai_oracle import RESPONSE

from jackfield import (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    ServerError,
    StreamInterruptedError,
    TextDelta,
    TimeoutError,
)
from jackfield.testing import Answer

MODEL = "openai:gpt-5.2-pro"
ROOT = "/v1/responses"


def status(word, **more):
    return Answer.json({**RESPONSE, "output": [], "usage": None, "status": word, "store": True, **more})


DONE = Answer.json({**RESPONSE, "store": True})
QUEUED, RUNNING = status("queued"), status("in_progress")


def asked(server):
    return [(request.method, request.path_qs) for request in server.requests]


def said(request):
    """What of a request means something to the service."""
    headers = {name: request.headers.get(name) for name in ("authorization", *SENT)}
    return (
        request.method,
        request.path,
        sorted(request.query.split("&")),
        headers,
        request.body and request.json,
    )


async def test_an_answer_is_polled_until_it_is_there(monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        server.answer(QUEUED, RUNNING, RUNNING, DONE)
        reply = await mesh.chat(MODEL, "Why?", background=True)
        assert (reply.text, reply.finish_reason, reply.stored) == ("Because.", "stop", True)
        assert (reply.usage.input_tokens, reply.usage.output_tokens) == (9, 2)
        assert (reply.cost.status, reply.cost.amount) == ("complete", Decimal("0.000525"))
        assert asked(server) == [("POST", ROOT), *[("GET", f"{ROOT}/resp_1")] * 3]
        assert (server.requests[0].json["background"], server.requests[0].json["store"]) == (True, True)
        assert len(reply.attempts) == 1
        assert reply.raw["status"] == "completed"


async def test_the_pauses_grow_and_end(monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        times = []

        def look(request):
            times.append(asyncio.get_running_loop().time())
            return RUNNING if len(times) < 12 else DONE

        server.answer(*[look] * 12)
        await mesh.chat(MODEL, "Why?", background=True)
        pauses = [round(after - before, 2) for before, after in itertools.pairwise(times)]
        assert pauses[:4] == [1.0, 1.5, 2.25, 3.38]
        assert max(pauses) == pauses[-1] == 10.0


async def test_an_answer_that_is_there_at_once_is_not_polled(monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        server.answer(DONE)
        assert (await mesh.chat(MODEL, "Why?", background=True)).text == "Because."
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("end", "reason", "error"),
    [
        (status("incomplete", incomplete_details={"reason": "max_output_tokens"}), "length", None),
        (status("failed", error={"code": "server_error", "message": "broke"}), None, ServerError),
        (status("cancelled"), None, Exception),
    ],
)
async def test_every_way_in_which_it_ends(end, reason, error, monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        server.route("POST", ROOT, QUEUED)
        server.route("GET", f"{ROOT}/*", end)
        if error is None:
            assert (await mesh.chat(MODEL, "Why?", background=True)).finish_reason == reason
        else:
            with pytest.raises(error):
                await mesh.chat(MODEL, "Why?", background=True)
    assert not [call for call in asked(server) if call[1].endswith("/cancel")]


async def test_a_look_that_fails_is_repeated(monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        wait = Answer.retry_after_seconds(7)
        server.answer(QUEUED, Answer.hangup(), Answer.json({}, status=503), wait, DONE)
        before = asyncio.get_running_loop().time()
        assert (await mesh.chat(MODEL, "Why?", background=True)).text == "Because."
        assert asyncio.get_running_loop().time() - before > 7 + 1.5 + 2.25
        assert [call[0] for call in asked(server)] == ["POST", "GET", "GET", "GET", "GET"]


@pytest.mark.parametrize(
    ("code", "error", "cancelled"),
    [(404, NotFoundError, False), (400, InvalidRequestError, True), (401, AuthenticationError, True)],
)
async def test_a_look_that_is_refused_ends_the_call(code, error, cancelled, monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        server.route("POST", ROOT, QUEUED)
        server.route("GET", f"{ROOT}/*", Answer.json({"error": {"message": "no"}}, status=code))
        server.route("POST", f"{ROOT}/resp_1/cancel", status("cancelled"))
        with pytest.raises(error):
            await mesh.chat(MODEL, "Why?", background=True)
    assert (("POST", f"{ROOT}/resp_1/cancel") in asked(server)) is cancelled


async def test_a_request_that_is_refused_is_an_error_as_ever(monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        server.answer(Answer.json({"error": {"message": "no", "code": "x"}}, status=400))
        with pytest.raises(InvalidRequestError):
            await mesh.chat(MODEL, "Why?", background=True)
        assert len(server.requests) == 1


async def test_a_cancelled_caller_cancels_at_the_service(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.route("POST", ROOT, QUEUED)
        server.route("GET", f"{ROOT}/*", RUNNING)
        server.route("POST", f"{ROOT}/resp_1/cancel", status("cancelled"))
        task = asyncio.create_task(mesh.chat(MODEL, "Why?", background=True))
        await server.wait_requests(3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.wait_requests(4)
        await client.responses.cancel("resp_1")
        server.route("POST", f"{ROOT}/resp_2/cancel", status("cancelled"))
        await client.responses.cancel("resp_2")
        ours, theirs, another = map(said, server.requests[-3:])
        assert ours == theirs != another


async def test_a_call_whose_time_is_over_is_cancelled_at_the_service(monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        server.route("POST", ROOT, QUEUED)
        server.route("GET", f"{ROOT}/*", RUNNING)
        server.route("POST", f"{ROOT}/resp_1/cancel", status("cancelled"))
        with pytest.raises(TimeoutError) as caught:
            await mesh.chat(MODEL, "Why?", background=True, timeout=30)
        assert caught.value.phase == "total"
    # The mesh waits for it before it closes.
    assert asked(server)[-1] == ("POST", f"{ROOT}/resp_1/cancel")


async def test_a_silent_limit_counts_from_the_last_look(monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        server.answer(QUEUED, *[RUNNING] * 6, DONE)
        limits = {"first_event": 12, "total": 600}
        assert (await mesh.chat(MODEL, "Why?", background=True, timeout=limits)).text == "Because."


async def test_looks_are_those_of_the_sdk(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.route("POST", ROOT, QUEUED)
        server.route("GET", f"{ROOT}/*", DONE)
        await mesh.chat(MODEL, "Why?", background=True)
        await client.responses.create(
            model="gpt-5.2-pro", input=[{"role": "user", "content": "Why?"}], background=True, store=True
        )
        await client.responses.retrieve("resp_1")
        ours, look, theirs, their_look = server.requests
        assert said(ours) == said(theirs)
        assert said(look) == said(their_look)


# Streams


def events(*numbers):
    """The events of a stream by their numbers: created, four pieces of text, the end."""
    started = {**RESPONSE, "status": "in_progress", "output": []}
    text = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0}
    all_ = [
        {"type": "response.created", "response": started},
        *({**text, "delta": piece} for piece in ("Be", "cau", "se", ".")),
        {"type": "response.completed", "response": {**RESPONSE, "store": True}},
    ]
    return [{**all_[number], "sequence_number": number} for number in numbers]


async def read(mesh, **options):
    async with mesh.stream_chat(MODEL, "Why?", background=True, **options) as stream:
        pieces = [event.text async for event in stream if isinstance(event, TextDelta)]
    return "".join(pieces), stream.response


async def test_a_stream_is_read_as_ever(monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        server.answer(Answer.sse(events(0, 1, 2, 3, 4, 5)))
        text, reply = await read(mesh)
        assert (text, reply.text, reply.complete, reply.stored) == ("Because.", "Because.", True, True)
        assert asked(server) == [("POST", ROOT)]
        assert server.requests[0].json["stream"] is True


@pytest.mark.parametrize("how", ["truncate_after", "reset_after", "clean"])
@pytest.mark.parametrize("count", [1, 2, 5])
async def test_a_stream_that_breaks_is_taken_up_behind_its_last_event(how, count, monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        first = events(*range(count))
        broken = Answer.sse(first) if how == "clean" else Answer.sse(events(*range(6)), **{how: count})
        server.answer(broken, Answer.sse(events(*range(count, 6))))
        text, reply = await read(mesh)
        assert (text, reply.text, reply.usage.output_tokens) == ("Because.", "Because.", 2)
        assert asked(server)[1] == ("GET", f"{ROOT}/resp_1?stream=true&starting_after={count - 1}")
        assert len(server.requests) == 2


async def test_taking_up_is_tried_again_and_is_what_the_sdk_does(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(
            Answer.sse(events(0, 1)),
            Answer.json({}, status=500),
            Answer.hangup(),
            Answer.sse(events(2)),
            Answer.sse(events(3, 4, 5)),
            Answer.sse(events(3, 4, 5)),
        )
        assert (await read(mesh))[0] == "Because."
        paths = [path for _, path in asked(server)[1:]]
        assert [path.rpartition("=")[2] for path in paths] == ["1", "1", "1", "2"]
        theirs = await client.responses.retrieve("resp_1", stream=True, starting_after=2)
        assert [event.type async for event in theirs][-1] == "response.completed"
        assert said(server.requests[-2]) == said(server.requests[-1]) != said(server.requests[-3])


async def test_a_stream_that_cannot_be_taken_up_is_the_services_error(monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        server.answer(Answer.sse(events(0, 1)), Answer.json({"error": {"message": "gone"}}, status=404))
        with pytest.raises(NotFoundError) as caught:
            await read(mesh)
        assert caught.value.partial.text == "Be"


async def test_a_stream_that_never_goes_on_ends_by_its_idle_limit(monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        server.answer(Answer.sse(events(0, 1)))
        server.route("GET", f"{ROOT}/*", Answer.hangup())
        server.route("POST", f"{ROOT}/resp_1/cancel", status("cancelled"))
        with pytest.raises(TimeoutError) as caught:
            await read(mesh, timeout={"idle": 40})
        assert (caught.value.phase, caught.value.partial.text) == ("idle", "Be")
    assert asked(server)[-1] == ("POST", f"{ROOT}/resp_1/cancel")


async def test_a_stream_that_broke_before_it_said_anything_was_interrupted(monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        server.route("POST", ROOT, Answer.sse(events(0, 1), truncate_after=0))
        with pytest.raises(StreamInterruptedError):
            await read(mesh)
        assert {call[0] for call in asked(server)} == {"POST"}


@pytest.mark.parametrize("left", ["early", "failed", "done"])
async def test_a_stream_that_is_left_is_cancelled_if_it_runs(left, monkeypatch):
    async with both(monkeypatch) as (server, mesh, _):
        failed = {"type": "response.failed", "sequence_number": 2, "response": {
            **RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "broke"}}}  # fmt: skip
        last = {"early": events(2), "failed": [failed], "done": events(2, 3, 4, 5)}[left]
        server.answer(Answer.sse([*events(0, 1), *last], stall_after=3 if left == "early" else None))
        server.route("POST", f"{ROOT}/resp_1/cancel", status("cancelled"))
        try:
            async with mesh.stream_chat(MODEL, "Why?", background=True) as stream:
                async for event in stream:
                    if left == "early" and isinstance(event, TextDelta):
                        break
        except ServerError:
            assert left == "failed"
    cancelled = ("POST", f"{ROOT}/resp_1/cancel") in asked(server)
    assert cancelled is (left == "early")

"""What goes wrong behind the gateway, and what goes wrong before it."""

import asyncio
import gzip
import json

import pytest
from gateway_running import running

from jackfield import (
    AuthenticationError,
    ContextLengthExceededError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)
from jackfield.testing import FakeAnswer

HELLO = {"model": "best", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50}
ONCE = {
    "connections": {"fake": {"provider": "fake", "retry": {"attempts": 1}}},
    "aliases": {"best": ["fake:echo"]},
}


@pytest.mark.parametrize(
    ("error", "openai", "anthropic"),
    [
        (RateLimitError("slow down", retry_after=7), 429, 429),
        (QuotaExceededError("no money"), 429, 429),
        (OverloadedError("busy"), 503, 529),
        (AuthenticationError("bad key sk-123"), 502, 502),
        (ContextLengthExceededError("9000 tokens are more than 8000"), 400, 400),
        (ServerError("broken"), 502, 502),
        (ZeroDivisionError("a fault of a plugin"), 502, 502),
    ],
)
async def test_an_error_is_told_as_clients_understand_it(error, openai, anthropic):
    async with running(ONCE) as gateway:
        gateway.fake.script(error, error)
        status, headers, answer = await gateway.post("/v1/chat/completions", HELLO)
        assert (status, set(answer)) == (openai, {"error"})
        assert headers.get("retry-after") == (
            "7" if isinstance(error, RateLimitError) and status == 429 and error.retry_after else None
        )
        status, _, answer = await gateway.post("/v1/messages", HELLO)
        assert (status, answer["type"]) == (anthropic, "error")
        assert "sk-123" not in json.dumps(answer)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
async def test_a_stream_that_breaks_says_so(path):
    async with running(ONCE) as gateway:
        gateway.fake.script(FakeAnswer(text="one two three four", error=ServerError("broken"), after=2))
        body = {**HELLO, "stream": True}
        if path == "/v1/responses":
            body = {"model": "best", "input": "hi", "stream": True}
        async with gateway.http.post(f"{gateway.url}{path}", json=body) as answer:
            assert answer.status == 200
            text = (await answer.read()).decode()
        assert "one" in text
        assert "error" in text
        assert '"finish_reason":"stop"' not in text
        assert "message_stop" not in text
        assert "response.completed" not in text


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_costs_no_more(gateway, stream):
    gateway.fake.script(
        FakeAnswer(text="one two three", chunk_delay=5 if stream else 0, delay=0 if stream else 60)
    )
    request = gateway.http.post(f"{gateway.url}/v1/chat/completions", json={**HELLO, "stream": stream})
    if stream:
        async with request as answer:
            await answer.content.readany()
            answer.close()
    else:
        task = asyncio.ensure_future(request)
        while not gateway.fake.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    for _ in range(100):
        if gateway.fake.cancelled:
            break
        await asyncio.sleep(0.01)
    assert gateway.fake.cancelled == 1
    assert gateway.state.current.calls == 0


async def test_silence_is_filled():
    async with running(keep_alive=2) as gateway:
        gateway.fake.script(FakeAnswer(chunks=["one ", "two"], chunk_delay=7))
        async with gateway.http.post(
            f"{gateway.url}/v1/chat/completions", json={**HELLO, "stream": True}
        ) as answer:
            text = (await answer.read()).decode()
    assert text.count("\n:") + text.startswith(":") >= 3
    assert "one" in text
    assert "two" in text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"null", 400),
        (b"[" * 100_000, 400),
        (b'{"model":"best"}', 400),
        (b'{"model":"best","messages":7}', 400),
        (b'{"model":"best","messages":[{"role":"user","content":"' + b"x" * 5000 + b'"}]}', 413),
    ],
)
async def test_a_body_that_is_not_valid_is_refused(body, status):
    async with running(max_body="4 kB" if status == 413 else "1 MiB") as gateway:
        for path in ("/v1/chat/completions", "/v1/messages"):
            async with gateway.http.post(f"{gateway.url}{path}", data=body) as answer:
                assert answer.status == status
                told = await answer.json()
            assert "error" in told
        assert gateway.fake.requests == []


async def test_a_compressed_body_is_read_under_the_same_limit():
    async with running(max_body="100 kB") as gateway:
        plain = json.dumps(HELLO).encode()
        headers = {"content-encoding": "gzip"}
        url = f"{gateway.url}/v1/chat/completions"
        async with gateway.http.post(url, data=gzip.compress(plain), headers=headers) as answer:
            assert answer.status == 200
        bomb = gzip.compress(json.dumps({**HELLO, "x": "a" * 10_000_000}).encode())
        assert len(bomb) < 50_000
        async with gateway.http.post(url, data=bomb, headers=headers) as answer:
            assert answer.status == 413
        async with gateway.http.post(url, data=gzip.compress(plain)[:-9], headers=headers) as answer:
            assert answer.status == 400
        async with gateway.http.post(url, data=b"x", headers={"content-encoding": "br"}) as answer:
            assert answer.status == 415


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("GET", "/v1/messages", 405), ("PUT", "/", 405)],
)
async def test_an_unknown_path_is_told_as_an_error(gateway, method, path, status):
    async with gateway.http.request(method, f"{gateway.url}{path}") as answer:
        assert answer.status == status
        assert (await answer.json())["error"]["code"] == "unknown_url"


async def test_what_is_not_stored_is_told(gateway):
    async with gateway.http.get(f"{gateway.url}/v1/responses/resp_1") as answer:
        assert answer.status == 404
        assert "not stored" in (await answer.json())["error"]["message"]


async def test_a_header_cannot_be_broken_by_a_name(gateway):
    status, headers, _ = await gateway.post(
        "/v1/chat/completions", {**HELLO, "model": "fake:evil\r\nx-evil: 1"}
    )
    assert status in (400, 404)
    assert "x-evil" not in headers
    status, headers, _ = await gateway.post("/v1/chat/completions", HELLO, x_request_id='a"b<script>')
    assert headers["x-request-id"].startswith("req_")
    status, headers, _ = await gateway.post("/v1/chat/completions", HELLO, x_request_id="n\u00e9")
    assert headers["x-request-id"].startswith("req_")

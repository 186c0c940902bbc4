"""Token endpoints: what is sent, which token is read, and what every other response means."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from hypothesis import given, strategies as st

from jackfield import AuthenticationError, ConnectionFailedError, MalformedResponseError, OverloadedError
from jackfield._http.tokens import _read_token
from jackfield.http import fetch_token
from jackfield.testing import Answer, RecordingServer

GOOD = {"access_token": "t-1", "token_type": "Bearer", "expires_in": 3600}


async def fetch(answer, **options):
    """Query a loopback endpoint, and return the token and the request."""
    async with RecordingServer() as server:
        server.answer(answer)
        options = {"hint": "check the identity", **options}
        token = await asyncio.to_thread(fetch_token, f"{server.url}/token", b"{}", **options)
        return token, server.requests[0]


async def test_a_token_is_read_with_its_end():
    before = time.time()
    token, request = await fetch(
        Answer.json(GOOD), headers={"Content-Type": "application/json", "X-Own": "yes"}
    )
    assert token.value == "t-1"
    assert before + 3600 <= token.expires_at <= time.time() + 3600
    assert (request.method, request.path_qs, request.body) == ("POST", "/token", b"{}")
    assert (request.headers["x-own"], request.headers["accept"]) == ("yes", "application/json")


@pytest.mark.parametrize(
    "more", [{"expires_in": "3600"}, {"expires_in": 3599.5}, {"token_type": "bearer"}, {"token_type": None}]
)
async def test_what_services_write_differently_is_read_too(more):
    token, _ = await fetch(Answer.json({**GOOD, **more}))
    assert token.expires_at > time.time() + 3500


async def test_a_token_without_an_end_does_not_end():
    token, _ = await fetch(Answer.json({"access_token": "t-1"}))
    assert token.expires_at is None


@pytest.mark.parametrize(
    "answer",
    [
        Answer.text("<html>"),
        Answer.json([]),
        Answer.json({}),
        Answer.json({"access_token": ""}),
        Answer.json({"access_token": 1}),
        Answer.json({**GOOD, "token_type": "DPoP"}),
        Answer.json({**GOOD, "expires_in": "soon"}),
        Answer.json({**GOOD, "expires_in": "inf"}),
        Answer.json({**GOOD, "expires_in": []}),
        Answer(302, {"location": "https://login.example.com"}, ()),
    ],
)
async def test_another_response_is_not_a_token(answer):
    with pytest.raises(MalformedResponseError, match="check the identity"):
        await fetch(answer)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"error": "invalid_grant", "error_description": "The token has ended."}, "The token has ended."),
        ({"error": "invalid_grant"}, "invalid_grant"),
        ({"error": {"type": "invalid_grant", "message": "No."}}, "No."),
        ({"message": "Nobody."}, "Nobody."),
        ("gone", "answered 401;"),
    ],
)
async def test_a_refusal_is_an_error_of_authentication_with_its_reason(said, reason):
    with pytest.raises(AuthenticationError) as caught:
        await fetch(Answer.json(said, status=401))
    assert reason in str(caught.value)
    assert "check the identity" in str(caught.value)
    assert caught.value.status is None  # else the core would fetch a new token, and ask the model again
    assert not caught.value.is_retryable


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_endpoint_that_is_unavailable_may_be_asked_again(status):
    with pytest.raises(OverloadedError) as caught:
        await fetch(Answer.json({}, status=status, headers={"retry-after": "7"}))
    assert (caught.value.is_retryable, caught.value.retry_after) == (True, 7)


async def test_what_was_sent_is_in_no_error():
    echo = {"error": "invalid_grant", "error_description": "no eyJhbGciOi.made.up here"}
    with pytest.raises(AuthenticationError) as caught:
        await fetch(Answer.json(echo, status=400), secrets=("eyJhbGciOi.made.up", ""))
    assert "eyJhbGciOi" not in f"{caught.value!r} {caught.value} {caught.value.body!r}"


async def test_a_long_reason_is_cut():
    with pytest.raises(AuthenticationError) as caught:
        await fetch(Answer.json({"error_description": "x" * 10_000}, status=400))
    assert len(str(caught.value)) < 500


async def test_an_endpoint_that_is_not_there_is_named():
    with pytest.raises(ConnectionFailedError, match="the token endpoint http://127.0.0.1:1/token"):
        await asyncio.to_thread(fetch_token, "http://127.0.0.1:1/token", b"", hint="")


@given(st.binary(max_size=60))
def test_whatever_is_answered_is_a_token_or_none(answer):
    token = _read_token(answer)
    assert token is None or token.value


async def test_a_token_behind_a_byte_order_mark_is_read():
    token, _ = await fetch(Answer(200, {}, (b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),)))
    assert token.value == "t-1"

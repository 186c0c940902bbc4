"""The whole way: mesh, core, identity and plugin against loopback services."""

import asyncio
import json

import pytest
from meshes import config_for
from sagemaker_endpoints import EVENTS, KEYS, exception, part

from jackfield import (
    AuthenticationError,
    ConfigurationError,
    ContextLengthExceededError,
    InvalidRequestError,
    MalformedResponseError,
    Mesh,
    MissingCredentialError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
    TimeoutError,
)
from jackfield.plugin import Failure, Headers
from jackfield.testing import Answer, RecordingServer
from jackfield_sagemaker._errors import error

GOOD = Answer.json(
    {"generated_text": "Hi.", "details": {"finish_reason": "eos_token", "generated_tokens": 2}}
)
LATE = "Signature expired: 20261123T100000Z is now earlier than 20261123T100512Z (20261123T101012Z - 5 min.)"
TOKENS = b'{"token":{"id":1,"text":"He"}}\n', b'{"token":{"id":2,"text":"llo"},"generated_text":"Hello"}\n'


@pytest.fixture
async def server():
    async with RecordingServer() as server:
        yield server


def config(server, *entries, credentials=KEYS, **more):
    entry = {"id": "e", "mode": "lmi", "kind": "chat", "prompt": "single"}
    keys = {
        "credentials": "a", "region": "eu-central-1", "s3_url": server.url, "rate": {"hour": "3600"},
        "models": list(entries) or [entry], **more,
    }  # fmt: skip
    return config_for("sagemaker", server.url, "c", identities={"a": {"kind": "aws", **credentials}}, **keys)


def refused(code, text="No.", status=403, delay=0.0):
    return Answer.json(
        {"message": text},
        status,
        {"x-amzn-ErrorType": f"{code}:http://internal.amazon.com/coral/"},
        delay=delay,
    )


async def test_seconds_at_the_admins_rate(server):
    server.answer(GOOD)
    async with Mesh.from_config(config(server)) as mesh:
        reply = await mesh.chat("c:e", "Hello", max_tokens=5)
    assert (reply.text, reply.finish_reason, reply.usage.output_tokens) == ("Hi.", "stop", 2)
    assert reply.usage.input_tokens is None
    (item,) = reply.cost.items
    assert (item.unit, reply.cost.status) == ("second", "complete")
    assert reply.cost.amount == item.quantity, "3,600 an hour is one a second"


async def test_tokens_at_a_declared_price(server):
    answer = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "A"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
    }
    server.answer(Answer.json(answer), GOOD)
    price = {"input": "1", "output": "2", "per": 1}
    entries = [
        {"id": "o", "mode": "openai", "kind": "chat", "price": price},
        {"id": "e", "mode": "lmi", "kind": "completion", "price": price},
    ]
    made = config(server, *entries)
    del made["connections"]["c"]["rate"]
    async with Mesh.from_config(made) as mesh:
        assert (await mesh.chat("c:o", "x")).cost.amount == 20
        reply = await mesh.complete("c:e", "x")
        assert (reply.cost.status, reply.cost.missing) == ("partial", ("input_tokens",))


async def test_a_stream(server):
    server.answer(Answer.stream([part(TOKENS[0][:9]), part(TOKENS[0][9:] + TOKENS[1])], EVENTS))
    async with Mesh.from_config(config(server)) as mesh, mesh.stream_chat("c:e", "Hello") as stream:
        assert "".join([getattr(event, "text", "") async for event in stream]) == "Hello"
    assert stream.response.complete
    assert server.requests[0].path_qs == "/endpoints/e/invocations-response-stream"


async def test_a_stream_that_breaks_off(server):
    server.answer(
        Answer.stream([part(TOKENS[0])], EVENTS),
        Answer.stream([part(TOKENS[0]), part(TOKENS[1])], EVENTS, truncate_after=1),
        Answer.stream(
            [part(TOKENS[0]), exception("ModelStreamError", Message="gone", ErrorCode="StreamBroken")], EVENTS
        ),
        Answer.stream([part(TOKENS[0]), part(TOKENS[1])[:-1] + b"x"], EVENTS),
    )
    async with Mesh.from_config(config(server)) as mesh:
        for kind in (
            StreamInterruptedError,
            StreamInterruptedError,
            StreamInterruptedError,
            MalformedResponseError,
        ):
            with pytest.raises(kind) as caught:
                async with mesh.stream_chat("c:e", "Hello") as stream:
                    async for _ in stream:
                        pass
            assert caught.value.partial.text == "He"


async def test_leaving_a_stream_closes_it(server):
    server.answer(Answer.stream([part(TOKENS[0]), part(TOKENS[1])], EVENTS, stall_after=1), GOOD)
    async with Mesh.from_config(config(server, max_parallel=1)) as mesh:
        async with mesh.stream_chat("c:e", "Hello") as stream:
            async for event in stream:
                if getattr(event, "text", None) == "He":
                    break
        assert not stream.response.complete
        assert stream.response.text == "He"
        assert (await mesh.chat("c:e", "Hello")).text == "Hi.", "its slot is free"


async def test_cancelling_a_call(server):
    import math

    server.answer(Answer.json({}, delay=math.inf))
    async with Mesh.from_config(config(server)) as mesh:
        task = asyncio.create_task(mesh.chat("c:e", "Hello"))
        await server.wait_requests()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(server.requests) == 1


async def test_an_overloaded_endpoint_is_asked_again(server):
    server.answer(refused("ModelNotReadyException", status=429), GOOD)
    async with Mesh.from_config(config(server, retry={"attempts": 2, "max_delay": 0.01})) as mesh:
        reply = await mesh.chat("c:e", "Hello")
    assert [attempt.error for attempt in reply.attempts] == ["OverloadedError", None]
    first, second = server.requests
    assert first.body == second.body


# The identity


async def test_a_missing_credential_is_told_before_anything_is_sent(server, monkeypatch):
    monkeypatch.delenv("TEST_SECRET")
    async with Mesh.from_config(config(server)) as mesh:
        with pytest.raises(MissingCredentialError, match="TEST_SECRET"):
            await mesh.chat("c:e", "Hello")
    nobody = config(server)
    del nobody["connections"]["c"]["credentials"]
    async with Mesh.from_config(nobody) as mesh:
        with pytest.raises(MissingCredentialError, match="no AWS identity"):
            await mesh.chat("c:e", "Hello")
    assert not server.requests


async def test_an_expired_token_is_renewed_once(server, monkeypatch):
    monkeypatch.setenv("TEST_TOKEN", "old-session-token")
    server.answer(
        refused("ExpiredTokenException", "The security token old-session-token is expired", delay=0.5), GOOD
    )
    async with Mesh.from_config(
        config(server, credentials={**KEYS, "session_token": "env:TEST_TOKEN"})
    ) as mesh:
        task = asyncio.create_task(mesh.chat("c:e", "Hello"))
        while not server.requests:
            await asyncio.sleep(0.01)
        monkeypatch.setenv("TEST_TOKEN", "new-session-token")
        reply = await task
        assert [attempt.refreshed for attempt in reply.attempts] == [True, False]
        assert "old-session-token" not in str(reply.attempts)
        monkeypatch.setenv("TEST_TOKEN", "newer-session-token")
        refusal = refused("ExpiredTokenException", "The security token new-session-token is expired")
        server.answer(refusal, refusal)
        with pytest.raises(AuthenticationError) as caught:
            await mesh.chat("c:e", "Hello")
        assert (
            "session-token" not in f"{caught.value}{caught.value!r}{caught.value.body}{caught.value.attempts}"
        )
    sent = [request.headers["x-amz-security-token"] for request in server.requests]
    assert sent == ["old-session-token", "new-session-token", "new-session-token", "newer-session-token"]


async def test_many_refusals_at_once(server):
    server.answer(*(refused("ExpiredTokenException") for _ in range(5)))
    server.route("POST", "*", GOOD)
    async with Mesh.from_config(config(server)) as mesh:
        replies = await asyncio.gather(*(mesh.chat("c:e", "Hello") for _ in range(5)))
    assert {reply.text for reply in replies} == {"Hi."}


async def test_a_clock_that_is_off_is_named(server):
    server.answer(refused("InvalidSignatureException", LATE))
    async with Mesh.from_config(config(server)) as mesh:
        with pytest.raises(AuthenticationError, match="clock is 612 seconds behind"):
            await mesh.chat("c:e", "Hello")
    assert len(server.requests) == 1


async def test_no_region_is_told_when_it_is_needed(server, monkeypatch, tmp_path):
    made = config(server)
    del made["connections"]["c"]["region"]
    async with Mesh.from_config(made) as mesh:
        with pytest.raises(ConfigurationError, match="AWS_REGION"):
            await mesh.chat("c:e", "Hello")
    monkeypatch.setenv("AWS_REGION", "evil.example/x")
    async with Mesh.from_config(made) as mesh:
        with pytest.raises(ConfigurationError, match="region must be a region"):
            await mesh.chat("c:e", "Hello")
    monkeypatch.delenv("AWS_REGION")
    (tmp_path / "config").write_text("[default]\nregion = ap-south-1\n")
    server.answer(GOOD)
    async with Mesh.from_config(made) as mesh:
        await mesh.chat("c:e", "Hello")
    assert "/ap-south-1/sagemaker/" in server.requests[0].headers["authorization"]


def test_an_endpoint_is_declared_with_its_mode():
    with pytest.raises(ConfigurationError, match="mode"):
        Mesh.from_config(
            {
                "connections": {
                    "c": {
                        "provider": "sagemaker",
                        "region": "eu-central-1",
                        "models": [{"id": "e", "kind": "chat", "rate": {"hour": "1"}}],
                    }
                }
            }
        )
    with pytest.raises(ConfigurationError, match="endpoint"):
        Mesh.from_config(
            {
                "connections": {
                    "c": {
                        "provider": "sagemaker",
                        "region": "eu-central-1",
                        "models": [{"id": "a/b", "mode": "lmi", "kind": "chat", "rate": {"hour": "1"}}],
                    }
                }
            }
        )
    with pytest.raises(ConfigurationError, match="underlying"):
        Mesh.from_config(
            {
                "connections": {
                    "c": {
                        "provider": "sagemaker",
                        "region": "eu-central-1",
                        "models": [{"id": "e", "mode": "lmi"}],
                    }
                }
            }
        )


# Asynchronous endpoints


def slow(**more):
    return {
        "id": "e",
        "mode": "lmi",
        "kind": "chat",
        "prompt": "single",
        "asynchronous": {"poll": 0.01, **more},
    }


def submitted(**places):
    names = {"output": "X-Amzn-SageMaker-OutputLocation", "failure": "X-Amzn-SageMaker-FailureLocation"}
    return Answer.json({"InferenceId": "1"}, 202, {names[key]: value for key, value in places.items()})


def not_there(status=404, code="NoSuchKey"):
    return Answer.text(f"<Error><Code>{code}</Code></Error>", status, content_type="application/xml")


async def test_an_output_is_waited_for(server):
    server.answer(submitted(output="s3://out/a/1"), not_there(), not_there(403, "AccessDenied"), GOOD)
    async with Mesh.from_config(config(server, slow())) as mesh:
        reply = await mesh.chat("c:e", "Hello")
    assert reply.text == "Hi."
    paths = [request.path_qs for request in server.requests]
    assert paths == ["/endpoints/e/async-invocations", *["/out/a/1"] * 3]
    assert all("/s3/aws4_request" in request.headers["authorization"] for request in server.requests[1:])
    assert reply.cost.items[0].quantity > 0


@pytest.mark.parametrize(
    "place", ["s3://out/../other/1", "s3://out/a/./1", "s3://other/../out", "https://evil/1"]
)
async def test_an_output_elsewhere_than_it_seems_is_not_fetched(server, place):
    server.answer(submitted(output=place))
    async with Mesh.from_config(config(server, slow())) as mesh:
        with pytest.raises(MalformedResponseError, match="is not a location in S3"):
            await mesh.chat("c:e", "Hello")
    assert len(server.requests) == 1


async def test_a_key_is_quoted_segment_by_segment(server):
    server.answer(submitted(output="s3://out/a b//1?x#y%41"), GOOD)
    async with Mesh.from_config(config(server, slow())) as mesh:
        await mesh.chat("c:e", "Hello")
    assert server.requests[1].path_qs == "/out/a%20b//1%3Fx%23y%2541"


async def test_what_an_answer_says_of_s3s_errors_is_text(server):
    server.answer(submitted(output="s3://out/1"), Answer.json({"generated_text": "<Code>ExpiredToken<"}))
    async with Mesh.from_config(config(server, slow())) as mesh:
        assert (await mesh.chat("c:e", "Hello")).text == "<Code>ExpiredToken<"
        assert mesh.explain("c:e", "Hello").url == f"{server.url}/endpoints/e/async-invocations"


async def test_an_output_is_held_to_the_connections_limit(server):
    large = Answer.json({"generated_text": "x" * 5000})
    server.answer(submitted(output="s3://out/a/1"), large)
    async with Mesh.from_config(config(server, slow(), max_response="4 KiB")) as mesh:
        with pytest.raises(MalformedResponseError, match="longer than 4 KiB, max_response"):
            await mesh.chat("c:e", "Hello")


async def test_keys_that_end_while_one_waits_are_renewed_once(server):
    ended = not_there(400, "ExpiredToken")
    server.answer(submitted(output="s3://out/1"), not_there(), ended, not_there(503, "SlowDown"), GOOD)
    async with Mesh.from_config(config(server, slow())) as mesh:
        assert (await mesh.chat("c:e", "Hello")).text == "Hi."
        server.answer(submitted(output="s3://out/1"), ended, ended)
        with pytest.raises(AuthenticationError, match="renewed"):
            await mesh.chat("c:e", "Hello")
    methods = [request.method for request in server.requests]
    assert methods.count("POST") == 2, "what was submitted is never submitted again"


async def test_a_busy_s3_does_not_submit_again(server):
    server.answer(submitted(output="s3://out/1"), Answer.hangup(), GOOD)
    async with Mesh.from_config(config(server, slow(), retry={"attempts": 3})) as mesh:
        assert (await mesh.chat("c:e", "Hello")).text == "Hi."
    assert [request.method for request in server.requests] == ["POST", "GET", "GET"]


async def test_the_connections_headers_are_not_for_s3(server):
    server.answer(submitted(output="s3://out/1"), GOOD)
    async with Mesh.from_config(config(server, slow(), headers={"X-Gateway-Key": "for the gateway"})) as mesh:
        await mesh.chat("c:e", "Hello")
    runtime, s3 = server.requests
    assert runtime.headers["x-gateway-key"] == "for the gateway"
    assert "x-gateway-key" not in s3.headers


async def test_waiting_ends_with_the_calls_time(server):
    server.answer(submitted(output="s3://out/1"))
    server.route("GET", "*", not_there())
    async with Mesh.from_config(config(server, slow(), timeout={"first_event": 1})) as mesh:
        with pytest.raises(TimeoutError) as caught:
            await mesh.chat("c:e", "Hello")
    assert caught.value.phase == "first_event"


async def test_what_an_asynchronous_endpoint_cannot_do(server):
    server.answer(submitted(), submitted(output="https://elsewhere/1"), not_there(403, "AccessDenied"))
    async with Mesh.from_config(config(server, slow(), slow(input="s3://input/x") | {"id": "f"})) as mesh:
        with pytest.raises(MalformedResponseError, match="location of its output"):
            await mesh.chat("c:e", "Hello")
        with pytest.raises(MalformedResponseError, match="not a location in S3"):
            await mesh.chat("c:e", "Hello")
        with pytest.raises(ConfigurationError, match="128000"):
            await mesh.chat("c:e", "x" * 130_000)
        with pytest.raises(PermissionDeniedError, match="s3://input/x/"):
            await mesh.chat("c:f", "x" * 130_000)
        with pytest.raises(Exception, match="stream"):
            async with mesh.stream_chat("c:e", "Hello") as stream:
                async for _ in stream:
                    pass


# Errors


def failed(text, status=None, **more):
    said = {"Message": text, **more}
    if status is not None:
        said["OriginalStatusCode"] = status
    return Failure(424, Headers({"x-amzn-errortype": "ModelError"}), json.dumps(said).encode())


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [
        (failed("x", 400, OriginalMessage='{"message":"no engine"}'), InvalidRequestError, "no engine"),
        (failed("x", 422, OriginalMessage="`inputs` tokens + `max_new_tokens` must be <= 2048"), ContextLengthExceededError, "2048"),
        (failed("x", 400, OriginalMessage='{"error":{"message":"This model\'s maximum context length is 4096 tokens"}}'), ContextLengthExceededError, "4096"),
        (failed("x", 413, OriginalMessage="big"), InvalidRequestError, "big"),
        (failed("x", 429, OriginalMessage="slow down"), RateLimitError, "slow down"),
        (failed("x", 503, OriginalMessage="busy"), OverloadedError, "busy"),
        (failed("x", 500, OriginalMessage="out of memory"), ServerError, "out of memory"),
        (failed('Received server error (507) from primary with message "{"message": "worker died"}". See https://x for more.'), ServerError, "worker died"),
        (failed('Received client error (400) from primary with message "{\\n "error": "Need to pass custom_attributes=\'accept_eula=true\' as part of header."}". See https://x for more.'), PermissionDeniedError, 'custom_attributes = "accept_eula=true"'),
        (failed("Received server error (0) from primary and could not load the entire response body. Model timed out."), TimeoutError, "timed out"),
        (Failure(400, Headers({"x-amzn-errortype": "ValidationError"}), b'{"Message":"Endpoint x of account 1 not found."}'), NotFoundError, "not found"),
        (Failure(400, Headers({"x-amzn-errortype": "ValidationError"}), b'{"Message":"bad name"}'), InvalidRequestError, "bad name"),
        (Failure(400, Headers({"x-amzn-errortype": "ThrottlingException"}), b'{"message":"Rate exceeded"}'), RateLimitError, "Rate"),
        (Failure(503, Headers({"x-amzn-errortype": "ServiceUnavailable"}), b'{"Message":"x"}'), OverloadedError, "x"),
        (Failure(403, Headers({"x-amzn-errortype": "AccessDeniedException"}), b'{"Message":"User: arn is not authorized to perform: sagemaker:InvokeEndpoint"}'), PermissionDeniedError, "InvokeEndpoint"),
        (Failure(403, Headers({}), b'{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"invalid"}'), AuthenticationError, "invalid"),
        (Failure(502, Headers({}), b"<html>bad gateway</html>"), ServerError, "page"),
        (Failure(403, Headers({}), b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"), PermissionDeniedError, "AccessDenied|page"),
        (Failure(data={"error": "Model is overloaded", "error_type": "overloaded"}, in_stream=True), RateLimitError, "overloaded"),
        (Failure(data={"error": {"message": "too long", "code": 400}}, in_stream=True), ContextLengthExceededError, "too long"),
        (Failure(data={"error": "x", "code": 424}, in_stream=True), InvalidRequestError, "x"),
        (Failure(data={"Message": "x", "ErrorCode": "ModelInvocationTimeExceeded"}, event="ModelStreamError", in_stream=True), TimeoutError, "x"),
    ],
)  # fmt: skip
def test_errors(failure, kind, words):
    made = error(failure)
    assert type(made) is kind
    import re

    assert re.search(words, str(made))
    assert made.status == failure.status


# Addresses


@pytest.mark.parametrize(
    ("settings", "bucket", "address"),
    [
        ({"region": "eu-central-1"}, "one", "https://one.s3.eu-central-1.amazonaws.com"),
        ({"region": "eu-central-1"}, "one.two", "https://s3.eu-central-1.amazonaws.com/one.two"),
        ({"region": "cn-north-1"}, "one", "https://one.s3.cn-north-1.amazonaws.com.cn"),
        ({"region": "eu-central-1", "s3_url": "http://127.0.0.1:5000/"}, "one", "http://127.0.0.1:5000/one"),
    ],
)
def test_addresses(settings, bucket, address):
    from jackfield_sagemaker import SageMakerSettings
    from jackfield_sagemaker._settings import access, control_address, s3_address

    made = SageMakerSettings(**settings)
    assert s3_address(made, made.region, bucket) == address
    suffix = "amazonaws.com.cn" if made.region.startswith("cn-") else "amazonaws.com"
    assert access(made).base_url == f"https://runtime.sagemaker.{made.region}.{suffix}"
    assert control_address(made) == f"https://api.sagemaker.{made.region}.{suffix}"


async def test_a_long_list_of_endpoints(server):
    server.answer(
        Answer.json({"Endpoints": [{"EndpointName": "e"}], "NextToken": "more"}),
        Answer.json({"Endpoints": [{"EndpointName": "f"}]}),
    )
    async with Mesh.from_config(config(server, control_url=server.url)) as mesh:
        assert [card.id for card in await mesh.models("c")] == ["e", "f"]
    first, second = (json.loads(request.body) for request in server.requests)
    assert (first.get("NextToken"), second["NextToken"]) == (None, "more")
    assert server.requests[0].headers["x-amz-target"] == "SageMaker.ListEndpoints"

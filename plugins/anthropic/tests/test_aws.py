"""Claude Platform on AWS: requests with a key and signed ones, compared with the SDK's `AsyncAnthropicAWS`."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager

import oracles
import pytest
from anthropic_oracle import MODEL, send_both
from mistakes import mistakes_of

from jackfield import AuthenticationError, Mesh, MissingCredentialError
from jackfield.testing import Answer, RecordingServer

anthropic = pytest.importorskip("anthropic")  # absent where the plugins are tested at their lowest versions
botocore_auth = pytest.importorskip("botocore.auth")

NEW, OLD = "2026-10-21", "2023-06-01"
REGION, WORKSPACE = "us-west-2", "wrkspc_1"
KEY_ID, KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SCOPE = f"/{REGION}/aws-external-anthropic/aws4_request"
SENT = ("anthropic-version", "anthropic-beta", "anthropic-workspace-id", "content-type", "x-api-key")
IDENTITY = {"kind": "aws", "access_key_id": "env:AWS_KEY_ID", "secret_access_key": "env:AWS_KEY"}


def config(**keys):
    connection = {
        "provider": "anthropic",
        "aws_region": REGION,
        "workspace": WORKSPACE,
        "api_version": NEW,
        **keys,
    }
    return {"credentials": {"a": IDENTITY}, "connections": {"claude": connection}}


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AWS_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_KEY", KEY)
    monkeypatch.setenv("CLAUDE_KEY", "aws-made-up")


@asynccontextmanager
async def both(*, signed, version=NEW):
    """A loopback service, our mesh and the SDK, configured alike."""
    async with RecordingServer() as server:
        ours = {"credentials": "a"} if signed else {"api_key": "env:CLAUDE_KEY"}
        theirs = {"aws_access_key": KEY_ID, "aws_secret_key": KEY} if signed else {"api_key": "aws-made-up"}
        client = anthropic.AsyncAnthropicAWS(
            base_url=server.url, aws_region=REGION, workspace_id=WORKSPACE, max_retries=0, **theirs,
            default_headers={"anthropic-version": version},
        )  # fmt: skip
        keys = config(base_url=server.url, api_version=version, **ours)
        async with Mesh.from_config(keys) as mesh, client:
            yield server, mesh, client


def signed_again(request):
    """Sign a request that came as AWS's own signer would, and give its signature."""
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    names = request.headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    headers = {name: request.headers[name] for name in names if name not in ("host", "x-amz-date")}
    url = f"http://{request.headers['host']}{request.path_qs}"
    made = AWSRequest(request.method, url, headers, request.body)
    signer = botocore_auth.SigV4Auth(Credentials(KEY_ID, KEY), "aws-external-anthropic", REGION)
    made.context["timestamp"] = request.headers["x-amz-date"]
    signer._modify_request_before_signing(made)
    made.headers.replace_header("X-Amz-Date", request.headers["x-amz-date"])
    canonical = signer.canonical_request(made)
    return signer.signature(signer.string_to_sign(made, canonical), made)


def signature(request):
    return request.headers["authorization"].split("Signature=")[1]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_signed_requests_equal_the_sdks(stream):
    betas = {"extra": {"anthropic": {"betas": ["a-1"]}}}, {"extra_headers": {"anthropic-beta": "a-1"}}
    async with both(signed=True) as service:
        first, second, reply, _ = await send_both(*service, "claude", *betas, stream=stream)
    assert oracles.difference(first, second, headers=SENT) == {}
    for request in (first, second):
        assert SCOPE in request.headers["authorization"]
        assert signature(request) == signed_again(request)
    assert reply.text == "Because ä."


@pytest.mark.parametrize("version", [NEW, OLD])
async def test_requests_with_a_key_equal_the_sdks(version):
    async with both(signed=False, version=version) as service:
        first, second, _, _ = await send_both(*service, "claude", {}, {})
    assert oracles.difference(first, second, headers=(*SENT, "authorization")) == {}


async def test_after_a_401_the_request_is_signed_anew_once():
    refused = {
        "type": "error",
        "error": {"type": "authentication_error", "message": "the signature has expired"},
    }
    async with both(signed=True) as (server, mesh, _):
        server.answer(*[Answer.json(refused, status=401)] * 2)
        with pytest.raises(AuthenticationError, match="has expired"):
            await mesh.chat(f"claude:{MODEL}", "Why?")
        assert len(server.requests) == 2


async def test_counts_and_listings_are_signed_too():
    page = Answer.json({"data": [{"id": "claude-a"}], "has_more": False})
    async with both(signed=True) as (server, mesh, client):
        server.answer(Answer.json({"input_tokens": 3}), Answer.json({"input_tokens": 3}), page)
        await mesh.count_tokens(f"claude:{MODEL}", "Why?")
        await client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "Why?"}])
        await mesh.models("claude")
        assert oracles.difference(*server.requests[:2], headers=SENT) == {}
        for request in server.requests:
            assert signature(request) == signed_again(request)


async def test_the_comparison_can_fail():
    broken = {"extra_headers": {"anthropic-workspace-id": "wrkspc_2"}}
    async with both(signed=True) as service:
        first, second, _, _ = await send_both(*service, "claude", {}, broken)
    assert set(oracles.difference(first, second, headers=SENT)) == {"anthropic-workspace-id"}
    async with both(signed=True) as (server, _, _):
        server.answer(Answer.json({}))
        async with anthropic.AsyncAnthropicAWS(
            base_url=server.url, aws_region="us-east-1", workspace_id=WORKSPACE, max_retries=0,
            aws_access_key=KEY_ID, aws_secret_key=KEY,
        ) as elsewhere:  # fmt: skip
            await elsewhere.messages.create(model=MODEL, max_tokens=1, messages=[])
        (request,) = server.requests
    assert SCOPE not in request.headers["authorization"]
    assert signature(request) != signed_again(request)


def test_the_address_is_that_of_the_region(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_AWS_API_KEY", "made-up")
    (connection,) = Mesh.from_config(config()).connections.values()
    sdk = anthropic.AnthropicAWS(aws_region=REGION, workspace_id=WORKSPACE, api_key="made-up")
    assert connection.settings.address == str(sdk.base_url).rstrip("/")
    sdk.close()


async def test_the_key_of_the_environment_goes_to_aws_alone(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_AWS_API_KEY", "of-the-environment")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "of-anthropic")
    (connection,) = Mesh.from_config(config()).connections.values()
    assert connection.settings.key.reveal() == "of-the-environment"
    async with RecordingServer() as server:
        server.answer(Answer.json({"input_tokens": 3}))
        async with Mesh.from_config(config(base_url=server.url, credentials="a")) as mesh:
            await mesh.count_tokens(f"claude:{MODEL}", "Why?")
        assert SCOPE in server.requests[0].headers["authorization"]
        for request in server.requests:
            assert "of-" not in str(request.headers)


async def test_without_its_plugin_a_signature_is_asked_for_with_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "jackfield_aws", None)
    async with Mesh.from_config(config()) as mesh:
        with pytest.raises(MissingCredentialError, match=r"jackfield-anthropic\[aws\]"):
            await mesh.chat(f"claude:{MODEL}", "Why?")


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"workspace": None}, "workspace is missing"),
        ({"aws_region": "US West"}, 'a region of AWS such as "us-west-2"'),
        ({"auth_token": "env:X"}, "takes credentials of kind aws, or api_key"),
        ({"credentials": "federated"}, "takes credentials of kind aws, or api_key"),
        ({"credentials": "a", "api_key": "env:X"}, "another way to authenticate"),
        ({"credentials": "a", "aws_region": None}, "write aws_region, too"),
    ],
)
def test_what_does_not_fit_together_is_reported(keys, why):
    made = config(**keys)
    made["connections"]["claude"] = {k: v for k, v in made["connections"]["claude"].items() if v is not None}
    made["credentials"]["federated"] = {
        "kind": "anthropic", "identity_token": "env:X", "federation_rule_id": "r", "organization_id": "o",
    }  # fmt: skip
    assert why in mistakes_of(made)

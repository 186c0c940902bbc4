"""AWS's own client as oracle: it sends what we send, and reads what our fake service answers.

Both clients talk to one loopback server; the answers are samples written by us from the documented formats.
"""

import asyncio
import base64
import json
from contextlib import asynccontextmanager, closing
from functools import lru_cache

import pytest
from attrs import evolve
from bedrock_samples import (
    BLOCKED,
    CALLS,
    CHAT,
    CHAT_STREAM,
    CITED,
    CLAUDE,
    CLAUDE_STREAM,
    COUNT,
    EVENT_STREAM,
    MASKED,
    METRICS,
    SKY,
    THOUGHT,
    TOOLS,
    TOOLS_STREAM,
    delta,
    exception,
    stream,
)

from jackfield import (
    Audio,
    Document,
    Image,
    Mesh,
    Message,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from jackfield.testing import Answer, RecordingServer

botocore_session = pytest.importorskip("botocore.session")
botocore_auth = pytest.importorskip("botocore.auth")
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402
from botocore.exceptions import ClientError, EventStreamError  # noqa: E402

KEY_ID, KEY = "AKIDEXAMPLE", "wJalrXUtnFEMI/made-up"
MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "us.amazon.nova-2-lite-v1:0"
ARN = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc123"
SCHEMA = {
    "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": False,
}  # fmt: skip
ADD = Tool("add", "Add.", SCHEMA)
SPEC = {"toolSpec": {"name": "add", "description": "Add.", "inputSchema": {"json": SCHEMA}}}
POINT = {"cachePoint": {"type": "default"}}
HOUR = {"cachePoint": {"type": "default", "ttl": "1h"}}
WHY = [{"role": "user", "content": [{"text": "Why?"}]}]
PNG = b"\x89PNG"


def whole(body):
    return Answer(200, {"content-type": "application/json", "x-amzn-requestid": "r-1"}, (body,))


def streamed(body):
    return Answer.stream([body], EVENT_STREAM)


@lru_cache(maxsize=1)
def aws_session():
    """Return AWS's own session; it reads the services' descriptions once."""
    session = botocore_session.Session()
    session.set_credentials(KEY_ID, KEY)
    return session


@asynccontextmanager
async def both(monkeypatch, **settings):
    """A loopback service, our mesh and AWS's client, configured alike."""
    monkeypatch.setenv("BEDROCK_KEY", KEY)
    monkeypatch.setenv("BEDROCK_KEY_ID", KEY_ID)
    identity = {"kind": "aws", "access_key_id": "env:BEDROCK_KEY_ID", "secret_access_key": "env:BEDROCK_KEY"}
    async with RecordingServer() as server:
        connection = {
            "provider": "bedrock", "credentials": "a", "region": "eu-central-1", "base_url": server.url,
            "retry": {"attempts": 1}, **settings,
        }  # fmt: skip
        client = aws_session().create_client(
            "bedrock-runtime", "eu-central-1", endpoint_url=server.url,
            config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip
        config = {"credentials": {"a": identity}, "connections": {"b": connection}}
        async with Mesh.from_config(config) as mesh:
            yield server, mesh, client
        await asyncio.to_thread(client.close)


async def ours(mesh, model, messages, *, stream_it=False, **options):
    if not stream_it:
        return await mesh.chat(f"b:{model}", messages, **options)
    async with mesh.stream_chat(f"b:{model}", messages, **options) as stream:
        async for _ in stream:
            pass
    return stream.response


async def theirs(client, model, *, stream_it=False, **body):
    def call():
        if stream_it:
            answer = client.converse_stream(modelId=model, **body)
            with closing(answer["stream"]) as events:
                return list(events)
        return client.converse(modelId=model, **body)

    return await asyncio.to_thread(call)


def signed_again(request):
    """Sign a request that came as AWS's own signer would, and give its signature."""
    names = request.headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    headers = {name: request.headers[name] for name in names if name not in ("host", "x-amz-date")}
    url = f"http://{request.headers['host']}{request.path_qs}"
    made = AWSRequest(request.method, url, headers, request.body)
    signer = botocore_auth.SigV4Auth(Credentials(KEY_ID, KEY), "bedrock", "eu-central-1")
    made.context["timestamp"] = request.headers["x-amz-date"]
    signer._modify_request_before_signing(made)
    made.headers.replace_header("X-Amz-Date", request.headers["x-amz-date"])
    canonical = signer.canonical_request(made)
    return signer.signature(signer.string_to_sign(made, canonical), made)


def same(mine, other):
    """Hold our request against AWS's: method, address as sent, body, content type; and our signature."""
    assert (mine.method, mine.path_qs) == (other.method, other.path_qs)
    assert mine.json == other.json
    assert mine.headers["content-type"] == other.headers["content-type"]
    assert mine.headers["authorization"].split("Signature=")[1] == signed_again(mine)
    scope = "/eu-central-1/bedrock/aws4_request"
    assert scope in mine.headers["authorization"]
    assert scope in other.headers["authorization"]


# One question by our options, and the same by AWS's.
OPTIONS = {
    "nothing": ({}, {}),
    "max_tokens": ({"max_tokens": 9}, {"inferenceConfig": {"maxTokens": 9}}),
    "sampling": (
        {"top_p": 0.9, "top_k": 4},
        {"inferenceConfig": {"topP": 0.9}, "additionalModelRequestFields": {"top_k": 4}},
    ),
    "zero": ({"temperature": 0}, {"inferenceConfig": {"temperature": 0}}),
    "stop": ({"stop": ["END", "FIN"]}, {"inferenceConfig": {"stopSequences": ["END", "FIN"]}}),
    "system": ({"system": "Be brief."}, {"system": [{"text": "Be brief."}]}),
    "tools": ({"tools": [ADD]}, {"toolConfig": {"tools": [SPEC]}}),
    "auto": (
        {"tools": [ADD], "tool_choice": "auto"},
        {"toolConfig": {"tools": [SPEC], "toolChoice": {"auto": {}}}},
    ),
    "required": (
        {"tools": [ADD], "tool_choice": "required"},
        {"toolConfig": {"tools": [SPEC], "toolChoice": {"any": {}}}},
    ),
    "named": (
        {"tools": [ADD], "tool_choice": "add"},
        {"toolConfig": {"tools": [SPEC], "toolChoice": {"tool": {"name": "add"}}}},
    ),
    "none": ({"tools": [ADD], "tool_choice": "none"}, {}),
    "strict": (
        {"tools": [Tool("add", "Add.", SCHEMA, strict=True)]},
        {"toolConfig": {"tools": [{"toolSpec": {**SPEC["toolSpec"], "strict": True}}]}},
    ),
    "cached tools": (
        {"tools": [Tool("add", "Add.", SCHEMA, cache="1h")]},
        {"toolConfig": {"tools": [SPEC, HOUR]}},
    ),
    "schema": (
        {"response_format": SCHEMA},
        {
            "outputConfig": {
                "textFormat": {
                    "type": "json_schema",
                    "structure": {"jsonSchema": {"schema": json.dumps(SCHEMA, separators=(",", ":"))}},
                }
            }
        },
    ),
    "thinking": (
        {"reasoning": {"budget_tokens": 1024}, "max_tokens": 4096},
        {
            "inferenceConfig": {"maxTokens": 4096},
            "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        },
    ),
    "extra": (
        {"extra": {"bedrock": {"additionalModelResponseFieldPaths": ["/stop_sequence"]}}},
        {"additionalModelResponseFieldPaths": ["/stop_sequence"]},
    ),
    "own guardrail": (
        {"extra": {"bedrock": {"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "2"}}}},
        {"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "2"}},
    ),
}


@pytest.mark.parametrize("stream_it", [False, True])
@pytest.mark.parametrize("name", OPTIONS)
async def test_options_are_sent_as_awss_client_sends_them(monkeypatch, name, stream_it):
    mine, other = OPTIONS[name]
    answer = streamed(CHAT_STREAM) if stream_it else whole(CHAT)
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(answer, answer)
        await ours(mesh, MODEL, "Why?", stream_it=stream_it, **mine)
        await theirs(client, MODEL, stream_it=stream_it, messages=WHY, **other)
        same(*server.requests)


async def test_efforts_of_nova(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(whole(CHAT), whole(CHAT))
        await ours(mesh, NOVA, "Why?", reasoning=Reasoning("low"), top_k=3)
        fields = {
            "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"},
            "inferenceConfig": {"topK": 3},
        }
        await theirs(client, NOVA, messages=WHY, additionalModelRequestFields=fields)
        same(*server.requests)


CONVERSATIONS = {
    "files": (
        [
            Message(
                "user",
                (
                    Text("What is this?", cache="5m"),
                    Image(data=PNG, media_type="image/png"),
                    Image(url="s3://bucket/a.jpg"),
                    Document(data=b"%PDF-", media_type="application/pdf", name="A report, 2nd", citations=True),
                    Document(text="Plain.", name="notes"),
                    Audio(data=b"ID3", media_type="audio/mpeg"),
                ),
            )
        ],
        [
            {
                "role": "user",
                "content": [
                    {"text": "What is this?"},
                    POINT,
                    {"image": {"format": "png", "source": {"bytes": PNG}}},
                    {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://bucket/a.jpg"}}}},
                    {
                        "document": {
                            "format": "pdf", "name": "A report 2nd", "source": {"bytes": b"%PDF-"},
                            "citations": {"enabled": True},
                        }
                    },
                    {"document": {"format": "txt", "name": "notes", "source": {"text": "Plain."}}},
                    {"audio": {"format": "mp3", "source": {"bytes": b"ID3"}}},
                ],
            }
        ],
    ),
    "tool round": (
        [
            Message("user", "1 + 2?"),
            Message(
                "assistant",
                (
                    Thinking("Hm.", "bedrock", MODEL, {"signature": "c2ln"}),
                    Thinking("", "bedrock", MODEL, {"redactedContent": "c2VjcmV0"}),
                    Text("I add."),
                    ToolCall("t1", "add", {"name": "a"}),
                    ToolCall("t2", "add", {"name": "b"}),
                ),
            ),
            ToolResult("t1", "3"),
            ToolResult("t2", (Text("no"), Image(data=PNG, media_type="image/png")), is_error=True),
        ],
        [
            {"role": "user", "content": [{"text": "1 + 2?"}]},
            {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
                    {"reasoningContent": {"redactedContent": b"secret"}},
                    {"text": "I add."},
                    {"toolUse": {"toolUseId": "t1", "name": "add", "input": {"name": "a"}}},
                    {"toolUse": {"toolUseId": "t2", "name": "add", "input": {"name": "b"}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "t1", "content": [{"text": "3"}]}},
                    {
                        "toolResult": {
                            "toolUseId": "t2", "status": "error",
                            "content": [{"text": "no"}, {"image": {"format": "png", "source": {"bytes": PNG}}}],
                        }
                    },
                ],
            },
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_conversations_are_sent_as_awss_client_sends_them(monkeypatch, name):
    mine, other = CONVERSATIONS[name]
    model = MODEL if name == "tool round" else "amazon.nova-lite-v1:0"  # which hears
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(whole(CHAT), whole(CHAT))
        await ours(mesh, model, mine, tools=[ADD])
        await theirs(client, model, messages=other, toolConfig={"tools": [SPEC]})
        same(*server.requests)


@pytest.mark.parametrize(
    "model",
    [
        MODEL,
        ARN,
        "arn:aws:bedrock:eu-central-1::foundation-model/amazon.titan-text-express-v1",
        "arn:aws:bedrock:eu-central-1:123456789012:provisioned-model/abc",
        "eu.amazon.nova-lite-v1:0",
    ],
)
async def test_ids_stand_in_the_address_as_awss_client_writes_them(monkeypatch, model):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(whole(CHAT), whole(CHAT))
        await ours(mesh, model, "Why?")
        await theirs(client, model, messages=WHY)
        same(*server.requests)
        assert "/model/" in server.requests[0].path_qs
        assert ":" not in server.requests[0].path_qs


async def test_the_settings_of_a_connection(monkeypatch):
    settings = {
        "inference_profile": "eu", "guardrail_id": "g1", "guardrail_version": "3", "guardrail_trace": "enabled",
        "guardrail_stream": "sync", "service_tier": "priority", "latency": "optimized", "request_metadata": {"team": "a"},
    }  # fmt: skip
    guardrail = {"guardrailIdentifier": "g1", "guardrailVersion": "3", "trace": "enabled"}
    common = {
        "serviceTier": {"type": "priority"}, "performanceConfig": {"latency": "optimized"},
        "requestMetadata": {"team": "a"},
    }  # fmt: skip
    async with both(monkeypatch, **settings) as (server, mesh, client):
        server.answer(whole(CHAT), whole(CHAT), streamed(CHAT_STREAM), streamed(CHAT_STREAM))
        await ours(mesh, MODEL, "Why?")
        await theirs(client, f"eu.{MODEL}", messages=WHY, guardrailConfig=guardrail, **common)
        await ours(mesh, MODEL, "Why?", stream_it=True)
        watched = {**guardrail, "streamProcessingMode": "sync"}
        await theirs(client, f"eu.{MODEL}", stream_it=True, messages=WHY, guardrailConfig=watched, **common)
        same(*server.requests[:2])
        same(*server.requests[2:])


async def test_native_bodies_have_the_envelope_of_awss_client(monkeypatch):
    settings = {
        "guardrail_id": "g1", "guardrail_version": "3", "guardrail_trace": "enabled_full", "service_tier": "flex",
        "latency": "standard", "models": [{"id": MODEL, "route": "invoke"}],
    }  # fmt: skip
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Why?"}],
    }
    envelope = {
        "modelId": MODEL, "body": json.dumps(body), "contentType": "application/json", "accept": "application/json",
        "guardrailIdentifier": "g1", "guardrailVersion": "3", "trace": "ENABLED_FULL", "serviceTier": "flex",
        "performanceConfigLatency": "standard",
    }  # fmt: skip
    async with both(monkeypatch, **settings) as (server, mesh, client):
        server.answer(whole(CLAUDE), whole(CLAUDE), streamed(CLAUDE_STREAM), streamed(CLAUDE_STREAM))
        await ours(mesh, MODEL, "Why?", max_tokens=9)
        answer = await asyncio.to_thread(client.invoke_model, **envelope)
        assert json.loads(answer["body"].read())["content"][0]["text"] == "Because of scättered light."
        reply = await ours(mesh, MODEL, "Why?", stream_it=True, max_tokens=9)
        answer = await asyncio.to_thread(client.invoke_model_with_response_stream, **envelope)
        natives = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
        assert natives[-1]["amazon-bedrock-invocationMetrics"] == METRICS
        said = "".join(n["delta"]["text"] for n in natives if n["type"] == "content_block_delta")
        assert reply.text == said
        for mine, other in (server.requests[:2], server.requests[2:]):
            same(mine, other)
            named = {n: v for n, v in other.headers.items() if n.lower().startswith("x-amzn-bedrock")}
            assert {n: mine.headers[n] for n in named} == named
            assert mine.headers["accept"] == other.headers.get("accept", mine.headers["accept"])


async def test_counts_are_asked_and_read_alike(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(whole(COUNT), whole(COUNT), whole(COUNT), whole(COUNT))
        count = await mesh.count_tokens(f"b:{MODEL}", "Why?", system="Be brief.", tools=[ADD])
        converse = {"messages": WHY, "system": [{"text": "Be brief."}], "toolConfig": {"tools": [SPEC]}}
        answer = await asyncio.to_thread(client.count_tokens, modelId=MODEL, input={"converse": converse})
        assert count.input_tokens == answer["inputTokens"] == 14
        same(*server.requests)


async def test_counts_of_native_bodies(monkeypatch):
    async with both(monkeypatch, models=[{"id": MODEL, "route": "invoke"}]) as (server, mesh, client):
        server.answer(whole(COUNT), whole(COUNT))
        await mesh.count_tokens(f"b:{MODEL}", "Why?", max_tokens=9)
        inner = base64.b64decode(server.requests[0].json["input"]["invokeModel"]["body"])
        await asyncio.to_thread(client.count_tokens, modelId=MODEL, input={"invokeModel": {"body": inner}})
        same(*server.requests)
        assert json.loads(inner)["messages"] == [{"role": "user", "content": "Why?"}]


async def test_answers_are_read_as_awss_client_reads_them(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        for body in (CHAT, TOOLS, CITED, MASKED):
            server.answer(whole(body), whole(body))
            reply = await ours(mesh, MODEL, "Why?")
            answer = await theirs(client, MODEL, messages=WHY)
            blocks = answer["output"]["message"]["content"]
            text = "".join(b.get("text", "") for b in blocks)
            text += "".join(
                p["text"] for b in blocks for p in b.get("citationsContent", {}).get("content", ())
            )
            assert reply.text == text
            assert reply.usage.output_tokens == answer["usage"]["outputTokens"]
            calls = [b["toolUse"] for b in blocks if "toolUse" in b]
            assert [(c.id, c.name, dict(c.arguments)) for c in reply.tool_calls] == [
                (c["toolUseId"], c["name"], c["input"]) for c in calls
            ]
            assert reply.id == "r-1" == answer["ResponseMetadata"]["RequestId"]


async def test_our_streams_are_read_by_awss_parser(monkeypatch):
    async with both(monkeypatch) as (server, _, client):
        server.answer(streamed(CHAT_STREAM), streamed(TOOLS_STREAM))
        events = await theirs(client, MODEL, stream_it=True, messages=WHY)
        deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
        assert "".join(d.get("text", "") for d in deltas) == SKY
        assert "".join(d.get("reasoningContent", {}).get("text", "") for d in deltas) == THOUGHT
        assert events[-1]["metadata"]["usage"]["cacheReadInputTokens"] == 13
        events = await theirs(client, MODEL, stream_it=True, messages=WHY)
        starts = [
            e["contentBlockStart"]["start"]["toolUse"]["name"] for e in events if "contentBlockStart" in e
        ]
        assert starts == [name for name, _ in CALLS]


async def test_exceptions_inside_our_streams_are_read_by_awss_parser(monkeypatch):
    body = stream(("messageStart", {"role": "assistant"}), delta(0, text="The")) + exception(
        "throttlingException", "Too many requests."
    )
    async with both(monkeypatch) as (server, _, client):
        server.answer(streamed(body))
        with pytest.raises(EventStreamError, match="throttlingException.*Too many requests"):
            await theirs(client, MODEL, stream_it=True, messages=WHY)


async def test_refusals_of_our_fake_are_read_by_awss_client(monkeypatch):
    headers = {"content-type": "application/json", "x-amzn-errortype": "ThrottlingException"}
    refusal = Answer(429, headers, (b'{"message": "Too many tokens, please wait."}',))
    async with both(monkeypatch) as (server, _, client):
        server.answer(refusal, whole(BLOCKED))
        with pytest.raises(ClientError) as caught:
            await theirs(client, MODEL, messages=WHY)
        assert caught.value.response["Error"] == {
            "Code": "ThrottlingException", "Message": "Too many tokens, please wait.",
        }  # fmt: skip
        answer = await theirs(client, MODEL, messages=WHY)
        assert answer["stopReason"] == "guardrail_intervened"


async def test_the_comparison_can_fail(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(*[whole(CHAT)] * 4)
        await ours(mesh, MODEL, "Why?", max_tokens=9)
        await theirs(client, MODEL, messages=WHY, inferenceConfig={"maxTokens": 8})
        with pytest.raises(AssertionError):
            same(*server.requests)
        await ours(mesh, MODEL, "Why?")
        await theirs(client, f"eu.{MODEL}", messages=WHY)
        with pytest.raises(AssertionError):
            same(*server.requests[2:])
        broken = server.requests[2]
        assert signed_again(broken) == broken.headers["authorization"].split("Signature=")[1]
        requoted = evolve(broken, path_qs=broken.path_qs.replace("%3A", ":"))
        assert signed_again(requoted) != broken.headers["authorization"].split("Signature=")[1]

"""What a tier costs that has no published rate is unknown, also where the service does not say which one it served."""

from __future__ import annotations

import pytest
from test_gateway_errors import CONNECTIONS

from jackfield import Mesh
from jackfield.testing import Answer, RecordingServer

CHAT = {
    "id": "x", "object": "chat.completion", "model": "gpt-4o",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
}  # fmt: skip
CLAUDE = {
    "id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "ok"}], "stop_reason": "end_turn", "usage": {"input_tokens": 10, "output_tokens": 5},
}  # fmt: skip
CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "ok"}]}}, "stopReason": "end_turn",
    "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}, "metrics": {"latencyMs": 1},
}  # fmt: skip
GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "ok"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15},
    "modelVersion": "gemini-2.5-flash",
}  # fmt: skip
ANSWERS = {
    "openai": CHAT, "azure-openai": CHAT, "mistral": {**CHAT, "model": "mistral-large-latest"}, "anthropic": CLAUDE,
    "bedrock": CONVERSE, "vertex": GEMINI,
}  # fmt: skip
HAIKU = "anthropic.claude-3-5-haiku-20241022-v1:0"


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("A_KEY", "ABSK-test-key-0123456789")


async def cost_of(provider, answer, *, extra=None, **settings):
    declared, model = CONNECTIONS[provider]
    async with RecordingServer() as server:
        server.route("*", "*", Answer.json(answer))
        table = {
            name: value.format(server.url) if isinstance(value, str) else value
            for name, value in declared.items()
        }
        async with Mesh.from_config(
            {"connections": {"c": {"provider": provider, **table, **settings}}}
        ) as mesh:
            target = f"c:{HAIKU if provider == 'bedrock' else model}"
            more = {"extra": {provider: extra}} if extra else {}
            return (await mesh.chat(target, "hi", max_tokens=9, **more)).cost


@pytest.mark.parametrize("provider", ANSWERS)
async def test_the_usual_tier_has_a_price(provider):
    cost = await cost_of(provider, ANSWERS[provider])
    assert cost.status == "complete"
    assert cost.amount > 0


@pytest.mark.parametrize(
    ("provider", "more"),
    [
        ("openai", {"service_tier": "scale"}),
        ("openai", {"service_tier": "ultrafast"}),
        ("openai", {"service_tier": "flex"}),  # gpt-4o has no rate for it
        ("azure-openai", {"service_tier": "scale"}),
        ("anthropic", {"usage": {**CLAUDE["usage"], "service_tier": "priority"}}),
        ("anthropic", {"usage": {**CLAUDE["usage"], "inference_geo": "eu"}}),
        ("anthropic", {"usage": {**CLAUDE["usage"], "speed": "fast"}}),  # Sonnet has none
        ("bedrock", {"serviceTier": {"type": "priority"}}),
        ("bedrock", {"serviceTier": {"type": "flex"}}),
        ("vertex", {"usageMetadata": {**GEMINI["usageMetadata"], "trafficType": "PROVISIONED_THROUGHPUT"}}),
        ("vertex", {"usageMetadata": {**GEMINI["usageMetadata"], "trafficType": "ON_DEMAND_PRIORITY"}}),
        ("vertex", {"usageMetadata": {**GEMINI["usageMetadata"], "trafficType": "ON_DEMAND_FLEX"}}),
        ("mistral", {"service_tier": "priority"}),
    ],
)
async def test_a_reported_tier_without_a_rate_is_unknown(provider, more):
    cost = await cost_of(provider, {**ANSWERS[provider], **more})
    assert cost.status != "complete"


@pytest.mark.parametrize(
    ("provider", "extra"),
    [
        ("openai", {"service_tier": "scale"}),
        ("openai", {"service_tier": "flex"}),
        ("azure-openai", {"service_tier": "scale"}),
        ("mistral", {"service_tier": "priority"}),
        ("anthropic", {"inference_geo": "eu"}),
        ("anthropic", {"speed": "fast"}),
        ("bedrock", {"serviceTier": {"type": "priority"}}),
        ("bedrock", {"performanceConfig": {"latency": "optimized"}}),
    ],
)
async def test_a_tier_that_was_asked_for_and_is_not_reported_is_not_the_usual_one(provider, extra):
    cost = await cost_of(provider, ANSWERS[provider], extra=extra)
    assert cost.status != "complete"


async def test_what_the_service_reports_goes_before_what_was_asked_for():
    usual = await cost_of("openai", CHAT)
    downgraded = await cost_of(
        "openai", {**CHAT, "service_tier": "default"}, extra={"service_tier": "priority"}
    )
    assert downgraded.amount == usual.amount
    priority = await cost_of("openai", CHAT, extra={"service_tier": "priority"})
    assert priority.amount > usual.amount


async def test_an_uplift_by_region_counts_if_it_was_asked_for():
    usual = await cost_of("anthropic", CLAUDE)
    asked = await cost_of("anthropic", CLAUDE, extra={"inference_geo": "us"})
    told = await cost_of("anthropic", {**CLAUDE, "usage": {**CLAUDE["usage"], "inference_geo": "us"}})
    assert asked.amount == told.amount > usual.amount


@pytest.mark.parametrize("setting", [{"latency": "optimized"}, {"service_tier": "priority"}])
async def test_what_a_connection_asks_for_counts_as_well(setting):
    assert (await cost_of("bedrock", CONVERSE, **setting)).status != "complete"


async def test_an_estimate_before_the_call_knows_the_tier():
    declared, model = CONNECTIONS["openai"]
    table = {name: value.format("http://127.0.0.1:9") for name, value in declared.items()}
    mesh = Mesh.from_config({"connections": {"c": {"provider": "openai", **table}}})
    assert mesh.explain(f"c:{model}", "hi").cost.amount is not None
    assert mesh.explain(f"c:{model}", "hi", extra={"openai": {"service_tier": "scale"}}).cost.amount is None

"""A tier that was asked for by a header alone, and that the answer does not report, counts for the price."""

import pytest
from plain_provider import PlainProvider, hello, mesh_for, read, streamed

from jackfield._calls.tiers import requested_tier
from jackfield.plugin import RateCard, hookimpl

PRICE = RateCard.of(source="table 2026-01-01", input="1", output="2")


class Tiered(PlainProvider):
    @hookimpl
    def jackfield_cost(self, model, usage, context):
        return PRICE if context.service_tier is None else None


@pytest.mark.parametrize(
    ("name", "value", "tier"),
    [
        ("X-Vertex-AI-LLM-Shared-Request-Type", "priority", "priority"),
        ("x-vertex-ai-llm-shared-request-type", "flex", "flex"),
        ("X-Vertex-AI-LLM-Request-Type", "shared", None),
        ("X-Vertex-AI-LLM-Request-Type", "dedicated", "dedicated"),
        ("X-Amzn-Bedrock-Service-Tier", "default", None),
        ("X-Amzn-Bedrock-Service-Tier", "flex", "flex"),
        ("Content-Type", "application/json", None),
        ("X-Service-Tiers", "flex", None),
    ],
)
def test_headers_that_ask_for_a_tier(name, value, tier):
    assert requested_tier({}, {name: value}) == tier
    assert requested_tier({"service_tier": "batch"}, {name: value}) == "batch"


@pytest.mark.parametrize(("tier", "status"), [("shared", "complete"), ("priority", "unknown")])
async def test_a_tier_asked_for_by_a_header_does_not_get_the_usual_price(server, tier, status):
    server.route("POST", "/chat", lambda request: streamed() if request.json.get("stream") else hello())
    headers = {"X-Vertex-AI-LLM-Shared-Request-Type": tier}
    async with mesh_for(server.url, Tiered(), headers=headers) as mesh:
        assert (await mesh.chat("c:m", "hi")).cost.status == status
        stream = mesh.stream_chat("c:m", "hi")
        await read(stream)
        assert stream.response.cost.status == status
        assert (mesh.explain("c:m", "hi", max_tokens=5).cost.amount is None) == (status == "unknown")

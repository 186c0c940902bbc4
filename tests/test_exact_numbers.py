"""Integers of any size go to every provider as they are: in schemas, in the arguments of a history, in results."""

from __future__ import annotations

import pytest

from jackfield import Message, Registry, Tool, ToolCall, ToolResult, UnsupportedError
from jackfield.plugin import ChatRequest, ModelRef, Options, write_json

BIG = 2**70 + 1
HISTORY = (
    Message("user", "hi"),
    Message("assistant", (ToolCall("a", "look_up", {"id": BIG, "deep": [{"x": -BIG}]}),)),
    Message("tool", (ToolResult("a", "found", name="look_up"),)),
    Message("user", "go on"),
)
TOOL = Tool(
    "look_up", "Look it up.", {"type": "object", "properties": {"id": {"type": "integer", "enum": [BIG]}}}
)
MODELS = {
    "bedrock": (
        "anthropic.claude-3-5-sonnet-20240620-v1:0",
        "amazon.nova-pro-v1:0",
        "openai.gpt-oss-120b-1:0",
    ),
    "vertex": ("gemini-2.5-flash", "claude-sonnet-4-5"),
    "snowflake": ("claude-3-5-sonnet", "llama3.1-70b"),
    "databricks": ("databricks-claude-sonnet-4-5", "databricks-llama-4-maverick"),
    "sagemaker": (),
    "onnx": (),
    "azure-llm": (),  # it builds what openai builds, and needs a connection
}
REGISTRY = Registry.installed()
PAIRS = [(one, model) for one in REGISTRY.provider_ids() for model in MODELS.get(one, ("some-model",))]


@pytest.mark.parametrize(("id", "model"), PAIRS)
@pytest.mark.parametrize("stream", [False, True])
def test_big_integers_are_written_exactly(id, model, stream):
    provider = REGISTRY.provider(id)
    reference = ModelRef(model, "c")
    request = ChatRequest(HISTORY, Options(tools=(TOOL,), unsupported="drop"), stream)
    try:
        wire = provider.translate(reference, request, provider.capabilities(reference)).wire
    except UnsupportedError as error:
        pytest.skip(f"{id} does not take it: {error}")
    body = wire.body if isinstance(wire.body, bytes) else write_json(wire.body)
    assert body.count(str(BIG).encode()) >= 2
    assert b"e+2" not in body.lower()

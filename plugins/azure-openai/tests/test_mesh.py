"""Azure OpenAI through a mesh, against a loopback service: chat, stream, error, cancel, gateways."""

from __future__ import annotations

import asyncio

import pytest
from meshes import mesh_for

from jackfield import ContentFilteredError, MissingCredentialError, NotFoundError, ToolResult
from jackfield.testing import Answer, RecordingServer

SAFE = {"hate": {"filtered": False, "severity": "safe"}}
WHOLE = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2024-11-20",
    "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}],
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello."},
            "finish_reason": "stop",
            "content_filter_results": SAFE,
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}


def piece(delta, finish=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "content_filter_results": SAFE}
    return {"id": "chatcmpl-1", "model": "gpt-4o-2024-11-20", "choices": [choice], "usage": None}


PROMPT = {"id": "", "model": "", "choices": [], "prompt_filter_results": WHOLE["prompt_filter_results"]}
STREAM = [PROMPT, piece({"role": "assistant", "content": ""}), piece({"content": "Hel"}), piece({"content": "lo."}),
          piece({}, "stop"), {**piece({}), "choices": [], "usage": WHOLE["usage"]}]  # fmt: skip


@pytest.fixture
async def service(monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "made-up-key")
    async with RecordingServer() as server:
        yield server


def mesh(server, **more):
    keys = {
        "api_key": "env:AZURE_OPENAI_API_KEY",
        "api_version": "2024-10-21",
        "models": [{"id": "chat-prod", "underlying": "gpt-4o", "kind": "chat"}],
        **more,
    }
    return mesh_for("azure-openai", server.url, "az", address="endpoint", **keys)


async def test_a_chat_has_its_cost_and_its_verdicts(service):
    service.answer(Answer.json(WHOLE))
    async with mesh(service) as open_mesh:
        reply = await open_mesh.chat("az:chat-prod", "Hi", max_tokens=5)
    assert (reply.text, reply.model) == ("Hello.", "gpt-4o-2024-11-20")
    assert str(reply.cost.amount) == "0.0000425"
    assert reply.choices[0].finish_detail == {"content_filter_results": SAFE}
    assert reply.parameters["max_tokens"].wire == "max_completion_tokens"


async def test_a_stream_begins_without_choices(service):
    service.answer(Answer.sse(STREAM, done=True))
    async with mesh(service) as open_mesh, open_mesh.stream_chat("az:chat-prod", "Hi") as stream:
        text = [event.text async for event in stream if type(event).__name__ == "TextDelta"]
    assert text == ["Hel", "lo."]
    assert stream.response.complete
    assert stream.response.finish_reason == "stop"
    assert stream.response.usage.output_tokens == 2


async def test_a_blocked_prompt_is_an_error_without_the_key(service):
    said = {"message": "Blocked made-up-key.", "code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"sexual": {"filtered": True, "severity": "high"}}}}  # fmt: skip
    service.answer(Answer.json({"error": said}, status=400))
    async with mesh(service) as open_mesh:
        with pytest.raises(ContentFilteredError, match="sexual high") as told:
            await open_mesh.chat("az:chat-prod", "Hi")
    assert "made-up-key" not in f"{told.value!r} {told.value.body!r}"


async def test_a_deployment_that_does_not_exist(service):
    said = {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}
    service.answer(Answer.json({"error": said}, status=404))
    async with mesh(service) as open_mesh:
        with pytest.raises(NotFoundError) as told:
            await open_mesh.chat("az:chat-prod", "Hi")
    assert told.value.code == "DeploymentNotFound"


async def test_a_cancelled_stream_closes_the_upstream(service):
    service.answer(Answer.sse(STREAM, stall_after=3))
    async with mesh(service) as open_mesh:
        async with open_mesh.stream_chat("az:chat-prod", "Hi") as stream:
            async for event in stream:
                if type(event).__name__ == "TextDelta":
                    break
        await asyncio.wait_for(service.wait_disconnected(), 5)
    assert stream.response.text == "Hel"
    assert not stream.response.complete


async def test_a_gateway_gets_its_own_key_and_headers(service, monkeypatch):
    monkeypatch.setenv("APIM", "subscription")
    service.answer(Answer.json(WHOLE))
    headers = {"x-team": "search", "Ocp-Apim-Trace": "env:APIM"}
    made = mesh(service, endpoint=f"{service.url}/gateway", api_key="env:APIM",
                key_header="Ocp-Apim-Subscription-Key", headers=headers)  # fmt: skip
    async with made as open_mesh:
        await open_mesh.chat("az:chat-prod", "Hi")
    sent = service.requests[0]
    assert sent.path_qs == "/gateway/openai/deployments/chat-prod/chat/completions?api-version=2024-10-21"
    assert sent.headers["ocp-apim-subscription-key"] == "subscription"
    assert sent.headers["x-team"] == "search"
    assert "api-key" not in sent.headers


async def test_a_call_without_a_key_is_refused(service, monkeypatch):
    monkeypatch.delenv("AZURE_OPENAI_API_KEY")
    async with mesh(service) as open_mesh:
        with pytest.raises(MissingCredentialError, match="AZURE_OPENAI_API_KEY"):
            await open_mesh.chat("az:chat-prod", "Hi")
    assert service.connections == 0


async def test_a_conversation_with_tools_continues(service):
    call = {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    asked = {**WHOLE, "choices": [{"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}]}  # fmt: skip
    service.answer(Answer.json(asked), Answer.json(WHOLE))
    tool = {
        "type": "function",
        "function": {"name": "now", "parameters": {"type": "object", "properties": {}}},
    }
    async with mesh(service) as open_mesh:
        first = await open_mesh.chat("az:chat-prod", "When?", tools=[tool], tool_choice="now")
        messages = [{"role": "user", "content": "When?"}, first.message, ToolResult("call_1", "noon")]
        await open_mesh.chat("az:chat-prod", messages, tools=[tool])
    assert first.finish_reason == "tool_calls"
    sent = service.requests[1].json["messages"]
    assert sent[1]["tool_calls"] == [call]
    assert sent[2] == {"role": "tool", "tool_call_id": "call_1", "content": "noon"}


async def test_the_declared_deployments_are_the_listing(service):
    async with mesh(service) as open_mesh:
        (card,) = await open_mesh.models("az")
    assert (card.id, card.underlying, card.limits.context_window) == ("chat-prod", "gpt-4o", 128000)
    assert service.connections == 0

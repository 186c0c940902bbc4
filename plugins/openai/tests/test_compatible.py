"""Third parties' plugins in one line: the example package, and the shapes of local servers.

The answers are made up after what Groq, Ollama and llama.cpp send; none is a recording.
"""

from __future__ import annotations

import importlib.util
import json
import tomllib
from pathlib import Path

import pytest

from jackfield import (
    AuthenticationError,
    InvalidRequestError,
    Mesh,
    MissingCredentialError,
    RateLimitError,
    Registry,
    UnsupportedError,
)
from jackfield.plugin import ModelRef
from jackfield.testing import Answer, RecordingServer, check_provider
from jackfield_openai import CompatiblePlugin, compatible

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "compatible-groq"


def example():
    """Import the example package's module, as its entry point names it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, name = project["entry-points"]["jackfield.providers.v1"]["groq"].partition(":")
    spec = importlib.util.spec_from_file_location(module, EXAMPLE / "src" / module / "__init__.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return getattr(loaded, name)


def registered(plugin):
    """Return a registry with only this plugin, as its entry point declares it."""
    return Registry.of(plugin)


def connections(url, provider="groq", **keys):
    key = {"api_key": "env:GROQ_API_KEY"} if provider == "groq" else {}
    return {"connections": {"c": {"provider": provider, "base_url": f"{url}/openai/v1", **key, **keys}}}


def test_the_example_is_small():
    code = (EXAMPLE / "src" / "jackfield_groq" / "__init__.py").read_text(encoding="utf-8")
    lines = [line for line in code.splitlines() if line and not line.startswith(('"""', "#"))]
    assert len(lines) < 15


def test_the_example_conforms():
    results = check_provider(
        example(), only=["loading", "purity", "translate", "options", "errors", "transport"]
    )
    broken = [str(result) for result in results if not result.ok]
    # An object that is made in a module has no import of its own to look at.
    assert not [text for text in broken if "loading.imports" not in text]


async def test_the_example_chats_and_streams(monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", "gsk_made_up")
    usage = {
        "queue_time": 0.01,
        "prompt_tokens": 40,
        "completion_tokens": 8,
        "total_tokens": 48,
        "total_time": 0.1,
    }
    base = {
        "id": "chatcmpl-g",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "llama-3.3-70b-versatile",
    }
    piece = lambda delta, finish=None, **more: {
        **base,
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        **more,
    }
    stream = [
        piece({"role": "assistant", "content": None}, x_groq={"id": "req_1"}),
        piece({"reasoning": "Look it up.", "channel": "analysis"}),
        piece({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"up":1}'}}]}),
        piece({}, "tool_calls", x_groq={"id": "req_1", "usage": usage}),
    ]  # fmt: skip
    async with RecordingServer() as server:
        server.answer(Answer.sse(stream, done=True))
        mesh = Mesh.from_config(connections(server.url), registry=registered(example()))
        async with (
            mesh,
            mesh.stream_chat("c:llama-3.3-70b-versatile", "Look", max_tokens=9, top_k=5) as answer,
        ):
            async for _ in answer:
                pass
        reply = answer.response
        assert server.requests[0].path == "/openai/v1/chat/completions"
        assert server.requests[0].headers["authorization"] == "Bearer gsk_made_up"
        assert server.requests[0].json["max_tokens"] == 9
    assert (reply.thinking, reply.finish_reason, reply.usage.input_tokens) == (
        "Look it up.",
        "tool_calls",
        40,
    )
    assert [(call.id, dict(call.arguments)) for call in reply.tool_calls] == [("call_1", {"up": 1})]


async def test_the_example_needs_its_key(monkeypatch):
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    async with RecordingServer() as server:
        mesh = Mesh.from_config(connections(server.url), registry=registered(example()))
        with pytest.raises(MissingCredentialError, match="GROQ_API_KEY"):
            async with mesh:
                await mesh.chat("c:m", "Hello")
        assert not server.requests


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, {"error": {"message": "Invalid API Key", "type": "invalid_request_error", "code": "invalid_api_key"}}, AuthenticationError),
        (400, {"error": {"message": "Failed to call a function.", "type": "invalid_request_error", "code": "tool_use_failed"}}, InvalidRequestError),
        (429, {"error": {"message": "Rate limit reached", "type": "tokens", "code": "rate_limit_exceeded"}}, RateLimitError),
    ],
)  # fmt: skip
async def test_the_errors_of_the_example(status, body, expected, monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", "gsk_made_up")
    async with RecordingServer() as server:
        server.answer(Answer.json(body, status=status))
        config = connections(server.url, retry={"attempts": 1})
        async with Mesh.from_config(config, registry=registered(example())) as mesh:
            with pytest.raises(expected) as caught:
                await mesh.chat("c:m", "Hello")
        assert caught.value.provider == "groq"
        assert "made_up" not in str(caught.value)


async def test_a_local_server_needs_no_key_and_no_table_of_capabilities():
    """Ollama: thinking in `reasoning`, no details of the usage."""
    ollama = compatible(id="ollama", base_url="http://127.0.0.1:11434/v1")
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "qwen3:4b",
        "system_fingerprint": "fp_ollama",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi", "reasoning": "A greeting."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 4, "completion_tokens": 20, "total_tokens": 24},
    }  # fmt: skip
    async with RecordingServer() as server:
        server.answer(Answer.json(answer))
        async with Mesh.from_config(connections(server.url, "ollama"), registry=registered(ollama)) as mesh:
            reply = await mesh.chat("c:qwen3:4b", "Hello", temperature=0)
        assert "authorization" not in server.requests[0].headers
        assert server.requests[0].json == {
            "model": "qwen3:4b",
            "messages": [{"role": "user", "content": "Hello"}],
            "temperature": 0,
        }
    assert (reply.text, reply.thinking) == ("Hi", "A greeting.")
    assert (reply.usage.cached_input_tokens, reply.usage.reasoning_tokens) == (None, None)
    assert (reply.cost.status, reply.cost.amount) == ("unknown", None)


async def test_llama_cpp_streams_without_choices_at_the_end():
    timings = {"prompt_n": 1, "predicted_n": 2}
    base = {"created": 1, "id": "chatcmpl-1", "model": "m.gguf", "object": "chat.completion.chunk"}
    stream = [
        {**base, "choices": [{"finish_reason": None, "index": 0, "delta": {"role": "assistant", "content": None}}]},
        {**base, "choices": [{"finish_reason": None, "index": 0, "delta": {"content": "Hi"}}]},
        {**base, "choices": [{"finish_reason": "stop", "index": 0, "delta": {}}]},
        {**base, "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "prompt_tokens_details": {"cached_tokens": 4}}, "timings": timings},
    ]  # fmt: skip
    llama = compatible(id="llamacpp", base_url="http://127.0.0.1:8080/v1")
    async with RecordingServer() as server:
        server.answer(Answer.sse(stream, done=True))
        mesh = Mesh.from_config(connections(server.url, "llamacpp"), registry=registered(llama))
        async with mesh, mesh.stream_chat("c:m.gguf", "Hello") as answer:
            kinds = [event.kind async for event in answer if type(event).__name__ == "RawEvent"]
    assert "timings" in kinds
    assert answer.response.usage.cached_input_tokens == 4


def test_what_differs_is_a_value():
    router = compatible(
        id="router",
        base_url="https://router.example/v1",
        max_tokens="max_completion_tokens",
        effort="reasoning.effort",
        reasoning_budget="reasoning.max_tokens",
        usage_option=False,
        renamed={"seed": "options.seed", "user": None},
        send_model=False,
        chat_path="/models/{model}/chat",
    )
    assert isinstance(router, CompatiblePlugin)
    from jackfield import Message, Reasoning
    from jackfield.plugin import ChatRequest, Options

    request = ChatRequest(
        (Message("user", "a"),), Options(max_tokens=1, seed=0, reasoning=Reasoning("low", 5)), stream=True
    )
    ref = ModelRef("m")
    wire = router.jackfield_translate(ref, request, router.jackfield_capabilities(ref)).wire
    assert wire.path == "/models/m/chat"
    assert wire.body == {
        "messages": [{"role": "user", "content": "a"}],
        "max_completion_tokens": 1,
        "options": {"seed": 0},
        "reasoning": {"effort": "low", "max_tokens": 5},
        "stream": True,
    }
    with pytest.raises(UnsupportedError, match="user"):
        router.jackfield_translate(
            ref, ChatRequest((Message("user", "a"),), Options(user="u")), router.jackfield_capabilities(ref)
        )


def test_a_misspelt_field_is_an_error():
    with pytest.raises(TypeError, match="max_token"):
        compatible(id="x", max_token="y")


def test_settings_have_a_repr_without_the_key():
    plugin = example()
    assert "GROQ_API_KEY" in repr(plugin.info.settings())
    assert json.loads(json.dumps(plugin.info.id)) == "groq"


async def test_a_server_of_ones_own_is_paid_by_the_hour_where_a_rate_is_declared():
    vllm = compatible(id="vllm", base_url="http://127.0.0.1:8000/v1")
    answer = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6},
    }  # fmt: skip
    async with RecordingServer() as server:
        server.answer(Answer.json(answer))
        config = connections(server.url, "vllm")
        config["connections"]["c"]["rate"] = {"hour": "3600", "currency": "EUR"}
        async with Mesh.from_config(config, registry=registered(vllm)) as mesh:
            reply = await mesh.chat("c:m", "Hello")

    # 3,600 an hour is one a second, and the call took less than a minute.
    assert 0 < reply.cost.amount < 60
    assert (reply.cost.status, reply.cost.currency) == ("complete", "EUR")

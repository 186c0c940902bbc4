"""Errors of gateways, frameworks and other makers reach a program as words, whatever provider stands in front of them."""

from __future__ import annotations

import pytest

from jackfield import ContextLengthExceededError, JackfieldError, Mesh, RateLimitError, ServerError
from jackfield.testing import Answer, RecordingServer

# A connection of each provider to a loopback server, and a model.
CONNECTIONS = {
    "openai": ({"base_url": "{}/v1", "api_key": "env:A_KEY"}, "gpt-4o"),
    "anthropic": ({"base_url": "{}", "api_key": "env:A_KEY"}, "claude-sonnet-4-5"),
    "cohere": ({"base_url": "{}", "api_key": "env:A_KEY"}, "command-a-03-2025"),
    "mistral": ({"base_url": "{}", "api_key": "env:A_KEY"}, "mistral-large-latest"),
    "databricks": ({"host": "{}", "token": "env:A_KEY"}, "databricks-claude-sonnet-4-5"),
    "azure-openai": (
        {"endpoint": "{}", "api_key": "env:A_KEY", "models": [{"id": "m", "underlying": "openai:gpt-4o"}]},
        "m",
    ),
    "azure-llm": (
        {
            "target_uri": "{}/v1",
            "api_key": "env:A_KEY",
            "models": [{"id": "m", "kind": "chat", "price": {"input": "1", "output": "1"}}],
        },
        "m",
    ),
    "bedrock": (
        {"base_url": "{}", "region": "eu-central-1", "api_key": "env:A_KEY"},
        "anthropic.claude-3-5-sonnet-20240620-v1:0",
    ),
    "vertex": (
        {"base_url": "{}", "project": "p", "location": "us-central1", "api_key": "env:A_KEY"},
        "gemini-2.5-flash",
    ),
}
FORMS = {
    "fastapi": (
        {"detail": [{"loc": ["body", "temperature"], "msg": "Input should be less than 2"}]},
        "temperature",
        "less than 2",
    ),
    "spring": (
        {"status": 400, "error": "Bad Request", "message": "seed is not a number", "path": "/x"},
        "seed",
    ),
    "problem": (
        {"title": "Not valid", "status": 400, "detail": "no such tier", "instance": "/x"},
        "Not valid",
        "no such tier",
    ),
    "api gateway": ({"message": "Malformed Lambda proxy response"}, "Malformed Lambda"),
    "text": ({"error": "model 'x' is not loaded"}, "model 'x' is not loaded"),
    "list": ({"errors": [{"message": "no such account", "code": 7003}], "success": False}, "no such account"),
    "aspnet": ({"title": "Errors", "errors": {"top_p": ["must be below 1"]}}, "top_p", "must be below 1"),
    "litellm": (
        {"error": {"message": 'litellm.E: X - {"error": {"message": "n is too large"}}', "code": "400"}},
        "n is too large",
    ),
    "apim": ({"statusCode": 400, "message": "subscription key is missing"}, "subscription key is missing"),
}
WHOLE = {
    "error": ({"error": {"message": "the model fell over"}}, "the model fell over"),
    "error text": ({"error": "the model fell over"}, "the model fell over"),
    "detail": ({"detail": "the model fell over"}, "the model fell over"),
    "code": ({"code": 1302, "message": "the model fell over"}, "the model fell over"),
    "msg": ({"code": "E17", "msg": "the model fell over", "data": None}, "the model fell over"),
    "minimax": (
        {"base_resp": {"status_code": 1004, "status_msg": "login fail"}, "choices": None},
        "login fail",
    ),
    "vllm": ({"object": "error", "message": "the model fell over", "code": 400}, "the model fell over"),
    "success": (
        {"success": False, "errors": [{"code": 3, "message": "the model fell over"}]},
        "the model fell over",
    ),
}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("A_KEY", "ABSK-test-key-0123456789")


async def error_of(provider, answer, *, stream=False):
    """Return the error of one call that is answered so."""
    settings, model = CONNECTIONS[provider]
    async with RecordingServer() as server:
        server.route("*", "*", answer)
        table = {
            name: value.format(server.url) if isinstance(value, str) else value
            for name, value in settings.items()
        }
        config = {"connections": {"c": {"provider": provider, "retry": {"attempts": 1}, **table}}}
        async with Mesh.from_config(config) as mesh:
            with pytest.raises(JackfieldError) as caught:
                if stream:
                    async with mesh.stream_chat(f"c:{model}", "hi", max_tokens=9) as events:
                        async for _ in events:
                            pass
                else:
                    await mesh.chat(f"c:{model}", "hi", max_tokens=9)
    return caught.value


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("provider", CONNECTIONS)
async def test_the_words_of_every_form(provider, form):
    body, *words = FORMS[form]
    error = await error_of(provider, Answer.json(body, status=400))
    assert error.status == 400
    assert not error.is_retryable
    for word in words:
        assert word in error.message
    assert "{" not in error.message


@pytest.mark.parametrize("form", WHOLE)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", CONNECTIONS)
async def test_the_words_of_an_error_with_status_200(provider, stream, form):
    body, words = WHOLE[form]
    error = await error_of(provider, Answer.json(body), stream=stream)
    assert words in error.message
    assert "{" not in error.message


@pytest.mark.parametrize("provider", CONNECTIONS)
async def test_the_wait_of_a_body_and_of_a_limit(provider):
    said = await error_of(
        provider, Answer.json({"error": {"message": "Slow. Please try again in 1m2s."}}, status=429)
    )
    assert isinstance(said, RateLimitError)
    assert said.retry_after == 62
    reset = await error_of(
        provider, Answer.json({"message": "slow"}, status=429, headers={"x-ratelimit-reset-requests": "7s"})
    )
    assert reset.retry_after == 7


@pytest.mark.parametrize("provider", CONNECTIONS)
async def test_a_page_of_a_gateway(provider):
    page = "<html><head><title>502 Bad Gateway</title></head><body><hr>nginx</body></html>"
    error = await error_of(provider, Answer.html(page, status=502))
    assert isinstance(error, ServerError)
    assert "502 Bad Gateway" in error.message
    assert "<" not in error.message


@pytest.mark.parametrize("provider", CONNECTIONS)
async def test_what_the_service_does_not_have_is_not_asked_for_again(provider):
    error = await error_of(provider, Answer.json({"error": {"message": "no such thing here"}}, status=501))
    assert isinstance(error, ServerError)
    assert not error.is_retryable


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 8192 tokens, however you requested 9000",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "the request exceeds the available context size",
        "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
        "too many tokens: total number of tokens in the prompt cannot exceed 4081",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    ],
)
@pytest.mark.parametrize("provider", CONNECTIONS)
async def test_a_gateway_may_stand_before_another_model(provider, words):
    for body in ({"error": {"message": words}}, {"message": words}, {"error": words}):
        error = await error_of(provider, Answer.json(body, status=400))
        assert isinstance(error, ContextLengthExceededError), f"{body}: {error!r}"

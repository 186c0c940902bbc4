"""Choose the API for a request."""

import pytest
from cohere_requests import USER, chat, fates, made

from jackfield import ConfigurationError
from jackfield.plugin import (
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    RerankRequest,
    SummarizeRequest,
)


def test_paths():
    paths = {
        "command-a-03-2025": ("/v2/chat", "sse"),
        "command": ("/v1/chat", "jsonlines"),
        "command-light": ("/v1/chat", "jsonlines"),
        "something-new": ("/v2/chat", "sse"),
    }
    for model, (path, framing) in paths.items():
        wire = made(ChatRequest(USER, stream=True), model).wire
        assert (wire.path, wire.framing, wire.body["stream"]) == (path, framing, True)
    assert made(CompletionRequest("a"), "command-light").wire.path == "/v1/generate"
    assert made(SummarizeRequest("a"), "command").wire.path == "/v1/summarize"
    assert made(EmbedRequest(inputs=("a",)), "embed-v4.0").wire.path == "/v2/embed"
    assert made(RerankRequest(query="q", documents=("a",)), "rerank-v3.5").wire.path == "/v2/rerank"
    assert made(CountRequest(USER)).wire.path == "/v1/tokenize"
    assert chat(route="v1").wire.path == "/v1/chat"
    assert chat(model="command", route="v2").wire.path == "/v2/chat"


def test_a_wrong_route_is_told():
    with pytest.raises(ConfigurationError, match='"v1" or "v2"'):
        chat(route="v3")


def test_newer_models_complete_and_summarize_by_chat():
    for request in (CompletionRequest("a"), SummarizeRequest("a")):
        sent = made(request, "command-a-03-2025")
        assert sent.wire.path == "/v2/chat"
        assert "emulated" in fates(sent).values()

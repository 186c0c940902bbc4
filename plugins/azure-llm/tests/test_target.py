"""Target URIs as people paste them become addresses, or are refused with a reason."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from jackfield import ConfigurationError
from jackfield_azure_llm._target import target_of

SERVERLESS = "https://name.eastus.models.ai.azure.com"
MANAGED = "https://name.eastus.inference.ml.azure.com"
RESOURCE = "https://name.services.ai.azure.com"
OPENAI = "https://name.openai.azure.com"
PREVIEW = {"api-version": "2024-05-01-preview"}


@pytest.mark.parametrize(
    ("pasted", "origin", "path", "query"),
    [
        (SERVERLESS, SERVERLESS, "/v1", {}),
        (f"{SERVERLESS}/", SERVERLESS, "/v1", {}),
        (f" {SERVERLESS}/v1/chat/completions\n", SERVERLESS, "/v1", {}),
        (f"<{SERVERLESS}/v1>", SERVERLESS, "/v1", {}),
        (f"{SERVERLESS}/v1/embeddings", SERVERLESS, "/v1", {}),
        (f"{SERVERLESS}/chat/completions", SERVERLESS, "/v1", {}),
        (f"{SERVERLESS}/chat/completions?api-version=2024-05-01-preview", SERVERLESS, "", PREVIEW),
        (f"{SERVERLESS}/info", SERVERLESS, "/v1", {}),
        ("name.eastus.models.ai.azure.com", SERVERLESS, "/v1", {}),
        (f"{MANAGED}/score", MANAGED, "/v1", {}),
        (f"{MANAGED}/v1/chat/completions", MANAGED, "/v1", {}),
        (f"{MANAGED}/llm/v1/chat/completions?tenant=a", MANAGED, "/llm/v1", {"tenant": "a"}),
        (RESOURCE, RESOURCE, "/openai/v1", {}),
        (f"{RESOURCE}/models", RESOURCE, "/models", PREVIEW),
        (f"{RESOURCE}/models/chat/completions?api-version=2025-01-01", RESOURCE, "/models", {"api-version": "2025-01-01"}),
        (f"{RESOURCE}/openai/v1/chat/completions", RESOURCE, "/openai/v1", {}),
        (f"{OPENAI}/openai", OPENAI, "/openai/v1", {}),
        (
            f"{OPENAI}/openai/deployments/d/chat/completions?api-version=2024-10-21",
            OPENAI,
            "/openai/deployments/d",
            {"api-version": "2024-10-21"},
        ),
        ("http://127.0.0.1:9/v1", "http://127.0.0.1:9", "/v1", {}),
        ("http://localhost:9", "http://localhost:9", "/v1", {}),
        (f"{RESOURCE}/anthropic", RESOURCE, "/anthropic", {}),
        (f"{RESOURCE}/anthropic/", RESOURCE, "/anthropic", {}),
        (f"{RESOURCE}/anthropic/v1", RESOURCE, "/anthropic", {}),
        (f"{RESOURCE}/anthropic/v1/messages", RESOURCE, "/anthropic", {}),
        (f"{RESOURCE}/anthropic/v1/messages/count_tokens?a=b", RESOURCE, "/anthropic", {"a": "b"}),
        ("https://gateway.example.com/claude/v1/messages", "https://gateway.example.com", "/claude", {}),
        ("https://gateway.example.com/v1/messages", "https://gateway.example.com", "", {}),
    ],
)  # fmt: skip
def test_a_pasted_uri_becomes_an_address(pasted, origin, path, query):
    found = target_of(pasted)
    assert (found.origin, found.path, dict(found.query)) == (origin, path, query)


def test_the_kind_of_host_decides_about_the_key():
    assert target_of(RESOURCE).resource
    assert target_of(OPENAI).resource
    assert not target_of(SERVERLESS).resource
    assert not target_of(MANAGED).resource


@pytest.mark.parametrize(
    ("pasted", "why"),
    [
        ("", "no host"),
        ("https://", "no host"),
        ("my-endpoint", "no full host name"),
        ("my endpoint.azure.com", "has no host"),
        ("ftp://name.eastus.models.ai.azure.com", "must begin with https://"),
        ("https://user:key@name.eastus.models.ai.azure.com", "user or a password"),
        ("https://ml.azure.com/endpoints/realtime/name/detail", "page of the portal"),
        ("https://ai.azure.com/build/overview", "page of the portal"),
        (f"{RESOURCE}/api/projects/mine", "project's address"),
        (f"{OPENAI}/openai/deployments/d/chat/completions", "api-version"),
        ("https://name.eastus.models.ai.azure.com:port/v1", "is not valid"),
        ("https://[::1/v1", "is not valid"),
    ],
)
def test_an_unusable_pasted_uri_is_refused_with_a_reason(pasted, why):
    with pytest.raises(ConfigurationError, match=why):
        target_of(pasted)


@given(st.text(max_size=60))
def test_whatever_is_pasted_is_an_address_or_refused(pasted):
    try:
        found = target_of(pasted)
    except ConfigurationError:
        return
    assert found.origin.startswith(("http://", "https://"))
    assert found.path == "" or found.path.startswith("/")


@pytest.mark.parametrize(
    ("pasted", "path", "query"),
    [
        (RESOURCE, "/anthropic", {}),
        (f"{RESOURCE}/openai/v1", "/anthropic", {}),
        (f"{RESOURCE}/models?api-version=2025-01-01", "/anthropic", {}),
        (f"{RESOURCE}/anthropic/v1/messages", "/anthropic", {}),
        ("https://gateway.example.com", "", {}),
        ("https://gateway.example.com/claude?tenant=a", "/claude", {"tenant": "a"}),
        ("https://gateway.example.com/claude/v1", "/claude", {}),
    ],
)
def test_each_address_has_one_of_the_messages_api(pasted, path, query):
    found = target_of(pasted).for_messages()
    assert (found.path, dict(found.query), found.messages, found.inference) == (path, query, True, False)


@pytest.mark.parametrize("pasted", [RESOURCE, f"{RESOURCE}/models", f"{SERVERLESS}/v1/chat/completions"])
def test_an_address_of_another_api_is_not_that_of_messages(pasted):
    assert not target_of(pasted).messages

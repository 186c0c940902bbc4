"""The base address of a connection, from what people write and paste."""

from __future__ import annotations

import pytest

from jackfield import ConfigurationError, Secret
from jackfield.plugin import Bearer, ModelRef, NoAuth, StaticHeader
from jackfield_azure_openai import AzureOpenAISettings
from jackfield_azure_openai._credentials import AzureCredentials, AzureIdentity
from jackfield_azure_openai._dialect import dialect_of
from jackfield_azure_openai._settings import access

HOST = "https://name.openai.azure.com"


@pytest.mark.parametrize(
    ("written", "base"),
    [
        ({"endpoint": HOST}, f"{HOST}/openai/v1"),
        ({"endpoint": f"{HOST}/"}, f"{HOST}/openai/v1"),
        ({"endpoint": f"{HOST}/openai"}, f"{HOST}/openai/v1"),
        ({"endpoint": f"{HOST}/openai/v1/"}, f"{HOST}/openai/v1"),
        ({"endpoint": f"{HOST}/openai/v1/chat/completions"}, f"{HOST}/openai/v1"),
        ({"endpoint": f"{HOST}/openai/v1", "api_version": "2024-10-21"}, f"{HOST}/openai/v1"),
        ({"endpoint": HOST, "api_version": "v1"}, f"{HOST}/openai/v1"),
        ({"endpoint": HOST, "api_version": "2024-10-21"}, f"{HOST}/openai?api-version=2024-10-21"),
        ({"endpoint": f"{HOST}//openai/?api-version=2024-10-21"}, f"{HOST}/openai?api-version=2024-10-21"),
        (
            {"endpoint": "https://x.azure-api.net/team", "api_version": "2025-04-01-preview"},
            "https://x.azure-api.net/team/openai?api-version=2025-04-01-preview",
        ),
        (
            {"endpoint": "https://x.azure-api.net/team?who=me", "api_version": "2024-10-21"},
            "https://x.azure-api.net/team/openai?who=me&api-version=2024-10-21",
        ),
        ({"endpoint": f"{HOST}/", "base_url": "http://127.0.0.1:9"}, "http://127.0.0.1:9/openai/v1"),
        (
            {"endpoint": "https://x.azure-api.net/team", "base_url": "http://127.0.0.1:9"},
            "http://127.0.0.1:9/team/openai/v1",
        ),
        (
            {"base_url": "http://127.0.0.1:9/openai", "api_version": "2024-10-21"},
            "http://127.0.0.1:9/openai?api-version=2024-10-21",
        ),
        ({"endpoint": "https://name.openai.azure.us"}, "https://name.openai.azure.us/openai/v1"),
    ],
)
def test_an_address_is_completed(written, base):
    assert access(AzureOpenAISettings(**written)).base_url == base


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({}, "endpoint is missing"),
        ({"endpoint": "name.openai.azure.com"}, "must begin with https://"),
        ({"endpoint": "https://[name"}, "must begin with https://"),
        ({"endpoint": "https://name:port"}, "must begin with https://"),
        ({"endpoint": "https://me:key@name.openai.azure.com"}, "user or a password"),
        ({"endpoint": f"{HOST}/openai/deployments/chat-prod"}, "the deployment in models"),
        ({"endpoint": HOST, "api_version": "2024"}, "neither a dated version"),
    ],
)
def test_an_unusable_address_is_refused_with_a_reason(written, why):
    with pytest.raises(ConfigurationError, match=why):
        AzureOpenAISettings(**written)


def test_the_key_is_sent_in_the_declared_header():
    plain = access(AzureOpenAISettings(endpoint=HOST)).auth
    assert plain == StaticHeader("api-key", Secret(reference="env:AZURE_OPENAI_API_KEY"))
    gateway = access(AzureOpenAISettings(endpoint=HOST, key_header="Ocp-Apim-Subscription-Key")).auth
    assert gateway.name == "Ocp-Apim-Subscription-Key"
    assert isinstance(access(AzureOpenAISettings(endpoint=HOST, key_header="")).auth, NoAuth)


def test_one_identity_is_chosen():
    identity = AzureIdentity(AzureCredentials())
    assert isinstance(access(AzureOpenAISettings(endpoint=HOST, credentials=identity)).auth, Bearer)
    with pytest.raises(ConfigurationError, match="both api_key and credentials"):
        AzureOpenAISettings(endpoint=HOST, credentials=identity, api_key=Secret("k"))


@pytest.mark.parametrize(
    ("version", "limit", "usage"),
    [
        (None, "max_completion_tokens", True),
        ("2024-10-21", "max_completion_tokens", True),
        ("2024-09-01-preview", "max_completion_tokens", True),
        ("2024-06-01", "max_tokens", False),
        ("2023-05-15", "max_tokens", False),
    ],
)
def test_an_old_version_is_not_sent_newer_options(version, limit, usage):
    settings = AzureOpenAISettings(endpoint=HOST, api_version=version)
    dialect = dialect_of(ModelRef("chat-prod", settings=settings))
    assert (dialect.max_tokens, dialect.usage_option) == (limit, usage)

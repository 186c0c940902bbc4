"""Keys that only the environment names go to nobody but their own provider, whichever it is."""

from __future__ import annotations

import contextlib

import pytest

from jackfield import ConfigurationError, JackfieldError, Mesh, Registry
from jackfield.testing import Answer, RecordingServer

CANARY = "sk-canary-of-the-environment-77"
VARIABLES = (
    "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "CO_API_KEY", "COHERE_API_KEY", "MISTRAL_API_KEY", "AZURE_OPENAI_API_KEY",
    "AZURE_AI_KEY", "DATABRICKS_TOKEN", "SNOWFLAKE_TOKEN", "AWS_BEARER_TOKEN_BEDROCK",
)  # fmt: skip
DEPLOYED = [{"id": "m", "underlying": "openai:gpt-4o", "kind": "chat"}]

# What a connection to somebody else's server says beside its address, and which key it has to name.
FOREIGN = {
    "openai": ("base_url", {}, "api_key"),
    "anthropic": ("base_url", {}, "api_key"),
    "cohere": ("base_url", {}, "api_key"),
    "mistral": ("base_url", {}, "api_key"),
    "azure-openai": ("base_url", {"endpoint": "https://n.openai.azure.com", "models": DEPLOYED}, "api_key"),
    "azure-llm": (
        "base_url",
        {"target_uri": "https://n.services.ai.azure.com", "models": DEPLOYED},
        "api_key",
    ),
    "databricks": ("base_url", {"host": "https://dbc-1.cloud.databricks.com"}, "token"),
    "snowflake": ("base_url", {"account": "org-name"}, "token"),
    "bedrock": ("base_url", {"region": "eu-central-1"}, "api_key"),
    "vertex": ("base_url", {"project": "p"}, "api_key"),
}
MODELS = {"anthropic": "claude-sonnet-4-5", "bedrock": "amazon.nova-lite-v1:0", "vertex": "gemini-2.5-flash"}


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, CANARY)


@pytest.fixture(params=FOREIGN)
def provider(request):
    if not Registry.installed().has_provider(request.param):
        pytest.skip(f"jackfield-{request.param} is not installed")
    return request.param


def declared(provider, address, **keys):
    name, more, _ = FOREIGN[provider]
    table = {"provider": provider, name: address, "retry": {"attempts": 1}, **more, **keys}
    return {"connections": {"c": table}}


@pytest.mark.parametrize(
    "address",
    [
        "http://10.0.0.1:8000",
        "https://gateway.example",
        "https://api.openai.com.evil.example",
        "https://evil.example/api.openai.com",
        "https://eviloperopenai.azure.com.example",
        "http://api.openai.com",
    ],
)
def test_a_key_of_the_environment_is_refused_to_a_foreign_address(provider, address):
    if provider == "vertex":
        pytest.skip("it has no key of the environment")
    key = FOREIGN[provider][2]
    with pytest.raises(ConfigurationError) as caught:
        Mesh.from_config(declared(provider, address))
    assert f'{key} = "none"' in caught.value.message
    assert CANARY not in caught.value.message


@pytest.mark.parametrize("none", ["none", False, None])
async def test_nothing_is_sent_where_none_is_declared_or_the_server_is_on_this_machine(provider, none):
    if none is None and provider in ("bedrock", "vertex"):
        pytest.skip("it signs, or asks for the identity of the machine")
    keys = {} if none is None else {FOREIGN[provider][2]: none}
    async with RecordingServer() as server:
        server.route("*", "*", Answer.json({"error": {"message": "no"}}, status=400))
        async with Mesh.from_config(declared(provider, server.url, **keys)) as mesh:
            with pytest.raises(JackfieldError):
                await mesh.chat(f"c:{MODELS.get(provider, 'm')}", "Hi")
            with contextlib.suppress(JackfieldError):
                await mesh.models("c")
            told = mesh.explain(f"c:{MODELS.get(provider, 'm')}", "Hi")
    assert server.requests
    proofs = {"authorization", "x-api-key", "api-key", "x-goog-api-key"}
    for request in server.requests:
        assert not proofs & {name.lower() for name in request.headers}
        assert CANARY not in repr(request)
    assert not proofs & {name.lower() for name in told.headers}


async def test_a_key_that_is_named_is_sent_to_any_address(provider):
    key = FOREIGN[provider][2]
    async with RecordingServer() as server:
        server.route("*", "*", Answer.json({"error": {"message": "no"}}, status=400))
        async with Mesh.from_config(declared(provider, server.url, **{key: f"env:{VARIABLES[0]}"})) as mesh:
            with pytest.raises(JackfieldError):
                await mesh.chat(f"c:{MODELS.get(provider, 'm')}", "Hi")
    assert any(CANARY in value for value in server.requests[0].headers.values())


@pytest.mark.parametrize(
    ("provider", "address"),
    [
        ("openai", "https://eu.api.openai.com/v1"),
        ("openai", "https://api.openai.com:443/v1"),
        ("mistral", "https://api.eu.mistral.ai"),
        ("anthropic", "https://api.anthropic.com/"),
        ("cohere", "https://API.cohere.com"),
        ("azure-openai", "https://name.openai.azure.com"),
        ("azure-openai", "https://name.services.ai.azure.com/openai/v1"),
        ("azure-llm", "https://name.eastus2.models.ai.azure.com"),
        ("azure-llm", "https://name.services.ai.azure.com/models"),
        ("databricks", "https://dbc-1.cloud.databricks.com"),
        ("databricks", "https://adb-1.2.azuredatabricks.net"),
        ("snowflake", "https://org-name.privatelink.snowflakecomputing.com"),
    ],
)
def test_the_default_goes_to_the_providers_own_hosts(provider, address):
    if not Registry.installed().has_provider(provider):
        pytest.skip(f"jackfield-{provider} is not installed")
    Mesh.from_config(declared(provider, address))


@pytest.mark.parametrize(
    ("provider", "keys"),
    [
        ("azure-openai", {"endpoint": "https://gateway.corp.example", "models": DEPLOYED}),
        ("azure-llm", {"target_uri": "https://llm.corp.example/v1", "models": DEPLOYED}),
        ("databricks", {"host": "https://workspace.corp.example"}),
    ],
)
def test_an_address_of_the_customers_own_may_have_any_host(provider, keys):
    if not Registry.installed().has_provider(provider):
        pytest.skip(f"jackfield-{provider} is not installed")
    Mesh.from_config({"connections": {"c": {"provider": provider, **keys}}})

"""Mistakes in the configuration are reported all at once, when it is loaded."""

from urllib.parse import parse_qs

import pytest
from mistakes import every_type_is_told, mistakes_of, told_alone_and_together

from jackfield import Mesh
from jackfield.testing import Answer, RecordingServer
from jackfield_azure_llm._settings import AzureLLMModelKeys, AzureLLMSettings

RESOURCE = "https://name.services.ai.azure.com"
URI = "https://name.eastus.models.ai.azure.com"
ENTRY = {"id": "m", "underlying": "deepseek-r1"}


def declared(values):
    connection = {"provider": "azure-llm", "target_uri": URI, "models": [ENTRY], **values}
    return {"credentials": {"a": {"kind": "azure"}}, "connections": {"z": connection}}


def with_entry(values):
    return declared({"models": [{**ENTRY, **values}]})


def test_wrong_types_of_all_keys_are_reported_at_once():
    config = declared({})
    every_type_is_told(AzureLLMSettings, config, config["connections"]["z"], "connections.z")
    entry = dict(ENTRY)
    every_type_is_told(AzureLLMModelKeys, declared({"models": [entry]}), entry, "connections.z.models[0]")


def test_each_mistake_is_reported_alone_and_with_the_others():
    told_alone_and_together(
        declared,
        [
            ({"target_uri": "my-endpoint"}, "has no full host name"),
            ({"target_uri": "https://ml.azure.com/x"}, "is a page of the portal"),
            ({"credentials": "a", "api_key": "env:K"}, "has both api_key and credentials"),
        ],
    )
    told_alone_and_together(
        with_entry,
        [
            ({"target_uri": "ftp://x.y"}, "must begin with https://"),
            ({"deployment": "my deployment"}, "deployment must be"),
        ],
    )


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"route": "message"}, "the routes of azure-llm are chat, messages, responses"),
        ({"target_uri": f"{RESOURCE}/anthropic", "route": "chat"}, "is that of Anthropic's Messages API"),
    ],
)
def test_a_route_that_cannot_be_is_reported(values, why):
    assert why in mistakes_of(with_entry(values))


def test_every_entry_without_an_address_is_reported():
    entries = [{**ENTRY, "id": "one"}, {**ENTRY, "id": "two"}]
    said = mistakes_of({"connections": {"z": {"provider": "azure-llm", "models": entries}}})
    assert "models[one] has no target_uri" in said
    assert "models[two] has no target_uri" in said


def test_mistakes_of_the_connection_and_of_its_entries_are_reported_together():
    said = mistakes_of(declared({"target_uri": "x", "models": [{**ENTRY, "deployment": "a b"}]}))
    assert "connections.z: the target URI 'x'" in said
    assert "connections.z.models[0]: deployment must be" in said


@pytest.mark.parametrize(
    ("uri", "scope"),
    [
        ("https://x.services.ai.azure.com/models", "https://ai.azure.com"),
        ("https://x.services.ai.azure.us/models", "https://cognitiveservices.azure.us"),
        ("https://x.cognitiveservices.azure.cn", "https://cognitiveservices.azure.cn"),
        ("https://x.eastus.models.ai.azure.com", "https://ml.azure.com"),
        ("https://x.usgovvirginia.inference.ml.azure.us/score", "https://ml.azure.us"),
        ("https://x.chinaeast2.inference.ml.azure.cn/score", "https://ml.azure.cn"),
    ],
)
async def test_tokens_are_asked_for_the_endpoints_cloud(uri, scope):
    async with RecordingServer() as login, RecordingServer() as service:
        login.answer(Answer.json({"access_token": "t", "expires_in": 3600}))
        service.answer(Answer.json({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}))
        config = declared({"target_uri": uri, "base_url": service.url, "credentials": "a"})
        identity = {"tenant_id": "t", "client_id": "c", "client_secret": "env:SECRET", "authority": login.url}
        config["credentials"]["a"] |= identity
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SECRET", "s")
            async with Mesh.from_config(config) as mesh:
                await mesh.chat("z:m", "Hi")
        form = parse_qs(login.requests[0].body.decode())
        assert service.requests[0].headers["authorization"] == "Bearer t"
    assert form["scope"] == [f"{scope}/.default"]

"""Mistakes in the configuration are reported all at once, when it is loaded."""

import pytest
from mistakes import every_type_is_told, mistakes_of, told_alone_and_together

from jackfield import Mesh
from jackfield_azure_openai._credentials import AzureCredentials
from jackfield_azure_openai._settings import AzureModelKeys, AzureOpenAISettings

HOST = "https://name.openai.azure.com"
ENTRY = {"id": "m", "underlying": "gpt-4o"}


def declared(values):
    connection = {"provider": "azure-openai", "endpoint": HOST, "models": [ENTRY], **values}
    return {"credentials": {"a": {"kind": "azure"}}, "connections": {"z": connection}}


def identity(values):
    return {"credentials": {"a": {"kind": "azure", **values}}, "connections": {}}


def test_wrong_types_of_all_keys_are_reported_at_once():
    config = declared({})
    every_type_is_told(AzureOpenAISettings, config, config["connections"]["z"], "connections.z")
    config = identity({})
    every_type_is_told(AzureCredentials, config, config["credentials"]["a"], "credentials.a")
    entry = dict(ENTRY)
    every_type_is_told(AzureModelKeys, declared({"models": [entry]}), entry, "connections.z.models[0]")


def test_each_mistake_is_reported_alone_and_with_the_others():
    told_alone_and_together(
        declared,
        [
            ({"endpoint": "name.openai.azure.com"}, "must begin with https://"),
            ({"endpoint": f"{HOST}/openai/deployments/x"}, "belongs to a deployment"),
            ({"endpoint": f"{HOST}?api-version=1"}, "api_version '1'"),
            ({"api_version": "2024"}, "api_version '2024' is neither a dated version"),
            ({"api_version": "2024-13-01"}, "api_version '2024-13-01'"),
            ({"api_version": "2024-10-21-previev"}, "api_version '2024-10-21-previev'"),
            ({"key_header": "api key"}, "key_header must be the name of a header"),
            ({"credentials": "a", "api_key": "env:K"}, "has both api_key and credentials"),
        ],
    )
    told_alone_and_together(
        identity,
        [
            ({"tenant_id": "my tenant"}, "tenant_id must be"),
            ({"authority": "login.microsoftonline.com"}, "authority must begin with https://"),
            ({"authority": "https://[x"}, "authority must begin with https://"),
            ({"client_secret": "env:S"}, "needs tenant_id and client_id"),
            ({"token": "env:T", "client_secret": "env:S"}, "has more than one of"),
        ],
    )


def test_a_missing_endpoint_hides_no_other_mistake():
    said = mistakes_of(
        {
            "connections": {
                "z": {"provider": "azure-openai", "api_version": "x", "key_header": "a b", "models": []}
            }
        }
    )
    assert "endpoint is missing" in said
    assert "api_version 'x'" in said
    assert "key_header" in said


@pytest.mark.parametrize("version", ["2024-10-21", "2030-01-01-preview", "v1", "preview", "latest", ""])
def test_every_form_of_a_version_passes(version):
    assert Mesh.from_config(declared({"api_version": version})).connections

"""`config validate`: warns of what loads and will fail, and of nothing else."""

import json

import pytest

from jackfield import Registry

IDENTITIES = """
[credentials.entra]
kind = "azure"
tenant_id = "t"
client_id = "c"
client_secret = "env:THE_SECRET"

[credentials.google-key]
kind = "google"
key = "file:missing.json"

[connections.azure]
provider = "azure-openai"
endpoint = "https://name.openai.azure.com"
credentials = "entra"
models = [{ id = "m", underlying = "openai:gpt-4o" }]

[connections.vertex]
provider = "vertex"
project = "p"
location = "us-central1"
credentials = "google-key"
"""


@pytest.fixture
def warnings(command, monkeypatch):
    for name in ("AZURE_OPENAI_API_KEY", "THE_SECRET", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def validate(text):
        command.configure(text)
        result = command("config", "validate", "--json", registry=Registry.installed())
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)["warnings"]

    return validate


def test_the_secrets_of_an_identity_are_looked_at_and_keys_that_are_not_used_are_not(warnings, monkeypatch):
    client, key = warnings(IDENTITIES)
    assert client.startswith(
        "credentials.entra.client_secret: the environment variable THE_SECRET is not set"
    )
    assert key.startswith("credentials.google-key.key: the secret file")
    assert "missing.json" in key
    monkeypatch.setenv("THE_SECRET", "s")
    assert len(warnings(IDENTITIES)) == 1


def test_an_identity_that_no_connection_names(warnings):
    (line,) = warnings('[credentials.spare]\nkind = "azure"\n')
    assert line == "credentials.spare: no connection names it"


def with_models(models, provider="openai", more='api_key = "none"'):
    return f'[connections.c]\nprovider = "{provider}"\n{more}\nmodels = [{models}]\n'


def test_options_that_the_models_own_table_refuses(warnings):
    (line,) = warnings(with_models('{ id = "gpt-5-mini", options = { temperature = 2 } }'))
    assert line.startswith("connections.c.models[gpt-5-mini]: every call is refused:")
    assert "temperature" in line


@pytest.mark.parametrize(
    "models",
    [
        '{ id = "gpt-4o", options = { temperature = 1 } }',
        '{ id = "text-embedding-3-small", options = { dimensions = 256 } }',
        '{ id = "something-of-mine", options = { temperature = 1 } }',
        '"gpt-4o-2024-11-20", "gpt-5-*", "my-own-model"',
        '{ id = "gpt-99" }',
    ],
)
def test_what_may_be_right_is_not_doubted(warnings, models):
    assert warnings(with_models(models)) == []


def test_a_slip_in_the_name_of_a_model(warnings):
    (line,) = warnings(with_models('"gpt5-mini"'))
    assert line == "connections.c.models[gpt5-mini]: no such model is known; did you mean 'gpt-5-mini'?"


def test_the_resource_of_another_region(warnings):
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/x"
    (line,) = warnings(with_models(f'"{arn}"', "bedrock", 'region = "eu-central-1"'))
    assert "is in us-east-1, and the connection in eu-central-1" in line

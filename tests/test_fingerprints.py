"""What decides who answers is in the fingerprint of a connection, whichever plugin it is of: a cache relies on it."""

from __future__ import annotations

import asyncio
import copy

import attrs
import pytest

from jackfield import Mesh, Registry, Secret
from jackfield._calls import fingerprint as fingerprints
from jackfield._calls.fingerprint import ConnectionFingerprint

CONNECTIONS = {
    "anthropic": {},
    "azure-llm": {
        "target_uri": "https://a.services.ai.azure.com/v1",
        "models": [{"id": "m", "underlying": "gpt-4o"}],
    },
    "azure-openai": {
        "endpoint": "https://a.openai.azure.com",
        "models": [{"id": "m", "underlying": "gpt-4o"}],
    },
    "bedrock": {"region": "eu-central-1"},
    "cohere": {},
    "databricks": {"host": "https://a.cloud.databricks.com", "models": ["m"]},
    "mistral": {},
    "onnx": {},
    "openai": {},
    "sagemaker": {
        "models": [{"id": "m", "mode": "openai", "kind": "chat", "price": {"input": "1", "output": "1"}}]
    },
    "snowflake": {"account": "org-a"},
    "vertex": {"project": "p"},
}
REGISTRY = Registry.installed()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Spare the arithmetic that makes guessing slow."""
    monkeypatch.setattr(fingerprints, "_ROUNDS", 1)
    fingerprints._stretch.cache_clear()
    yield
    fingerprints._stretch.cache_clear()


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """Leave the machine's own identities out."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("SNOWFLAKE_HOME", str(tmp_path))


def declared(provider, tables=None, **more):
    connection = {"provider": provider, **CONNECTIONS[provider], **more}
    config = {"connections": {"c": connection}, **(tables or {})}
    return Mesh.from_config(config, registry=REGISTRY).connections["c"]


def digest(config):
    return asyncio.run(ConnectionFingerprint(config, REGISTRY).digest("m"))


def test_every_provider_is_tried():
    assert set(REGISTRY.provider_ids()) <= CONNECTIONS.keys()


@pytest.mark.parametrize("provider", CONNECTIONS)
def test_every_setting_of_a_provider_counts(provider):
    config = attrs.evolve(declared(provider), provider=None)  # the settings alone
    unchanged = digest(config)
    assert digest(config) == unchanged
    for field in attrs.fields(type(config.settings)):
        if field.name in {
            "models",
            "timeout",
            "max_response",
        }:  # entries count for their own calls, limits for none
            continue
        settings = copy.copy(config.settings)
        object.__setattr__(settings, field.name, Secret("another") if "key" in field.name else "another")
        assert digest(attrs.evolve(config, settings=settings)) != unchanged, field.name


def by_environment(**variables):
    def change(monkeypatch, tmp_path):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return change


def by_file(name, text):
    def change(monkeypatch, tmp_path):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")

    return change


GOOGLE = {"credentials": {"g": {"kind": "google"}}}
AZURE = {"credentials": {"a": {"kind": "azure"}}}
DATABRICKS = {"credentials": {"d": {"kind": "databricks"}}}
SNOWFLAKE = {"credentials": {"s": {"kind": "snowflake", "connection": "prod"}}}
AWS = {"credentials": {"a": {"kind": "aws", "profile": "prod"}}}


@pytest.mark.parametrize(
    ("provider", "more", "change"),
    [
        ("sagemaker", {}, by_environment(AWS_REGION="us-east-1")),
        ("sagemaker", {}, by_environment(AWS_PROFILE="other")),
        ("sagemaker", {}, by_environment(AWS_ACCESS_KEY_ID="AKIAOTHER")),
        ("sagemaker", {}, by_file(".aws/credentials", "[default]\naws_access_key_id = AKIAOTHER\n")),
        (
            "sagemaker",
            {"models": [{**CONNECTIONS["sagemaker"]["models"][0], "asynchronous": {}}]},
            by_environment(AWS_REGION="us-east-1"),
        ),
        ("bedrock", {}, by_environment(AWS_PROFILE="other")),
        ("bedrock", {}, by_environment(AWS_BEARER_TOKEN_BEDROCK="another")),
        (
            "bedrock",
            {"tables": AWS, "credentials": "a"},
            by_file(".aws/config", "[profile prod]\nrole_arn = arn:aws:iam::123456789012:role/x\n"),
        ),
        ("vertex", {}, by_environment(GOOGLE_APPLICATION_CREDENTIALS="/other.json")),
        (
            "vertex",
            {"tables": GOOGLE, "credentials": "g"},
            by_environment(GOOGLE_APPLICATION_CREDENTIALS="/o"),
        ),
        ("vertex", {}, by_environment(GOOGLE_CLOUD_LOCATION="us")),
        ("azure-openai", {"tables": AZURE, "credentials": "a"}, by_environment(AZURE_TENANT_ID="other")),
        (
            "databricks",
            {"tables": DATABRICKS, "credentials": "d"},
            by_environment(DATABRICKS_CONFIG_PROFILE="other"),
        ),
        (
            "snowflake",
            {"tables": SNOWFLAKE, "credentials": "s"},
            by_file("connections.toml", '[prod]\naccount = "org-b"\nuser = "u"\n'),
        ),
        ("cohere", {}, by_environment(COHERE_API_KEY="another")),
        ("openai", {}, by_environment(OPENAI_API_KEY="another")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_machine_decides_counts(provider, more, change, monkeypatch, tmp_path):
    before, again = digest(declared(provider, **more)), digest(declared(provider, **more))
    change(monkeypatch, tmp_path)
    assert digest(declared(provider, **more)) != before
    assert again == before or provider == "snowflake"  # whose file was not there yet


def test_an_identity_of_a_file_that_is_there_is_the_same_each_time(tmp_path):
    (tmp_path / "connections.toml").write_text('[prod]\naccount = "org-b"\nuser = "u"\n', "utf-8")
    more = {"tables": SNOWFLAKE, "credentials": "s"}
    assert digest(declared("snowflake", **more)) == digest(declared("snowflake", **more))


def test_an_identity_that_a_program_brings_is_the_same_each_time():
    from jackfield_aws import AwsCredentials, AwsIdentity

    def of(role):
        return digest(declared("bedrock", credentials=AwsIdentity(AwsCredentials(role_arn=role))))

    one, other = (f"arn:aws:iam::123456789012:role/{name}" for name in ("one", "other"))
    assert of(one) == of(one) != of(other)

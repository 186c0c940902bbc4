"""What is wrong with a configuration is told at once, when it is loaded."""

import pytest
from mistakes import every_type_is_told, mistakes_of, told_alone_and_together

from jackfield import Mesh
from jackfield_bedrock._settings import BedrockSettings, ModelKeys

ARN = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc"


def declared(values):
    return {
        "credentials": {"a": {"kind": "aws"}},
        "connections": {"b": {"provider": "bedrock", "region": "eu-central-1", **values}},
    }


def test_a_wrong_type_of_every_key_is_told_at_once():
    config = declared({})
    table = config["connections"]["b"]
    every_type_is_told(BedrockSettings, config, table, "connections.b")


def test_a_wrong_type_of_every_key_of_an_entry_is_told_at_once():
    entry = {"id": "m"}
    every_type_is_told(ModelKeys, declared({"models": [entry]}), entry, "connections.b.models[0]")


def test_a_wrong_word_is_told_with_those_that_are_known():
    said = mistakes_of(
        declared(
            {"service_tier": "flx", "latency": "fast", "guardrail_trace": "on", "guardrail_stream": "no"}
        )
    )
    assert (
        'connections.b.service_tier: must be one of "default", "priority", "flex", "reserved", not "flx"'
        in said
    )
    assert 'connections.b.latency: must be one of "standard", "optimized", not "fast"' in said
    assert (
        'connections.b.guardrail_trace: must be one of "enabled", "disabled", "enabled_full", not "on"'
        in said
    )
    assert 'connections.b.guardrail_stream: must be one of "sync", "async", not "no"' in said


WRONG = [
    ({"region": "Frankfurt"}, "region must be a region such as \"eu-central-1\", not 'Frankfurt'"),
    ({"region": "eu-central-1a"}, "not 'eu-central-1a'; write \"eu-central-1\""),
    ({"region": "EU-CENTRAL-1"}, '; write "eu-central-1"'),
    ({"region": "europe-west4"}, "region must be"),
    ({"region": ""}, "region must be"),
    ({"inference_profile": "EU!"}, 'inference_profile must be a prefix such as "eu"'),
    ({"inference_profile": "arn:aws:iam::1:role/x"}, "inference_profile must be"),
    ({"guardrail_id": "My Guardrail", "guardrail_version": "one"}, "guardrail_id must be a guardrail's id"),
    ({"guardrail_id": "My Guardrail", "guardrail_version": "one"}, "guardrail_version must be a number"),
    ({"request_metadata": {"team": "a|b"}}, "request_metadata may have up to 16 labels of letters"),
    (
        {"request_metadata": {f"k{n}": "v" for n in range(17)}},
        "request_metadata may have up to 16 labels of letters",
    ),
    ({"fips": True, "base_url": "https://x.example"}, "fips chooses a host, and base_url replaces it"),
    ({"dual_stack": True, "base_url": "https://x.example"}, "dual_stack chooses a host"),
    (
        {"region": "us-east-1", "base_url": "https://bedrock-runtime.eu-west-1.amazonaws.com"},
        "base_url is in eu-west-1, and region is us-east-1",
    ),
    ({"api_key": "env:X", "credentials": "a"}, "two ways to authenticate"),
]


def test_every_wrong_form_is_told_alone_and_with_the_others():
    told_alone_and_together(declared, WRONG)
    told_alone_and_together(
        declared,
        [
            ({"guardrail_version": "1"}, "a guardrail requires guardrail_id and guardrail_version"),
        ],
    )


@pytest.mark.parametrize(
    "values",
    [
        {"region": "us-gov-west-1"},
        {"region": "eusc-de-east-1"},
        {"region": "atlantis-south-12"},  # one that nobody has heard of yet
        {"inference_profile": "us-gov"},
        {"inference_profile": "global."},
        {"inference_profile": ARN},
        {"guardrail_id": "g1abc", "guardrail_version": "DRAFT", "guardrail_stream": "async"},
        {"request_metadata": {"team": "a b/c", "empty": ""}},
        {"models": [{"id": "m", "inference_profile": ""}]},
        {"guardrail_trace": "enabled"},
    ],
)
def test_what_is_well_formed_passes(values):
    assert Mesh.from_config(declared(values)).connections


def test_a_profile_of_an_entry_is_checked_too():
    said = mistakes_of(declared({"models": [{"id": "m", "inference_profile": "EU!"}]}))
    assert "connections.b.models[0]: inference_profile must be" in said

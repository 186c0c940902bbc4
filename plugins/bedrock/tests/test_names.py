"""Ids of models: their names in the tables, their paths."""

import pytest
from bedrock_requests import CLAUDE, HI

import jackfield_bedrock
from jackfield.plugin import ChatRequest, CountRequest, ModelRef
from jackfield.testing import translated
from jackfield_bedrock._names import bare_id, claude_name, cohere_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (CLAUDE, CLAUDE),
        (f"eu.{CLAUDE}", CLAUDE),
        (f"us-gov.{CLAUDE}", CLAUDE),
        (f"arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.{CLAUDE}", CLAUDE),
        (f"arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/{CLAUDE}", CLAUDE),
        *(
            (f"{place}.{CLAUDE}", CLAUDE)
            for place in ("us", "eu", "apac", "global", "jp", "au", "us-gov", "ca", "sa")
        ),
        *(
            (f"{place}.newmaker.model-v1:0", "newmaker.model-v1:0")
            for place in ("us", "global", "jp", "us-gov")
        ),
        ("newmaker.model.v1:0", "newmaker.model.v1:0"),
        (f"arn:aws:bedrock:us-east-1:aws:inference-profile/global.{CLAUDE}", CLAUDE),
        ("arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc", ""),
        ("arn:aws:bedrock:eu-central-1:123456789012:provisioned-model/abc", ""),
        ("arn:aws:sagemaker:eu-central-1:123456789012:endpoint/x", ""),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001"),
    ],
)
def test_an_id_is_read_behind_its_region_and_out_of_its_arn(name, expected):
    assert bare_id(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (CLAUDE, "claude-sonnet-4-5-20250929"),
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet-20241022"),
        ("anthropic.claude-3-haiku-20240307-v1:0:200k", "claude-3-haiku-20240307"),
        ("anthropic.claude-v2:1", "claude-2.1"),
        ("anthropic.claude-v2:1:200k", "claude-2.1"),
        ("anthropic.claude-v2", "claude-2"),
        ("anthropic.claude-instant-v1", "claude-instant-1"),
        ("global.anthropic.claude-opus-4-8", "claude-opus-4-8"),
    ],
)
def test_claude_is_known_by_its_makers_names(name, expected):
    assert claude_name(name) == expected


def test_coheres_embeddings_are_known_by_their_makers_names():
    assert cohere_name("cohere.embed-english-v3") == "embed-english-v3.0"
    assert cohere_name("us.cohere.embed-v4:0") == "embed-v4.0"
    assert (
        jackfield_bedrock.jackfield_capabilities(ModelRef("cohere.embed-english-v3")).limits.max_inputs == 96
    )


PROFILE = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc"


@pytest.mark.parametrize(
    "underlying",
    [
        f"bedrock:{CLAUDE}",
        f"bedrock:us.{CLAUDE}",
        f"bedrock:arn:aws:bedrock:us-east-1::foundation-model/{CLAUDE}",
    ],
)
def test_tokens_of_an_application_profile_are_counted_by_its_model(underlying):
    """The operation takes models alone; prices and capabilities are those of the model too."""
    model = ModelRef(PROFILE, underlying=underlying)
    counted = translated(jackfield_bedrock, model, CountRequest(HI))
    assert counted.wire.path == f"/model/{CLAUDE.replace(':', '%3A')}/count-tokens"
    asked = translated(jackfield_bedrock, model, ChatRequest(HI))
    assert "application-inference-profile" in asked.wire.path
    known = jackfield_bedrock.jackfield_capabilities(model)
    assert known == jackfield_bedrock.jackfield_capabilities(ModelRef(CLAUDE))


@pytest.mark.parametrize(
    "model", [f"eu.{CLAUDE}", f"arn:aws:bedrock:us-east-1:1:inference-profile/us.{CLAUDE}", CLAUDE]
)
def test_tokens_are_counted_by_the_model_of_a_profile(model):
    counted = translated(jackfield_bedrock, ModelRef(model), CountRequest(HI))
    assert counted.wire.path == f"/model/{CLAUDE.replace(':', '%3A')}/count-tokens"


@pytest.mark.parametrize("underlying", [None, "anthropic:claude-sonnet-4-5"])
def test_what_does_not_name_a_model_of_bedrock_is_sent_as_it_is(underlying):
    counted = translated(jackfield_bedrock, ModelRef(PROFILE, underlying=underlying), CountRequest(HI))
    assert "application-inference-profile" in counted.wire.path

"""Ids of models: their names in the tables, their paths."""

import pytest
from bedrock_requests import CLAUDE

import jackfield_bedrock
from jackfield.plugin import ModelRef
from jackfield_bedrock._names import bare_id, claude_name, cohere_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (CLAUDE, CLAUDE),
        (f"eu.{CLAUDE}", CLAUDE),
        (f"us-gov.{CLAUDE}", CLAUDE),
        (f"arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.{CLAUDE}", CLAUDE),
        (f"arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/{CLAUDE}", CLAUDE),
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

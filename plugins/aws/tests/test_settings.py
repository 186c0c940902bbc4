"""What is wrong with a declared identity is told at once, when the configuration is loaded."""

import pytest
from mistakes import every_type_is_told, told_alone_and_together

from jackfield_aws import AwsCredentials, region_fault

ROLE = "arn:aws:iam::123456789012:role/reader"


def declared(values):
    return {"credentials": {"a": {"kind": "aws", **values}}, "connections": {}}


def test_a_wrong_type_of_every_key_is_told_at_once():
    config = declared({})
    every_type_is_told(AwsCredentials, config, config["credentials"]["a"], "credentials.a")


WRONG = [
    ({"region": "Frankfurt"}, "region must be a region"),
    ({"access_key_id": "env:A"}, "belong together"),
    ({"profile": " "}, "profile is empty"),
    ({"role_arn": "reader"}, "role_arn must be a role's ARN"),
    ({"role_arn": "reader", "duration": 60}, "duration must be 900 to 43200 seconds, not 60"),
    ({"role_arn": "reader", "role_session_name": "a b"}, "role_session_name must be"),
    ({"role_arn": "reader", "external_id": "a b"}, "external_id must be"),
    ({"web_identity_token_file": "token", "external_id": "a b"}, "cannot be used with web identities"),
    ({"web_identity_token_file": "token", "profile": " "}, "contains several identities"),
]


def test_every_wrong_form_is_told_alone_and_with_the_others():
    told_alone_and_together(declared, WRONG)
    told_alone_and_together(declared, [({"session_token": "env:T"}, "session_token requires access_key_id"),
                                       ({"external_id": "ok", "duration": 900}, "role_arn is required for external_id and duration")])  # fmt: skip


@pytest.mark.parametrize(
    ("region", "meant"),
    [
        ("eu-centrall-1", "eu-central-1"),
        ("us-gov-wst-1", "us-gov-west-1"),
        ("ap-souteast-2", "ap-southeast-2"),
    ],
)
def test_a_misspelt_direction_is_named(region, meant):
    assert region_fault(region) == f'there is no region {region!r}; did you mean "{meant}"?'


@pytest.mark.parametrize(
    "region",
    ["eu-central-1", "us-gov-west-1", "eusc-de-east-1", "us-isob-east-1", "xx-new-northwest-7", "eu-moon-1"],
)
def test_a_region_may_be_newer_than_this(region):
    assert region_fault(region) is None

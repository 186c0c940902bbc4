"""What is wrong with a configuration is told at once, when it is loaded."""

import pytest
from mistakes import every_type_is_told, mistakes_of, told_alone_and_together

from jackfield import Mesh
from jackfield_snowflake._credentials import SnowflakeCredentials
from jackfield_snowflake._settings import ModelKeys, SnowflakeSettings


def declared(values):
    return {"connections": {"s": {"provider": "snowflake", "account": "org-account", **values}}}


def identity(values):
    return {"credentials": {"k": {"kind": "snowflake", **values}}, "connections": {}}


def test_a_wrong_type_of_every_key_is_told_at_once():
    config = declared({})
    every_type_is_told(SnowflakeSettings, config, config["connections"]["s"], "connections.s")
    config = identity({})
    every_type_is_told(SnowflakeCredentials, config, config["credentials"]["k"], "credentials.k")
    entry = {"id": "m"}
    every_type_is_told(ModelKeys, declared({"models": [entry]}), entry, "connections.s.models[0]")


def test_a_wrong_word_is_told_with_those_that_are_known():
    said = mistakes_of(declared({"route": "opnai", "token_type": "jwt"}))
    assert 'connections.s.route: must be one of "openai"' in said
    assert 'connections.s.token_type: must be one of "pat", "oauth", not "jwt"' in said


def test_every_wrong_form_is_told_alone_and_with_the_others():
    told_alone_and_together(
        declared,
        [
            ({"account": "https://org-account.snowflakecomputing.com/x"}, 'write account = "org-account"'),
            ({"account": "my account"}, "account must be a name such as"),
            ({"account": ""}, "account must be a name such as"),
            ({"account": "user@org"}, "account must be a name such as"),
            ({"role": "r", "warehouse": "w"}, "role and warehouse apply to sessions"),
            ({"sessions": 0}, "sessions must be 1 or more, not 0"),
        ],
    )
    told_alone_and_together(
        identity,
        [
            ({"private_key": "file:k"}, "needs user with private_key"),
            ({"private_key": "file:k", "account": "a b"}, "account must be a name"),
            ({"private_key": "file:k", "token": "env:T"}, "has several identities"),
            ({"host": "https://x"}, "host must be a host name"),
            ({"mfa": True}, "mfa need"),
        ],
    )
    rates = {"input": "much", "outptu": "1", "guard": "NaN"}
    said = mistakes_of(declared({"models": [{"id": "m", "credits": rates}]}))
    assert "credits.input must be an amount" in said
    assert "not 'outptu'" in said
    assert "credits.guard must be an amount" in said


@pytest.mark.parametrize(
    "account", ["xy12345", "xy12345.eu-central-1", "xy12345.us-gov-west-1.aws", "ORG-my_account"]
)
def test_every_form_of_an_account_passes(account):
    assert Mesh.from_config(declared({"account": account})).connections

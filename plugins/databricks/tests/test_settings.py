"""Mistakes in the configuration are reported all at once, when it is loaded."""

import pytest
from mistakes import every_type_is_told, told_alone_and_together

from jackfield import Mesh, Secret
from jackfield_databricks._credentials import DatabricksCredentials
from jackfield_databricks._settings import DatabricksSettings


def declared(values):
    return {"connections": {"d": {"provider": "databricks", "host": "https://dbc-1.example", **values}}}


def identity(values):
    return {"credentials": {"a": {"kind": "databricks", **values}}, "connections": {}}


def test_wrong_types_of_all_keys_are_reported_at_once():
    config = declared({})
    every_type_is_told(DatabricksSettings, config, config["connections"]["d"], "connections.d")
    config = identity({})
    every_type_is_told(DatabricksCredentials, config, config["credentials"]["a"], "credentials.a")


@pytest.mark.parametrize(
    "host", ["ftp://x", "", "https://", "https://me:key@dbc-1.example", "my workspace", "https://[x"]
)
def test_an_invalid_host_is_reported(host):
    told_alone_and_together(declared, [({"host": host}, "host must be the address of a workspace")])


@pytest.mark.parametrize(
    "host",
    [
        "dbc-1.cloud.databricks.com",
        "https://adb-1.2.azuredatabricks.net/?o=1",
        "http://127.0.0.1:9",
        "https://x/ml",
    ],
)
def test_every_form_of_a_host_passes(host):
    assert Mesh.from_config(declared({"host": host, "token": "none"})).connections


def test_each_mistake_is_reported_alone_and_with_the_others():
    told_alone_and_together(
        identity,
        [
            ({"client_id": "a", "profile": "p"}, "both client_id and client_secret"),
            ({"client_id": "a", "profile": "p"}, "several identities"),
            ({"authorization_details": "{}"}, "authorization_details must be a JSON array"),
            ({"scope": " "}, "scope is empty"),
        ],
    )


def test_connections_of_one_identity_share_a_token(monkeypatch):
    from jackfield.plugin import Token
    from jackfield_databricks import _credentials

    asked = []

    def fetch(settings, host, *, proxy=None, ca_bundle=None):
        asked.append(host)
        return Token(f"t{len(asked)}", None)

    monkeypatch.setattr(_credentials, "_fetch_token", fetch)
    keys = {"client_id": "me", "client_secret": Secret("s")}
    identity = _credentials.DatabricksIdentity(_credentials.DatabricksCredentials(**keys))
    first, second, other = (identity.auth(f"https://{host}").fetch for host in ("a", "a", "b"))
    assert [first().value, second().value, other().value] == ["t1", "t1", "t2"]
    account = {**keys, "token_url": "https://accounts.cloud.databricks.com/oidc/accounts/1/v1/token"}
    identity = _credentials.DatabricksIdentity(_credentials.DatabricksCredentials(**account))
    assert identity.auth("https://a").fetch().value == identity.auth("https://b").fetch().value == "t3"

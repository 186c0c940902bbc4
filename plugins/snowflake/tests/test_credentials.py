"""Identities: key pairs, tokens, entries of `connections.toml`; what is wrong is told when the config is loaded."""

from __future__ import annotations

import base64
import hashlib
import json
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from jackfield import ConfigurationError, MalformedResponseError, Mesh, MissingCredentialError, Secret
from jackfield.plugin import HttpAccess
from jackfield.testing import Answer, RecordingServer
from jackfield_snowflake import SnowflakeCredentials, SnowflakeIdentity, SnowflakeSettings
from jackfield_snowflake._entries import entry_of
from jackfield_snowflake._keys import account_in_token, make_token
from jackfield_snowflake._login import address_of, bearer_of
from jackfield_snowflake._settings import host_of
from jackfield_snowflake._transport import access

WHOLE = Answer.json(
    {"model": "m", "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": ""}]}
)
TYPE = "x-snowflake-authorization-token-type"


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key, passphrase=None):
    sealed = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed).decode()


def parts_of(token):
    return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]


def verify(token, key):
    """Check a token with the public key alone, and give its claims."""
    header, claims, signature = parts_of(token)
    signed = token.rpartition(".")[0].encode()
    key.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    assert json.loads(header) == {"alg": "RS256", "typ": "JWT"}
    return json.loads(claims)


def test_a_token_is_verified_with_the_public_key(key):
    made = make_token(pem(key), None, account="myorg-my_account.eu-central-1", user="ann")
    claims = verify(made.value, key)
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    fingerprint = base64.b64encode(hashlib.sha256(der).digest()).decode()
    assert claims["iss"] == f"MYORG-MY_ACCOUNT.ANN.SHA256:{fingerprint}"
    assert claims["sub"] == "MYORG-MY_ACCOUNT.ANN"
    assert claims["exp"] - claims["iat"] <= 3600
    assert abs(claims["iat"] - time.time()) < 60
    assert made.expires_at == claims["exp"]


def test_a_token_of_another_key_is_not_verified(key):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(InvalidSignature):
        verify(make_token(pem(other), None, account="a", user="u").value, key)


def test_a_passphrase_opens_a_key(key):
    verify(make_token(pem(key, b"pass"), "pass", account="a", user="u").value, key)


@pytest.mark.parametrize(
    ("text", "passphrase", "words"),
    [
        ("sealed", None, "is encrypted"),
        ("sealed", "wrong", "not its passphrase"),
        ("open", "pass", "is not encrypted"),
        ("no key at all", None, "not a valid private key"),
        ("curve", None, "RSA"),
    ],
)
def test_what_is_no_usable_key_is_a_missing_credential(key, text, passphrase, words):
    curve = ec.generate_private_key(ec.SECP256R1())
    text = {"sealed": pem(key, b"pass"), "open": pem(key), "curve": pem(curve)}.get(text, text)
    with pytest.raises(MissingCredentialError, match=words) as caught:
        make_token(text, passphrase, account="a", user="u")
    assert "pass" not in str(caught.value).replace("passphrase", "")


@pytest.mark.parametrize(
    ("account", "named"),
    [
        ("xy12345", "XY12345"),
        ("xy12345.us-east-1.aws", "XY12345"),
        ("org-acct", "ORG-ACCT"),
        ("acct-1x.global", "ACCT"),
    ],
)
def test_tokens_name_the_account_without_its_region(account, named):
    assert account_in_token(account) == named


def test_hosts_follow_from_accounts():
    assert host_of("MyOrg-My_Account") == "myorg-my-account.snowflakecomputing.com"
    assert SnowflakeSettings(account="org-acct").address == "https://org-acct.snowflakecomputing.com"


# -- over REST ---------------------------------------------------------------------------------------------------


async def asked(connection, credentials=None):
    """Ask once, and give what the service was sent."""
    async with RecordingServer() as server:
        server.answer(WHOLE)
        config = {"connections": {"c": {"provider": "snowflake", "base_url": server.url, **connection}}}
        if credentials is not None:
            config["credentials"] = {"sf": {"kind": "snowflake", **credentials}}
            config["connections"]["c"]["credentials"] = "sf"
        async with Mesh.from_config(config) as mesh:
            await mesh.chat("c:mistral-7b", "Hi")
        return server.requests[0].headers


async def test_a_key_pair_speaks_rest(key, tmp_path):
    file = tmp_path / "key.p8"
    file.write_text(pem(key, b"pass"))
    declared = {
        "account": "org-acct",
        "user": "ann",
        "private_key": f"file:{file}",
        "private_key_passphrase": Secret("pass"),
    }
    headers = await asked({}, declared)
    assert headers[TYPE] == "KEYPAIR_JWT"
    assert verify(headers["authorization"].removeprefix("Bearer "), key)["sub"] == "ORG-ACCT.ANN"


@pytest.mark.parametrize(("kind", "word"), [("pat", "PROGRAMMATIC_ACCESS_TOKEN"), ("oauth", "OAUTH")])
async def test_tokens_speak_rest(kind, word):
    told = [
        await asked({}, {"account": "a", "token": Secret("t0ken"), "token_type": kind}),
        await asked({"account": "a", "token": Secret("t0ken"), "token_type": kind}),
    ]
    for headers in told:
        assert (headers["authorization"], headers[TYPE]) == ("Bearer t0ken", word)


def test_a_mark_at_the_beginning_of_connections_toml_is_passed_over(tmp_path):
    path = tmp_path / "connections.toml"
    path.write_bytes(b'\xef\xbb\xbf[c]\r\naccount = "org-acc"\r\n')
    assert entry_of("c", str(path))["account"] == "org-acc"
    path.write_bytes('[c]\naccount = "org-acc"'.encode("utf-16"))
    with pytest.raises(ConfigurationError, match="it is UTF-16"):
        entry_of("c", str(path))


async def test_entries_of_connections_toml_speak_rest(key, tmp_path):
    (tmp_path / "key.p8").write_text(pem(key))
    (tmp_path / "token").write_text("from-file\n")
    (tmp_path / "connections.toml").write_text(
        f"""
[jwt]
account = "org-acct"
user = "ann"
private_key_file = "{tmp_path}/key.p8"
[pat]
account = "a"
authenticator = "PROGRAMMATIC_ACCESS_TOKEN"
token = "t0ken"
[oauth]
account = "a"
authenticator = "oauth"
token_file_path = "{tmp_path}/token"
"""
    )
    file = str(tmp_path / "connections.toml")
    headers = await asked({}, {"connection": "jwt", "connections_file": file})
    assert verify(headers["authorization"].removeprefix("Bearer "), key)["sub"] == "ORG-ACCT.ANN"
    headers = await asked({}, {"connection": "pat", "connections_file": file})
    assert (headers["authorization"], headers[TYPE]) == ("Bearer t0ken", "PROGRAMMATIC_ACCESS_TOKEN")
    headers = await asked({}, {"connection": "oauth", "connections_file": file})
    assert (headers["authorization"], headers[TYPE]) == ("Bearer from-file", "OAUTH")
    with pytest.raises(ConfigurationError, match=r"'none'.*jwt, oauth, pat"):
        await asked({}, {"connection": "none", "connections_file": file})
    with pytest.raises(MalformedResponseError, match="longer than 10 bytes, max_response"):
        await asked({"max_response": 10}, {"connection": "pat", "connections_file": file})


def test_the_default_connection_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("SNOWFLAKE_HOME", str(tmp_path))
    monkeypatch.delenv("SNOWFLAKE_DEFAULT_CONNECTION_NAME", raising=False)
    (tmp_path / "config.toml").write_text(
        'default_connection_name = "b"\n[connections.b]\nuser = "b"\n[connections.c]\nuser = "c"\n'
    )
    assert entry_of("", None) == {"user": "b"}
    monkeypatch.setenv("SNOWFLAKE_DEFAULT_CONNECTION_NAME", "c")
    assert entry_of("", None) == {"user": "c"}
    (tmp_path / "connections.toml").write_text('[c]\nuser = "over"\n')
    assert entry_of("", None) == {"user": "over"}


def test_an_entry_that_only_the_driver_can_log_in_with():
    assert bearer_of({"user": "a", "password": "b"}) is None
    assert bearer_of({"authenticator": "externalbrowser"}) is None
    assert bearer_of({"authenticator": "SNOWFLAKE_JWT"}) is None
    with pytest.raises(MissingCredentialError, match="no user"):
        bearer_of({"account": "a", "private_key_file": "f"})
    settings = SnowflakeSettings(account="x")
    assert address_of(settings, {"account": "Org-Acct_1"}) == "https://org-acct-1.snowflakecomputing.com"
    assert address_of(settings, {"host": "h", "port": 8080, "protocol": "http"}) == "http://h:8080"


@pytest.mark.parametrize("route", ["openai", "sql"])
async def test_a_missing_secret_is_told_before_any_connection(route, monkeypatch):
    monkeypatch.delenv("NO_SUCH", raising=False)
    async with RecordingServer() as server:
        for declared in ({"token": "env:NO_SUCH"}, {"user": "u", "private_key": "env:NO_SUCH"}):
            config = {
                "credentials": {"sf": {"kind": "snowflake", "account": "a", **declared}},
                "connections": {"c": {"provider": "snowflake", "credentials": "sf", "base_url": server.url, "route": route}},
            }  # fmt: skip
            async with Mesh.from_config(config) as mesh:
                with pytest.raises(MissingCredentialError, match="NO_SUCH"):
                    await mesh.chat("c:mistral-7b", "Hi")
        assert not server.requests
        assert not server.open_connections


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "no identity"),
        ({"token": Secret("x"), "password": Secret("y"), "user": "u", "account": "a"}, "several"),
        ({"password": Secret("y"), "account": "a"}, "user"),
        ({"token": Secret("x")}, "account"),
        ({"private_key": Secret("x"), "user": "u", "host": "h"}, "account"),
    ],
)
def test_an_identity_that_cannot_work_is_refused_at_once(keys, words):
    with pytest.raises(ConfigurationError, match=words):
        SnowflakeCredentials(**keys)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "account is missing"),
        ({"account": "https://x.snowflakecomputing.com/"}, 'write account = "x"'),
        ({"account": "x.eu-west-1.snowflakecomputing.com"}, 'write account = "x.eu-west-1"'),
        ({"account": "a", "role": "r"}, "default role"),
        ({"account": "a", "warehouse": "w", "route": "complete"}, "applies to sessions"),
        ({"account": "a", "sessions": 0}, "sessions"),
        ({"account": "a", "credentials": object()}, "SnowflakeIdentity"),
    ],
)
def test_a_connection_that_cannot_work_is_refused_at_once(keys, words):
    with pytest.raises(ConfigurationError, match=words):
        SnowflakeSettings(**keys)


def test_rest_needs_no_transport_of_its_own_and_no_driver():
    identity = SnowflakeIdentity(SnowflakeCredentials(account="a", token=Secret("t")))
    assert isinstance(access(SnowflakeSettings(credentials=identity)), HttpAccess)
    assert "t0ken" not in repr(SnowflakeCredentials(account="a", token=Secret("t0ken")))


def test_one_identity_is_shared_by_connections():
    made = Mesh.from_config(
        {
            "credentials": {"sf": {"kind": "snowflake", "account": "a", "token": "env:T"}},
            "connections": {
                "rest": {"provider": "snowflake", "credentials": "sf"},
                "sql": {"provider": "snowflake", "credentials": "sf", "route": "sql", "role": "r"},
            },
        }
    )
    one, two = (made._config.connections[name].settings.credentials for name in ("rest", "sql"))
    assert one is two

"""The declared identity, or an entry of `connections.toml`, as parameters of the driver. All of it blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from jackfield import ConfigurationError, MissingCredentialError, Secret
from jackfield.plugin import Auth, Bearer, StaticHeader

from ._credentials import SnowflakeCredentials, account_fault, token_header
from ._entries import entry_of
from ._keys import der_of, make_token
from ._settings import SnowflakeSettings, host_of

__all__ = ["address_of", "bearer_of", "parameters"]

_LOGIN_SECONDS: Final = 60  # a person may have to confirm a second factor
_KEY_FILES: Final = ("private_key_file", "private_key_path")
_PASSPHRASES: Final = ("private_key_file_pwd", "private_key_passphrase")
_KIND_BY_WORD: Final = {"OAUTH": "oauth", "PROGRAMMATIC_ACCESS_TOKEN": "pat"}


def parameters(settings: SnowflakeSettings) -> dict[str, Any]:
    """Return the parameters of Snowpark's session builder, with secrets resolved.

    Raises:
        MissingCredentialError: A secret is missing or not valid.
        ConfigurationError: The entry of `connections.toml` does not exist.
    """
    identity = settings.credentials.settings if settings.credentials is not None else None
    if identity is None:
        chosen = _from_token(settings.token, settings.token_type)
        chosen["account"] = settings.account
    elif identity.connection is not None:
        chosen = entry_of(identity.connection, identity.connections_file)
    else:
        chosen = _from_keys(identity)
    for name in ("role", "warehouse", "database", "schema"):
        if getattr(settings, name) is not None:
            chosen[name] = getattr(settings, name)
    chosen |= _place(settings, identity) | _limits(settings)
    if settings.query_tag is not None:
        tagged = {**chosen.get("session_parameters", {}), "QUERY_TAG": settings.query_tag}
        chosen["session_parameters"] = tagged
    return {name: value for name, value in chosen.items() if value is not None}


def _from_keys(identity: SnowflakeCredentials) -> dict[str, Any]:
    common = {"account": identity.account, "user": identity.user}
    if identity.token is not None:
        return {**common, **_from_token(identity.token, identity.token_type)}
    if identity.private_key is not None:
        passphrase = identity.private_key_passphrase
        key = der_of(identity.private_key.reveal(), None if passphrase is None else passphrase.reveal())
        return {**common, "authenticator": "SNOWFLAKE_JWT", "private_key": key}
    assert identity.password is not None  # noqa: S101 -- checked when the settings were made
    common["password"] = identity.password.reveal()
    if identity.passcode is not None:
        common["passcode"] = identity.passcode.reveal()
    if identity.mfa:
        return {**common, "authenticator": "username_password_mfa", "client_request_mfa_token": True}
    return common


def _from_token(token: Secret, kind: str) -> dict[str, Any]:
    word = "oauth" if kind == "oauth" else "PROGRAMMATIC_ACCESS_TOKEN"
    return {"authenticator": word, "token": token.reveal()}


def _place(settings: SnowflakeSettings, identity: SnowflakeCredentials | None) -> dict[str, Any]:
    address = settings.base_url
    if address is None and identity is not None and identity.host is not None:
        address = f"https://{identity.host}"
    found: dict[str, Any] = {}
    if address is not None:
        parts = urlsplit(address)
        port = parts.port or (80 if parts.scheme == "http" else 443)
        found = {"host": parts.hostname, "port": port, "protocol": parts.scheme}
        if settings.account is None and (identity is None or identity.account is None):
            found["account"] = (parts.hostname or "").partition(".")[0]
    if settings.proxy is not None:
        proxy = urlsplit(settings.proxy)
        found |= {"proxy_host": proxy.hostname, "proxy_port": str(proxy.port or 80)}
        found |= {"proxy_user": proxy.username, "proxy_password": proxy.password}
    return found


def _limits(settings: SnowflakeSettings) -> dict[str, Any]:
    """Return the driver's timeouts: by default it repeats a request without a limit.

    Source: connector 4.8.1.
    """
    total = getattr(settings.timeout, "total", None)
    # Zero: the driver does not ask the metadata service of a cloud, whose answer it would send with each login.
    found = {"login_timeout": _LOGIN_SECONDS, "platform_detection_timeout_seconds": 0.0}
    return found if total is None else {**found, "network_timeout": max(1, round(total))}


def bearer_of(entry: Mapping[str, Any]) -> tuple[Auth, dict[str, str]] | None:
    """Return how to authenticate over REST with an entry; None if only the driver can.

    Raises:
        MissingCredentialError: A file that it names does not exist.
    """
    word = str(entry.get("authenticator", "")).upper()
    if word == "SNOWFLAKE_JWT" or (not word and any(name in entry for name in _KEY_FILES)):
        return _key_of(entry)
    kind = _KIND_BY_WORD.get(word)
    if kind is None:
        return None
    token = entry.get("token")
    path = entry.get("token_file_path")
    if token is None and path is None:
        return None
    value = Secret(str(token)) if token is not None else Secret.parse(f"file:{path}")
    return StaticHeader("Authorization", value, "Bearer "), token_header(kind)


def _key_of(entry: Mapping[str, Any]) -> tuple[Auth, dict[str, str]] | None:
    path = next((entry[name] for name in _KEY_FILES if name in entry), None)
    if path is None:
        return None
    passphrase = next((str(entry[name]) for name in _PASSPHRASES if name in entry), None)
    for name in ("account", "user"):
        if name not in entry:
            raise MissingCredentialError(f"the entry has a private key but no {name}")
    key = Secret.parse(f"file:{path}")

    def fetch() -> Any:
        return make_token(key.reveal(), passphrase, account=entry["account"], user=entry["user"])

    return Bearer(fetch), token_header("key")


def address_of(settings: SnowflakeSettings, entry: Mapping[str, Any]) -> str:
    """Return the address that an entry names: scheme and host.

    Raises:
        ConfigurationError: It names neither a host nor an account.
    """
    if settings.base_url is not None:
        return settings.base_url.rstrip("/")
    host, account = entry.get("host"), str(entry.get("account", ""))
    if not host and (fault := account_fault(account)):
        raise ConfigurationError(fault)
    host = host or host_of(account)
    port = f":{entry['port']}" if "port" in entry else ""
    return f"{entry.get('protocol', 'https')}://{host}{port}"

"""Identities that connections share: service principals, and profiles of the Databricks SDK."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import attrs

from jackfield import (
    ConfigurationError,
    MissingCredentialError,
    Secret,
)
from jackfield.plugin import Auth, Bearer, SharedTokens, StaticHeader, Token, install_command, secret

__all__ = ["DatabricksCredentials", "DatabricksIdentity"]

_FOUND_BY: Final = (
    "DATABRICKS_CONFIG_PROFILE", "DATABRICKS_CONFIG_FILE", "DATABRICKS_CLIENT_ID", "DATABRICKS_ACCOUNT_ID",
)  # fmt: skip
"""Source: Databricks SDK for Python 0.162.0, its unified authentication."""


@attrs.frozen(kw_only=True)
class DatabricksCredentials:
    """Configuration keys of `[credentials.NAME]` with `kind = "databricks"`.

    One of three: a service principal (`client_id`, `client_secret`), a `token`, or the identity that the
    Databricks SDK finds (`profile`, or no key at all), which needs the extra `sdk`.

    Attributes:
        client_id: A service principal's application id.
        client_secret: A reference to its OAuth secret.
        token: A reference to a personal access token.
        token_url: The address of the token endpoint; by default `{host}/oidc/v1/token`. For an account:
            `https://accounts.cloud.databricks.com/oidc/accounts/{account_id}/v1/token`.
        scope: The OAuth scope of the token.
        authorization_details: A JSON array as text, which route-optimised endpoints require.
        profile: A profile of the SDK's configuration file.
        config_file: The path of that file; by default the SDK's.
    """

    client_id: str | None = None
    client_secret: Secret | None = secret()
    token: Secret | None = secret()
    token_url: str | None = None
    scope: str = "all-apis"
    authorization_details: str | None = None
    profile: str | None = None
    config_file: str | None = None

    def __attrs_post_init__(self) -> None:
        """Check all keys when the configuration is loaded, and report all mistakes at once."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        principal = self.client_id is not None or self.client_secret is not None
        if principal and (self.client_id is None or self.client_secret is None):
            yield "a service principal needs both client_id and client_secret; write both"
        if principal + (self.token is not None) + (self.profile is not None) > 1:
            yield "it has several identities; write client_id and client_secret, or token, or profile"
        if self.authorization_details is not None and not _is_array(self.authorization_details):
            yield "authorization_details must be a JSON array as text"
        if not self.scope.strip():
            yield 'scope is empty; write the OAuth scope of the token ("all-apis")'


def _is_array(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False


@attrs.frozen
class DatabricksIdentity:
    """An identity, which all connections with the same `[credentials.NAME]` share.

    Attributes:
        settings: The declared keys.
    """

    settings: DatabricksCredentials
    _shared: SharedTokens = attrs.field(factory=SharedTokens, init=False, eq=False, repr=False)

    def fingerprint_parts(self) -> object:
        """Return the declared keys, and the environment variables that the Databricks SDK reads if it is used."""
        settings = self.settings
        if settings.token is not None or settings.client_id is not None:
            return settings
        return settings, {name: os.environ.get(name) for name in _FOUND_BY}

    def auth(self, host: str, *, proxy: str | None = None, ca_bundle: str | None = None) -> Auth:
        """Return the authentication for a workspace.

        Args:
            host: The workspace: scheme and host.
            proxy: The address of a proxy, for token requests.
            ca_bundle: The path of a file of certificate authorities, for token requests.
        """
        if self.settings.token is not None:
            return StaticHeader("Authorization", self.settings.token, "Bearer ")
        if self.settings.client_id is None:
            return Bearer(self._shared.sharing(self._ask_sdk, host))
        # For a whole account, all workspaces use the same token.
        where = None if self.settings.token_url is not None else host
        return Bearer(self._shared.sharing(self._fetch, where, proxy=proxy, ca_bundle=ca_bundle))

    def _fetch(self, host: str | None, *, proxy: str | None, ca_bundle: str | None) -> Token:
        return _fetch_token(self.settings, host or "", proxy=proxy, ca_bundle=ca_bundle)

    def _ask_sdk(self, host: str) -> Token:
        return _ask_sdk(self.settings, host)


def _fetch_token(
    settings: DatabricksCredentials, host: str, *, proxy: str | None = None, ca_bundle: str | None = None
) -> Token:
    """Fetch a token for a service principal by OAuth client credentials. Blocks.

    Source: Databricks SDK for Python 0.162.0, `oauth`.

    Raises:
        AuthenticationError: The endpoint rejects the client.
        OverloadedError: The endpoint is unavailable at the moment, and a retry may help.
        ConnectionFailedError: The endpoint cannot be reached.
        MalformedResponseError: The response is not that of a token endpoint.
    """
    from jackfield.http import fetch_token

    form = {"grant_type": "client_credentials", "scope": settings.scope}
    if settings.authorization_details is not None:
        form["authorization_details"] = settings.authorization_details
    assert settings.client_secret is not None  # noqa: S101 -- checked when the settings were made
    # Like the SDK: id and secret are not form-encoded, as RFC 6749 requires.
    secret = settings.client_secret.reveal()
    basic = base64.b64encode(f"{settings.client_id}:{secret}".encode()).decode()
    return fetch_token(
        settings.token_url or f"{host}/oidc/v1/token",
        urlencode(form).encode(),
        hint="check client_id, client_secret (a secret expires after two years at most), and that host is the workspace",
        headers={"Authorization": f"Basic {basic}"},
        secrets=(secret, basic),
        proxy=proxy,
        ca_bundle=ca_bundle,
    )


def _ask_sdk(settings: DatabricksCredentials, host: str) -> Token:
    """Return the token that the Databricks SDK would send. Blocks.

    Raises:
        MissingCredentialError: The SDK is not installed, or finds no identity.
        ConfigurationError: The profile belongs to another workspace, whose token must not be sent to this one.
    """
    try:
        from databricks.sdk.core import Config
    except ImportError:
        raise MissingCredentialError(
            f"a profile requires the Databricks SDK: {install_command('jackfield-databricks', 'sdk')}; without it, "
            "write client_id and client_secret, or token"
        ) from None
    profile = settings.profile
    # Without a profile the SDK needs the workspace; a profile contains it.
    chosen: dict[str, Any] = {"host": host} if profile is None else {"profile": profile}
    if settings.config_file is not None:
        chosen["config_file"] = settings.config_file
    try:
        config = Config(**chosen)
        headers = config.authenticate()
    except ValueError as error:
        raise MissingCredentialError(f"the Databricks SDK finds no identity: {error}") from error
    if urlsplit(config.host or "").netloc != urlsplit(host).netloc:
        raise ConfigurationError(
            f"the profile {profile or 'DEFAULT'} belongs to {config.host}, but the connection to {host}; "
            "write the profile of this workspace"
        )
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or len(headers) > 1:
        raise MissingCredentialError(
            f"the Databricks SDK's authentication {config.auth_type} does not use a bearer token; choose another"
        )
    return Token(value, _expiry_of(config))


def _expiry_of(config: Any) -> float | None:
    try:
        expiry = config.oauth_token().expiry
    except ValueError:  # not an OAuth token: it does not expire
        return None
    return None if expiry is None else float(expiry.timestamp())

"""Identities of Entra ID: `[credentials.NAME]` with `kind = "azure"`."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import attrs

from jackfield import (
    AuthenticationError,
    ConfigurationError,
    MissingCredentialError,
    Secret,
    ServerError,
)
from jackfield.plugin import (
    Auth,
    Bearer,
    CredentialKind,
    SharedTokens,
    StaticHeader,
    Token,
    install_command,
    quote_segment,
    read_text_file,
    secret,
)

from ._clouds import Audience

__all__ = ["AZURE", "AzureCredentials", "AzureIdentity"]

_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FOUND_BY: Final = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_USERNAME", "AZURE_CONFIG_DIR")
"""Source: azure-identity, "Environment variables" (2026)."""
_IMDS: Final = "http://169.254.169.254"
_MANAGED_ENDPOINTS: Final = (
    "IDENTITY_ENDPOINT",
    "MSI_ENDPOINT",
    "IMDS_ENDPOINT",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
)
"""Source: azure-identity 1.27, "Managed identity" (App Service, Azure Arc, Cloud Shell, AKS)."""
_TENANT: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]*")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@attrs.frozen(kw_only=True)
class AzureCredentials:
    """Configuration keys of `[credentials.NAME]` with `kind = "azure"`.

    A tenant, a client and its secret (or a federated token) use the OAuth client-credentials flow without an
    SDK. A `token` is sent unchanged. Without these, `azure-identity` finds an identity: environment, workload or
    managed identity, Azure CLI, ... (extra `identity`).

    Attributes:
        tenant_id: The directory.
        client_id: The application, or a user-assigned managed identity.
        client_secret: A reference to the application's secret.
        federated_token_file: The path of a token of another issuer that the application trusts; the file is
            read again for each token.
        token: A reference to a token that another program fetches and renews (`AZURE_OPENAI_AD_TOKEN`).
        authority: The address of the token service, which depends on the cloud (`https://login.microsoftonline.us`).
        scope: The OAuth scope of tokens; by default the provider's. Older resources require
            `https://cognitiveservices.azure.com/.default`.
    """

    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: Secret | None = secret()
    federated_token_file: Path | None = None
    token: Secret | None = secret()
    authority: str = "https://login.microsoftonline.com"
    scope: str | None = None

    def __attrs_post_init__(self) -> None:
        """Check all keys when the configuration is loaded, and report all mistakes at once."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        ways = [self.token, self.client_secret, self.federated_token_file]
        if sum(way is not None for way in ways) > 1:
            yield "has more than one of token, client_secret and federated_token_file"
        if self.uses_client_flow and not (self.tenant_id and self.client_id):
            yield "needs tenant_id and client_id with a client_secret or a federated token"
        if self.tenant_id is not None and not _TENANT.fullmatch(self.tenant_id):
            yield f"tenant_id must be a directory's id or domain, not {self.tenant_id!r}"
        if not _is_authority(self.authority):
            yield f"authority must begin with https://, got {self.authority!r}"

    @property
    def uses_client_flow(self) -> bool:
        """Whether the client-credentials flow is used, without an SDK."""
        return self.client_secret is not None or self.federated_token_file is not None


def _is_authority(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    return bool(host.strip(".")) and (
        parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    )


@attrs.frozen
class AzureIdentity:
    """An identity of Entra ID. It has no open resources.

    Attributes:
        settings: The declared keys.
    """

    settings: AzureCredentials
    _shared: SharedTokens = attrs.field(factory=SharedTokens, init=False, eq=False, repr=False)

    def fingerprint_parts(self) -> object:
        """Return the declared keys, and the environment variables that azure-identity reads if it is used."""
        settings = self.settings
        if settings.uses_client_flow or settings.token is not None:
            return settings
        return settings, {name: os.environ.get(name) for name in _FOUND_BY}

    def token(self, scope: str, *, proxy: str | None = None, ca_bundle: str | None = None) -> Token:
        """Fetch a token. Blocks: the core calls it in a thread, and caches the token.

        Args:
            scope: The OAuth scope, unless the settings have one; see `Audience.scope`.
            proxy: The address of a proxy, for token requests.
            ca_bundle: The path of a file of certificate authorities, for token requests.

        Raises:
            AuthenticationError: The authority rejects the identity.
            MissingCredentialError: There is no identity.
            ConnectionFailedError: The authority cannot be reached.
        """
        settings = self.settings
        scope = settings.scope or scope
        if settings.token is not None:
            return Token(settings.token.reveal())
        if settings.uses_client_flow:
            return self._request_token(scope, proxy, ca_bundle)
        return _find_token(settings, scope, proxy, ca_bundle)

    def auth(
        self,
        audience: Audience,
        address: str | None,
        *,
        proxy: str | None = None,
        ca_bundle: str | None = None,
    ) -> Auth:
        """Return the authentication for a service.

        Args:
            audience: The kind of service.
            address: The address of the resource or endpoint, which decides the cloud.
            proxy: The address of a proxy, for token requests.
            ca_bundle: The path of a file of certificate authorities, for token requests.
        """
        if self.settings.token is not None:
            return StaticHeader("Authorization", self.settings.token, "Bearer ")
        scope = audience.scope(address, self.settings.authority)
        return Bearer(self._shared.sharing(self.token, scope, proxy=proxy, ca_bundle=ca_bundle))

    def _request_token(self, scope: str, proxy: str | None, ca_bundle: str | None) -> Token:
        """Fetch a token by the client-credentials flow.

        Source: Microsoft identity platform, OAuth 2.0 client credentials flow (2026).
        """
        settings = self.settings
        form = {"grant_type": "client_credentials", "client_id": settings.client_id, "scope": scope}
        if settings.client_secret is not None:
            form["client_secret"] = settings.client_secret.reveal()
        elif settings.federated_token_file is not None:
            form["client_assertion_type"] = _ASSERTION
            form["client_assertion"] = _read(settings.federated_token_file)
        tenant = quote_segment(settings.tenant_id or "")
        url = f"{settings.authority.rstrip('/')}/{tenant}/oauth2/v2.0/token"
        answer = _post(url, form, proxy, ca_bundle)
        seconds = answer.get("expires_in")
        return Token(answer["access_token"], None if seconds is None else time.time() + float(seconds))


def _read(path: Path) -> str:
    try:
        return read_text_file(path).strip()
    except OSError as error:
        raise MissingCredentialError(
            f"the federated token {path} cannot be read: {error.strerror or type(error).__name__}"
        ) from error


def _post(url: str, form: dict[str, Any], proxy: str | None, ca_bundle: str | None) -> dict[str, Any]:
    from jackfield.http import fetch_blocking
    from jackfield.plugin import read_json  # it loads orjson, so late

    host = urlsplit(url).hostname
    status, _, body = fetch_blocking(
        url,
        sender=str(host),
        body=urlencode(form).encode(),
        headers={"Accept": "application/json"},
        proxy=proxy,
        ca_bundle=ca_bundle,
    )
    if status >= 300:
        raise _map_refusal(status, body, host)
    try:
        answer: dict[str, Any] = read_json(body)
        answer["access_token"]
    except (ValueError, TypeError, KeyError):
        raise AuthenticationError(f"{host} answered without a token; is authority correct?") from None
    return answer


def _map_refusal(status: int, body: bytes, host: str | None) -> AuthenticationError | ServerError:
    from jackfield.plugin import read_json  # it loads orjson, so late

    try:
        value = read_json(body)
        code, text = value.get("error"), value.get("error_description") or value.get("error") or ""
    except (ValueError, AttributeError):
        code, text = None, body[:200].decode("utf-8", "replace")
    kind = ServerError if status >= 500 or status == 429 else AuthenticationError
    # Without a status: for a 401 of the model service, the core would fetch a new token.
    return kind(f"{host} returned no token (status {status}): {text}", code=code)


def _find_token(settings: AzureCredentials, scope: str, proxy: str | None, ca_bundle: str | None) -> Token:
    """Return a token of the identity that azure-identity finds."""
    try:
        from azure.identity import CredentialUnavailableError, DefaultAzureCredential
    except ImportError as error:
        raise MissingCredentialError(
            "Entra ID without a client secret needs azure-identity: "
            + install_command("jackfield-azure-openai", "identity")
        ) from error
    options: dict[str, Any] = {"authority": settings.authority, "proxies": _proxies(proxy)}
    if ca_bundle is not None:
        options["connection_verify"] = ca_bundle
    if settings.client_id is not None:
        options["managed_identity_client_id"] = options["workload_identity_client_id"] = settings.client_id
    if settings.tenant_id is not None:
        options["workload_identity_tenant_id"] = settings.tenant_id
        options["additionally_allowed_tenants"] = [settings.tenant_id]
    from azure.core.exceptions import ClientAuthenticationError

    try:
        with DefaultAzureCredential(**options) as credential:
            found = credential.get_token(scope, tenant_id=settings.tenant_id)
    except CredentialUnavailableError as error:
        raise MissingCredentialError(f"azure-identity finds no identity: {error.message}") from error
    except ClientAuthenticationError as error:
        raise AuthenticationError(f"the identity was rejected: {error.message}") from error
    return Token(found.token, float(found.expires_on))


def _proxies(proxy: str | None) -> dict[str, str]:
    """Return proxies as requests reads them: none for the endpoints of managed identities, which no proxy can reach."""
    endpoints = (os.environ.get(name) for name in _MANAGED_ENDPOINTS)
    direct = {
        _IMDS,
        *(f"{parts.scheme}://{parts.hostname}" for parts in map(urlsplit, filter(None, endpoints))),
    }
    return {**dict.fromkeys(direct, ""), **({} if proxy is None else {"http": proxy, "https": proxy})}


AZURE: Final = CredentialKind(AzureCredentials, AzureIdentity)
"""The kind `azure` of `[credentials]`, which the entry point names."""

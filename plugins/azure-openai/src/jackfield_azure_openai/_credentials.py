"""The identity of Entra ID that connections to Azure share: `[credentials.NAME]` of kind `azure`."""

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
    ConnectionFailedError,
    MissingCredentialError,
    Secret,
    ServerError,
)
from jackfield.plugin import CredentialKind, Token, quote_segment, secret

__all__ = ["AZURE", "AzureCredentials", "AzureIdentity"]

_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FOUND_BY: Final = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_USERNAME", "AZURE_CONFIG_DIR")
"""Source: azure-identity, "Environment variables" (2026)."""
_PATIENCE: Final = 30.0
_MOST_REFUSAL: Final = 1 << 16
"""Bytes that are read of a refusal."""
_TENANT: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]*")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@attrs.frozen(kw_only=True)
class AzureCredentials:
    """Config keys of `[credentials.NAME]` with `kind = "azure"`.

    With a tenant, a client and its secret (or a federated token) the OAuth client-credentials flow is spoken
    without any SDK. With a `token`, that is sent as it is. Else `azure-identity` looks for an identity:
    environment, workload or managed identity, Azure CLI, ... (extra `identity`).

    Attributes:
        tenant_id: The directory.
        client_id: The application; of a user-assigned managed identity.
        client_secret: A reference to the application's secret.
        federated_token_file: A file with a token of another issuer that the application trusts; read anew
            for each token.
        token: A reference to a token that somebody else fetched and renews (`AZURE_OPENAI_AD_TOKEN`).
        authority: Where tokens come from; per cloud, as `https://login.microsoftonline.us`.
        scope: What tokens are for; chosen by the provider unless given. Older resources want
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
        """Refuse what cannot work, all of it at once, when the config is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        ways = [self.token, self.client_secret, self.federated_token_file]
        if sum(way is not None for way in ways) > 1:
            yield "has more than one of token, client_secret and federated_token_file"
        if self.proven and not (self.tenant_id and self.client_id):
            yield "needs tenant_id and client_id with a client_secret or a federated token"
        if self.tenant_id is not None and not _TENANT.fullmatch(self.tenant_id):
            yield f"tenant_id must be a directory's id or its domain, not {self.tenant_id!r}"
        if not _is_authority(self.authority):
            yield f"authority must begin with https://, got {self.authority!r}"

    @property
    def proven(self) -> bool:
        """The application proves itself, without an SDK."""
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
    """An identity of Entra ID. Holds nothing open.

    Attributes:
        settings: What was declared.
    """

    settings: AzureCredentials

    def fingerprint_parts(self) -> object:
        """Return what is declared, and whom azure-identity finds as far as the environment says."""
        settings = self.settings
        if settings.proven or settings.token is not None:
            return settings
        return settings, {name: os.environ.get(name) for name in _FOUND_BY}

    def token(self, scope: str) -> Token:
        """Fetch a token. Blocks: the core calls it in a thread, and keeps the token.

        Args:
            scope: What for, unless the settings say.

        Raises:
            AuthenticationError: The identity is refused.
            MissingCredentialError: There is no identity.
            ConnectionFailedError: The authority cannot be reached.
        """
        settings = self.settings
        scope = settings.scope or scope
        if settings.token is not None:
            return Token(settings.token.reveal())
        return self._asked_for(scope) if settings.proven else _found(settings, scope)

    def _asked_for(self, scope: str) -> Token:
        """Speak the client-credentials flow.

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
        answer = _post(f"{settings.authority.rstrip('/')}/{tenant}/oauth2/v2.0/token", form)
        lasts = answer.get("expires_in")
        return Token(answer["access_token"], None if lasts is None else time.time() + float(lasts))


def _read(path: Path) -> str:
    try:
        return path.expanduser().read_text("utf-8").strip()
    except OSError as error:
        raise MissingCredentialError(
            f"the federated token {path} cannot be read: {error.strerror or type(error).__name__}"
        ) from error


def _post(url: str, form: dict[str, Any]) -> dict[str, Any]:
    import json
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    from jackfield.http import read_limited

    class NoRedirects(HTTPRedirectHandler):
        """A redirect would carry the proof of identity to another host."""

        def redirect_request(self, *_: Any, **__: Any) -> None:
            return None

    asked = Request(url, urlencode(form).encode(), {"Accept": "application/json"})  # noqa: S310 -- checked above
    host = urlsplit(url).hostname
    try:
        with build_opener(NoRedirects()).open(asked, timeout=_PATIENCE) as response:
            body = read_limited(response, str(host))
    except HTTPError as error:
        raise _refusal(error.code, error.read(_MOST_REFUSAL), host) from None
    except (URLError, OSError, HTTPException) as error:
        raise ConnectionFailedError(f"no token could be fetched from {host}: {error}") from error
    try:
        answer: dict[str, Any] = json.loads(body)
        answer["access_token"]
    except (ValueError, TypeError, KeyError):
        raise AuthenticationError(f"{host} answered without a token; is authority right?") from None
    return answer


def _refusal(status: int, body: bytes, host: str | None) -> AuthenticationError | ServerError:
    import json

    try:
        said = json.loads(body)
        code, text = said.get("error"), said.get("error_description") or said.get("error") or ""
    except (ValueError, AttributeError):
        code, text = None, body[:200].decode("utf-8", "replace")
    kind = ServerError if status >= 500 or status == 429 else AuthenticationError
    # No `status`: a 401 of the service makes the core ask for another token, and the authority has just said no.
    return kind(f"{host} gives no token (status {status}): {text}", code=code)


def _found(settings: AzureCredentials, scope: str) -> Token:
    """Let azure-identity look for an identity."""
    try:
        from azure.identity import CredentialUnavailableError, DefaultAzureCredential
    except ImportError as error:
        raise MissingCredentialError(
            "Entra ID without a client secret needs azure-identity: "
            'pip install "jackfield-azure-openai[identity]"'
        ) from error
    options: dict[str, Any] = {"authority": settings.authority}
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
        raise AuthenticationError(f"the identity is refused: {error.message}") from error
    return Token(found.token, float(found.expires_on))


AZURE: Final = CredentialKind(AzureCredentials, AzureIdentity)
"""What the entry point names."""

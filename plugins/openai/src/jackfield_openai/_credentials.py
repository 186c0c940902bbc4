"""Identities that connections share: `[credentials.NAME]` with `kind = "openai"`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal
from urllib.parse import urlencode

import attrs

from jackfield import ConfigurationError, MissingCredentialError, Secret
from jackfield.plugin import Bearer, SharedTokens, Token, may_carry_secrets, secret

__all__ = ["OpenAICredentials", "OpenAIIdentity"]

_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_TYPES: Final = {
    "jwt": "urn:ietf:params:oauth:token-type:jwt",
    "id": "urn:ietf:params:oauth:token-type:id_token",
}
_REQUIRED: Final = ("identity_provider_id", "service_account_id")
# Source: OpenAI's Python SDK 3.54.0, `auth`: the metadata services of the clouds, and what tokens are asked for.
_AZURE: Final = "http://169.254.169.254/metadata/identity/oauth2/token"
_GOOGLE: Final = (
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity"
)
_AUDIENCES: Final = {"azure": "https://management.azure.com/", "google": "https://api.openai.com/v1"}


@attrs.frozen(kw_only=True)
class OpenAICredentials:
    """Configuration keys of `[credentials.NAME]` with `kind = "openai"`: workload identity federation.

    The token that a workload has from its own identity provider is exchanged for a short-lived token of OpenAI.

    Attributes:
        subject_token: A reference to the workload's token, a JWT. What it refers to is read again for each
            exchange: a file that a platform renews (`file:/var/run/secrets/openai/token`), or an environment variable.
        subject_token_type: `jwt` or `id`, an OpenID Connect id token; by default `id` with `metadata = "google"`, else `jwt`.
        metadata: In place of `subject_token`: `azure` or `google`, whose metadata service gives a virtual machine its token.
        audience: Whom the token from the metadata service is for; by default `https://management.azure.com/` of Azure, and
            `https://api.openai.com/v1` of Google.
        client_id: The user-assigned managed identity of Azure, if the machine has several.
        identity_provider_id: Required: the workload identity provider, as configured at OpenAI.
        service_account_id: Required: the service account that the workload acts as.
        token_url: The address of the token endpoint.
    """

    subject_token: Secret | None = secret()
    subject_token_type: Literal["jwt", "id"] | None = None
    metadata: Literal["azure", "google"] | None = None
    audience: str | None = None
    client_id: str | None = None
    identity_provider_id: str | None = None
    service_account_id: str | None = None
    token_url: str = "https://auth.openai.com/oauth/token"  # noqa: S105 -- an address

    def __attrs_post_init__(self) -> None:
        """Check all keys when the configuration is loaded, and report all mistakes at once."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        for name in _REQUIRED:
            if not getattr(self, name):
                yield f"{name} is missing; it belongs to the workload identity federation that is configured at OpenAI"
        if (self.subject_token is None) == (self.metadata is None):
            yield "a workload has one token: write subject_token, or metadata"
        if self.metadata is None and self.audience is not None:
            yield 'audience is for the token of a metadata service; write metadata = "azure" or "google", too'
        if self.metadata != "azure" and self.client_id is not None:
            yield 'client_id is for managed identities of Azure; write metadata = "azure", too'
        if not may_carry_secrets(self.token_url):
            yield f"token_url must begin with https://, got {self.token_url!r}"


@attrs.frozen
class OpenAIIdentity:
    """An identity, which all connections with the same `[credentials.NAME]` share. It has no open resources.

    Attributes:
        settings: The declared keys.
    """

    settings: OpenAICredentials
    _shared: SharedTokens = attrs.field(factory=SharedTokens, init=False, eq=False, repr=False)

    def fingerprint_parts(self) -> object:
        """Return the declared keys."""
        return self.settings

    def auth(self, *, proxy: str | None = None, ca_bundle: str | None = None) -> Bearer:
        """Return the authentication.

        Args:
            proxy: The address of a proxy, for token requests.
            ca_bundle: The path of a file of certificate authorities, for token requests.
        """
        return Bearer(self._shared.sharing(self._exchange, proxy=proxy, ca_bundle=ca_bundle))

    def _exchange(self, *, proxy: str | None, ca_bundle: str | None) -> Token:
        """Exchange the workload's token. Blocks.

        Sources: workload identity token exchange (developers.openai.com, 2026); OpenAI's Python SDK 3.54.0.
        """
        from jackfield.http import fetch_token
        from jackfield.plugin import write_json  # it loads orjson, so late

        settings = self.settings
        token = _find_token(settings)
        kind = settings.subject_token_type or ("id" if settings.metadata == "google" else "jwt")
        body = {
            "grant_type": _GRANT,
            "subject_token": token,
            "subject_token_type": _TYPES[kind],
            "identity_provider_id": settings.identity_provider_id,
            "service_account_id": settings.service_account_id,
        }
        return fetch_token(
            settings.token_url,
            write_json(body),
            hint="check identity_provider_id and service_account_id, and that the provider's rules match the subject token",
            headers={"Content-Type": "application/json"},
            secrets=(token,),
            proxy=proxy,
            ca_bundle=ca_bundle,
        )


def _find_token(settings: OpenAICredentials) -> str:
    """Return the workload's token. Blocks.

    Raises:
        MissingCredentialError: There is none.
        ConnectionFailedError: The metadata service cannot be reached.
    """
    if settings.subject_token is not None:
        return settings.subject_token.reveal()
    return _ask_azure(settings) if settings.metadata == "azure" else _ask_google(settings)


def _ask_azure(settings: OpenAICredentials) -> str:
    from jackfield.plugin import read_json  # it loads orjson, so late

    query = {"api-version": "2018-02-01", "resource": settings.audience or _AUDIENCES["azure"]}
    if settings.client_id is not None:
        query["client_id"] = settings.client_id
    answer = _ask(_AZURE, query, {"Metadata": "true"})
    try:
        return str(read_json(answer)["access_token"])
    except (ValueError, KeyError, TypeError):
        raise MissingCredentialError("the metadata service of Azure answered without a token") from None


def _ask_google(settings: OpenAICredentials) -> str:
    query = {"audience": settings.audience or _AUDIENCES["google"]}
    token = _ask(_GOOGLE, query, {"Metadata-Flavor": "Google"}).decode("utf-8", "replace").strip()
    if not token:
        raise MissingCredentialError("the metadata service of Google answered without a token")
    return token


def _ask(url: str, query: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
    from jackfield.http import fetch_blocking

    sender = f"the metadata service {url}"
    status, _, answer = fetch_blocking(
        f"{url}?{urlencode(query)}", sender=sender, headers=headers, method="GET", timeout=10, direct=True
    )
    if status != 200:
        reason = answer[:200].decode("utf-8", "replace")
        raise MissingCredentialError(f"{sender} gives this machine no token (status {status}): {reason}")
    return answer

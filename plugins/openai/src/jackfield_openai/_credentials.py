"""Identities that connections share: `[credentials.NAME]` with `kind = "openai"`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import attrs

from jackfield import ConfigurationError, MissingCredentialError, Secret
from jackfield.plugin import Bearer, SharedTokens, Token, may_carry_secrets, secret

__all__ = ["OpenAICredentials", "OpenAIIdentity"]

_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_TYPES: Final = {
    "jwt": "urn:ietf:params:oauth:token-type:jwt",
    "id": "urn:ietf:params:oauth:token-type:id_token",
}
_REQUIRED: Final = ("subject_token", "identity_provider_id", "service_account_id")


@attrs.frozen(kw_only=True)
class OpenAICredentials:
    """Configuration keys of `[credentials.NAME]` with `kind = "openai"`: workload identity federation.

    The token that a workload has from its own identity provider is exchanged for a short-lived token of OpenAI.

    Attributes:
        subject_token: Required: a reference to the workload's token, a JWT. What it refers to is read again for each
            exchange: a file that a platform renews (`file:/var/run/secrets/openai/token`), or an environment variable.
        subject_token_type: `jwt`, or `id` for an OpenID Connect id token (Google's metadata service).
        identity_provider_id: Required: the workload identity provider, as configured at OpenAI.
        service_account_id: Required: the service account that the workload acts as.
        token_url: The address of the token endpoint.
    """

    subject_token: Secret | None = secret()
    subject_token_type: Literal["jwt", "id"] = "jwt"  # noqa: S105 -- a type
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
        import orjson

        from jackfield.http import fetch_token

        settings = self.settings
        if settings.subject_token is None:  # the settings refuse that
            raise MissingCredentialError("no subject_token is declared")
        token = settings.subject_token.reveal()
        body = {
            "grant_type": _GRANT,
            "subject_token": token,
            "subject_token_type": _TYPES[settings.subject_token_type],
            "identity_provider_id": settings.identity_provider_id,
            "service_account_id": settings.service_account_id,
        }
        return fetch_token(
            settings.token_url,
            orjson.dumps(body),
            hint="check identity_provider_id and service_account_id, and that the provider's rules match the subject token",
            headers={"Content-Type": "application/json"},
            secrets=(token,),
            proxy=proxy,
            ca_bundle=ca_bundle,
        )

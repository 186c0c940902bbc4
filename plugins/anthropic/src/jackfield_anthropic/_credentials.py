"""Identities that connections share: `[credentials.NAME]` with `kind = "anthropic"`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from jackfield import ConfigurationError, MissingCredentialError, Secret
from jackfield.plugin import Bearer, SharedTokens, Token, secret

__all__ = ["AnthropicCredentials", "AnthropicIdentity"]

_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_BETAS: Final = "oauth-2025-04-20,oidc-federation-2026-04-01"
_MOST: Final = 16 * 1024
_REQUIRED: Final = ("identity_token", "federation_rule_id", "organization_id")


@attrs.frozen(kw_only=True)
class AnthropicCredentials:
    """Configuration keys of `[credentials.NAME]` with `kind = "anthropic"`: workload identity federation.

    The token that a workload has from its own identity provider is exchanged for a short-lived token of Anthropic.

    Attributes:
        identity_token: Required: a reference to the workload's token, a JWT. What it refers to is read again for each
            exchange: a file that a platform renews (`file:/var/run/secrets/anthropic/token`), or an environment variable.
        federation_rule_id: Required: the federation rule (`fdrl_...`).
        organization_id: Required: the organization (a UUID).
        service_account_id: The service account that the workload acts as (`svac_...`).
        workspace_id: The workspace of the token (`wrkspc_...`, or `default`), if the rule covers more than one.
    """

    identity_token: Secret | None = secret()
    federation_rule_id: str | None = None
    organization_id: str | None = None
    service_account_id: str | None = None
    workspace_id: str | None = None

    def __attrs_post_init__(self) -> None:
        """Check all keys when the configuration is loaded, and report all mistakes at once."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        for name in _REQUIRED:
            if not getattr(self, name):
                yield f"{name} is missing; the Console shows it with the federation rule"


@attrs.frozen
class AnthropicIdentity:
    """An identity, which all connections with the same `[credentials.NAME]` share. It has no open resources.

    Attributes:
        settings: The declared keys.
    """

    settings: AnthropicCredentials
    _shared: SharedTokens = attrs.field(factory=SharedTokens, init=False, eq=False, repr=False)

    def fingerprint_parts(self) -> object:
        """Return the declared keys."""
        return self.settings

    def auth(self, base_url: str, *, proxy: str | None = None, ca_bundle: str | None = None) -> Bearer:
        """Return the authentication for an address of the API, where tokens are exchanged, too.

        Args:
            base_url: The address of the API, without `/v1`.
            proxy: The address of a proxy, for token requests.
            ca_bundle: The path of a file of certificate authorities, for token requests.
        """
        return Bearer(self._shared.sharing(self._exchange, base_url, proxy=proxy, ca_bundle=ca_bundle))

    def _exchange(self, base_url: str, *, proxy: str | None, ca_bundle: str | None) -> Token:
        """Exchange the workload's token. Blocks. Sources: WIF reference (platform.claude.com, 2026); Python SDK 2.12.0."""
        from jackfield.http import fetch_token
        from jackfield.plugin import write_json  # it loads orjson, so late

        settings = self.settings
        token = _read(settings.identity_token)
        body = {
            "grant_type": _GRANT,
            "assertion": token,
            "federation_rule_id": settings.federation_rule_id,
            "organization_id": settings.organization_id,
            "service_account_id": settings.service_account_id,
            "workspace_id": settings.workspace_id,
        }
        return fetch_token(
            f"{base_url}/v1/oauth/token",
            write_json({name: value for name, value in body.items() if value is not None}),
            hint="the federation rule must match the identity token (and workspace_id, if it covers several workspaces)",
            headers={"Content-Type": "application/json", "anthropic-beta": _BETAS},
            secrets=(token,),
            proxy=proxy,
            ca_bundle=ca_bundle,
        )


def _read(reference: Secret | None) -> str:
    if reference is None:  # the settings refuse that
        raise MissingCredentialError("no identity_token is declared")
    token = reference.reveal()
    if len(token) > _MOST:
        raise MissingCredentialError(
            f"what {reference!r} refers to has more than {_MOST} characters; identity_token must be a JWT"
        )
    return token

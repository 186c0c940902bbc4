"""The settings of a connection to Anthropic."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import attrs

from jackfield import Secret
from jackfield.plugin import HttpAccess, StaticHeader, secret

__all__ = ["NEW_VERSION", "OLD_VERSION", "AnthropicSettings", "ApiVersion", "access"]

ApiVersion: TypeAlias = Literal["2023-06-01", "2026-10-21"]
OLD_VERSION: Final = "2023-06-01"
NEW_VERSION: Final = "2026-10-21"
_OAUTH: Final = "oauth-2025-04-20"


@attrs.frozen(kw_only=True)
class AnthropicSettings:
    """Configuration keys of a connection to Anthropic.

    Attributes:
        api_key: A reference to the key; `none` for a server without one. `env:ANTHROPIC_API_KEY` goes to Anthropic's own
            host alone: under another `base_url` it has to be written.
        auth_token: A reference to an OAuth token, sent in place of the key.
        base_url: The address of the API, without `/v1`.
        api_version: Sent as `anthropic-version`. 2026-10-21 has no sampling options; 2023-06-01 keeps working, and is
            the only one for Claude 1, 2 and 3.
        betas: Names of beta features, sent as `anthropic-beta`.
        workspace: Sent as `anthropic-workspace-id`, for keys that have access to several.
    """

    api_key: Secret = secret(
        env="ANTHROPIC_API_KEY", sent_to=lambda settings: () if settings.auth_token else (settings.base_url,)
    )
    auth_token: Secret | None = secret()
    base_url: str = "https://api.anthropic.com"
    api_version: ApiVersion = OLD_VERSION
    betas: tuple[str, ...] = ()
    workspace: str | None = None

    @property
    def standing_betas(self) -> tuple[str, ...]:
        """The beta features that every request names; an OAuth token requires one of its own."""
        return self.betas if self.auth_token is None else (*self.betas, _OAUTH)


def access(settings: AnthropicSettings) -> HttpAccess:
    """Return the address and the authentication.

    Source: Anthropic's Python SDK: to 1.17.0 it sent the key as `x-api-key`; since 2.0, which uses the API
    version 2026-10-21, as a bearer token.
    """
    headers: dict[str, str] = {"anthropic-version": settings.api_version}
    if settings.standing_betas:
        headers["anthropic-beta"] = ",".join(settings.standing_betas)
    if settings.workspace is not None:
        headers["anthropic-workspace-id"] = settings.workspace
    if settings.auth_token is not None:
        auth = StaticHeader("Authorization", settings.auth_token, "Bearer ")
    elif settings.api_version == OLD_VERSION:
        auth = StaticHeader("x-api-key", settings.api_key)
    else:
        auth = StaticHeader("Authorization", settings.api_key, "Bearer ")
    return HttpAccess(base_url=settings.base_url.rstrip("/"), auth=auth, headers=headers)

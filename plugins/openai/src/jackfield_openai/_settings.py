"""The configuration of a connection to OpenAI."""

from __future__ import annotations

import attrs

from jackfield import Secret
from jackfield.plugin import HttpAccess, StaticHeader, secret

__all__ = ["OpenAISettings", "access"]


@attrs.frozen(kw_only=True)
class OpenAISettings:
    """Configuration keys of a connection to OpenAI.

    Attributes:
        api_key: A reference to the key, or `none` for a server without one. The default, `env:OPENAI_API_KEY`, is sent
            to OpenAI's hosts only, so another `base_url` needs an `api_key`.
        base_url: The address of the API, with `/v1`. For data residency: `https://eu.api.openai.com/v1`.
        organization: Sent as `OpenAI-Organization`.
        project: Sent as `OpenAI-Project`.
    """

    api_key: Secret = secret(env="OPENAI_API_KEY", hosts=("api.openai.com",))
    base_url: str = "https://api.openai.com/v1"
    organization: str | None = None
    project: str | None = None


def access(settings: OpenAISettings) -> HttpAccess:
    """Return the address and the authentication."""
    named = {"OpenAI-Organization": settings.organization, "OpenAI-Project": settings.project}
    return HttpAccess(
        base_url=settings.base_url.rstrip("/"),
        auth=StaticHeader("Authorization", settings.api_key, "Bearer "),
        headers={name: value for name, value in named.items() if value is not None},
    )

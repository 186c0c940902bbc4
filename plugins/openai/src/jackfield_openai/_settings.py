"""The configuration of a connection to OpenAI."""

from __future__ import annotations

from typing import Final, Literal

import attrs

from jackfield import ConfigurationError, Secret
from jackfield.plugin import Auth, HttpAccess, StaticHeader, secret

from ._credentials import OpenAIIdentity
from ._transports import NAMED_TRANSPORTS

__all__ = ["OpenAISettings", "access"]

_KEY: Final = Secret(reference="env:OPENAI_API_KEY")


@attrs.frozen(kw_only=True)
class OpenAISettings:
    """Configuration keys of a connection to OpenAI.

    Attributes:
        api_key: A reference to the key, or `none` for a server without one. The default, `env:OPENAI_API_KEY`, is sent
            to OpenAI's hosts only, so another `base_url` needs an `api_key`.
        base_url: The address of the API, with `/v1`. For data residency: `https://eu.api.openai.com/v1`.
        organization: Sent as `OpenAI-Organization`.
        project: Sent as `OpenAI-Project`.
        credentials: The name of an identity of kind `openai` (workload identity federation), which replaces the key.
        proxy: The connection's proxy, which is also used to fetch tokens.
        ca_bundle: The connection's certificate authorities, which are also used to fetch tokens.
        transport: "websocket" sends chats by the Responses API over WebSockets, which stay open between calls.
    """

    api_key: Secret = secret(
        env="OPENAI_API_KEY",
        hosts=("api.openai.com",),
        sent_to=lambda settings: () if settings.credentials else (settings.base_url,),
    )
    base_url: str = "https://api.openai.com/v1"
    organization: str | None = None
    project: str | None = None
    credentials: OpenAIIdentity | None = None
    proxy: str | None = attrs.field(default=None, repr=False)
    ca_bundle: str | None = None
    transport: Literal["http", "websocket"] = "http"

    def __attrs_post_init__(self) -> None:
        """Refuse two ways to authenticate, when the configuration is loaded."""
        if self.credentials is not None and self.api_key != _KEY:
            fault = "api_key and credentials are two ways to authenticate; write one"
            raise ConfigurationError(fault, mistakes=(fault,))


def access(settings: OpenAISettings) -> HttpAccess:
    """Return the address and the authentication."""
    auth: Auth = StaticHeader("Authorization", settings.api_key, "Bearer ")
    if settings.credentials is not None:
        auth = settings.credentials.auth(proxy=settings.proxy, ca_bundle=settings.ca_bundle)
    named = {"OpenAI-Organization": settings.organization, "OpenAI-Project": settings.project}
    return HttpAccess(
        base_url=settings.base_url.rstrip("/"),
        auth=auth,
        headers={name: value for name, value in named.items() if value is not None},
        named_transports=NAMED_TRANSPORTS,
    )

"""The settings of a connection to Cohere."""

from __future__ import annotations

import os
import re
from typing import Final

import attrs

from jackfield import ConfigurationError, Secret
from jackfield.plugin import HttpAccess, StaticHeader, secret

__all__ = ["CohereSettings", "access"]

_ENVIRONMENT: Final = "CO_API_KEY"
_PRINTED: Final = re.compile(r"[!-~]([ -~]*[!-~])?")
_OLD_ENVIRONMENT: Final = "COHERE_API_KEY"


@attrs.frozen(kw_only=True)
class CohereSettings:
    """Configuration keys of a connection to Cohere.

    Attributes:
        api_key: A reference to the key; `env:CO_API_KEY` unless given, else `env:COHERE_API_KEY` if only that is set. Under
            a `base_url` that is not Cohere's own it has to be written; `none` for a server without one.
        base_url: The address of the API, without `/v1` or `/v2`.
        client_name: Sent as `X-Client-Name`; appears in Cohere's own logs.
    """

    api_key: Secret = secret(env=_ENVIRONMENT, hosts=("api.cohere.com", "api.cohere.ai"))
    base_url: str = "https://api.cohere.com"
    client_name: str | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse a name that a header cannot contain, when the configuration is loaded."""
        if self.client_name is not None and not _PRINTED.fullmatch(self.client_name):
            raise ConfigurationError("client_name must be printable ASCII, without spaces at its ends")


def access(settings: CohereSettings) -> HttpAccess:
    """Return the address and the authentication. Source: its Python SDK 7.3.1."""
    key = settings.api_key
    # The environment is looked at only if no key was declared.
    is_default = key.reference == f"env:{_ENVIRONMENT}"
    if is_default and _OLD_ENVIRONMENT in os.environ and not os.environ.get(_ENVIRONMENT):
        key = Secret(reference=f"env:{_OLD_ENVIRONMENT}")
    named = {} if settings.client_name is None else {"X-Client-Name": settings.client_name}
    return HttpAccess(
        base_url=settings.base_url.rstrip("/"),
        auth=StaticHeader("Authorization", key, "Bearer "),
        headers=named,
    )

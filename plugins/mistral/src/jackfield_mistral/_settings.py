"""The configuration of a connection to Mistral."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import attrs

from jackfield import Secret
from jackfield.plugin import HttpAccess, StaticHeader, secret

__all__ = ["REGIONAL_HOSTS", "MistralSettings", "access", "is_regional"]

REGIONAL_HOSTS: Final = frozenset({"api.eu.mistral.ai", "api.us.mistral.ai"})
"""Hosts that compute in one region. Source: docs.mistral.ai, regional inference, 2026-08."""


@attrs.frozen(kw_only=True)
class MistralSettings:
    """Configuration keys of a connection to Mistral.

    Attributes:
        api_key: A reference to the key, or `none` for a server without one. The default, `env:MISTRAL_API_KEY`, is sent
            to Mistral's hosts only, so another `base_url` needs an `api_key`.
        base_url: The address of the API, without `/v1`. For inference in one region: `https://api.eu.mistral.ai`.
    """

    api_key: Secret = secret(env="MISTRAL_API_KEY", hosts=("mistral.ai",))
    base_url: str = "https://api.mistral.ai"


def access(settings: MistralSettings) -> HttpAccess:
    """Return the address and the authentication."""
    return HttpAccess(
        base_url=settings.base_url.rstrip("/"),
        auth=StaticHeader("Authorization", settings.api_key, "Bearer "),
    )


def is_regional(settings: object) -> bool:
    """Return whether a connection uses a regional host."""
    return isinstance(settings, MistralSettings) and urlsplit(settings.base_url).hostname in REGIONAL_HOSTS

"""What an administrator may write for a connection to Mistral."""

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
    """Config keys of a connection to Mistral.

    Attributes:
        api_key: A reference to the key; `none` for a server without one. `env:MISTRAL_API_KEY` goes to Mistral's own hosts
            alone: under another `base_url` it has to be written.
        base_url: Where the API is, without `/v1`. For inference in one region: `https://api.eu.mistral.ai`.
    """

    api_key: Secret = secret(env="MISTRAL_API_KEY", hosts=("mistral.ai",))
    base_url: str = "https://api.mistral.ai"


def access(settings: MistralSettings) -> HttpAccess:
    """Say how to reach Mistral."""
    return HttpAccess(
        base_url=settings.base_url.rstrip("/"),
        auth=StaticHeader("Authorization", settings.api_key, "Bearer "),
    )


def is_regional(settings: object) -> bool:
    """Say whether a connection goes to a regional host."""
    return isinstance(settings, MistralSettings) and urlsplit(settings.base_url).hostname in REGIONAL_HOSTS

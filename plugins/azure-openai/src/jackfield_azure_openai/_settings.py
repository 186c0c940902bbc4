"""The configuration of a connection to Azure OpenAI."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, Literal

import attrs

from jackfield import ConfigurationError, Secret
from jackfield.plugin import Auth, HttpAccess, NoAuth, StaticHeader, secret
from jackfield_openai import NAMED_TRANSPORTS

from ._address import address_faults, service_address
from ._clouds import Audience
from ._credentials import AzureIdentity

__all__ = ["AzureModelKeys", "AzureOpenAISettings", "access"]

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOSTS: Final = (
    "openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com", "services.ai.azure.us", "openai.azure.us",
    "cognitiveservices.azure.us", "openai.azure.cn", "cognitiveservices.azure.cn", "services.ai.azure.cn",
)  # fmt: skip
"""Hosts of resources. Source: Microsoft's pages on custom subdomains of Azure AI services and on its clouds (2026)."""
_KEY: Final = Secret(reference="env:AZURE_OPENAI_API_KEY")


@attrs.frozen(kw_only=True)
class AzureModelKeys:
    """Configuration keys of an entry in `models`.

    Attributes:
        zone: Where the deployment runs, which determines its price: "global", a data zone ("us", "eu"), one
            region ("regional"), or "provisioned" (paid per hour: declare a `rate`).
    """

    zone: Literal["global", "us", "eu", "regional", "provisioned"] = "global"


@attrs.frozen(kw_only=True)
class AzureOpenAISettings:
    """Configuration keys of a connection to Azure OpenAI.

    Attributes:
        endpoint: The address of the resource, `https://NAME.openai.azure.com`, or of a gateway; may end in
            `/openai/v1`.
        api_version: A dated version ("2024-10-21") selects the classic API, whose paths contain the deployment.
            Absent or "v1": the v1 API.
        api_key: A reference to the resource's key, or `none` for a server without one. The default,
            `env:AZURE_OPENAI_API_KEY`, is sent to `endpoint` and to hosts of Azure only, so another `base_url` needs an
            `api_key`.
        key_header: The header for the key. API Management may require `Ocp-Apim-Subscription-Key`; "" sends no key
            (the connection's `headers` contain the authentication).
        credentials: The name of an identity of kind `azure`, which replaces the key.
        base_url: Replaces scheme and host of the endpoint; may end in `/openai`, like the SDK's.
        proxy: The connection's proxy, which is also used to fetch tokens.
        ca_bundle: The connection's certificate authorities, which are also used to fetch tokens.
    """

    endpoint: str | None = None
    api_version: str | None = None
    api_key: Secret = secret(
        env="AZURE_OPENAI_API_KEY",
        hosts=_HOSTS,
        sent_to=lambda settings: (settings.base_url or settings.endpoint,) if settings.key_header else (),
    )
    key_header: str = "api-key"
    credentials: Any = None
    base_url: str | None = None
    proxy: str | None = attrs.field(default=None, repr=False)
    ca_bundle: str | None = None

    def __attrs_post_init__(self) -> None:
        """Check all keys when the configuration is loaded, and report all mistakes at once."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        yield from address_faults(self.endpoint, self.base_url, self.api_version)
        if self.key_header and not _HEADER.fullmatch(self.key_header):
            yield f"key_header must be the name of a header (letters, digits and -), not {self.key_header!r}"
        if self.credentials is not None and self.api_key != _KEY:
            yield "has both api_key and credentials; write one of them"

    @property
    def version(self) -> str | None:
        """The dated version; None for the v1 API."""
        return service_address(self.endpoint, self.base_url, self.api_version).version


def access(settings: AzureOpenAISettings) -> HttpAccess:
    """Return the address and the authentication."""
    address = service_address(settings.endpoint, settings.base_url, settings.api_version)
    auth = _choose_auth(settings)
    return HttpAccess(base_url=address.base, auth=auth, named_transports=NAMED_TRANSPORTS)


def _choose_auth(settings: AzureOpenAISettings) -> Auth:
    if settings.credentials is not None:
        identity: AzureIdentity = settings.credentials
        address = settings.endpoint or settings.base_url
        return identity.auth(Audience.RESOURCE, address, proxy=settings.proxy, ca_bundle=settings.ca_bundle)
    if not settings.key_header:
        return NoAuth()
    prefix = "Bearer " if settings.key_header.lower() == "authorization" else ""
    return StaticHeader(settings.key_header, settings.api_key, prefix)

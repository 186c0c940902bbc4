"""What an administrator may write for a connection to Azure OpenAI."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, Literal

import attrs

from jackfield import ConfigurationError, Secret
from jackfield.plugin import Auth, Bearer, HttpAccess, NoAuth, StaticHeader, secret

from ._address import address_faults, service_address

__all__ = ["AzureModelKeys", "AzureOpenAISettings"]

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOSTS: Final = (
    "openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com", "services.ai.azure.us", "openai.azure.us",
    "cognitiveservices.azure.us", "openai.azure.cn", "cognitiveservices.azure.cn",
)  # fmt: skip
"""Hosts of resources. Source: Microsoft's pages on custom subdomains of Azure AI services and on its clouds (2026)."""
_KEY: Final = Secret(reference="env:AZURE_OPENAI_API_KEY")


@attrs.frozen(kw_only=True)
class AzureModelKeys:
    """Keys of an entry in `models`.

    Attributes:
        zone: Where the deployment runs, which its price depends on: "global", a data zone ("us", "eu"), one
            region ("regional"), or "provisioned" (paid by the hour: declare a `rate`).
    """

    zone: Literal["global", "us", "eu", "regional", "provisioned"] = "global"


@attrs.frozen(kw_only=True)
class AzureOpenAISettings:
    """Config keys of a connection to Azure OpenAI.

    Attributes:
        endpoint: The resource's address, `https://NAME.openai.azure.com`; a gateway's; or one that ends in
            `/openai/v1`.
        api_version: A dated version ("2024-10-21") asks for the classic API, where the deployment stands in
            the path. Absent or "v1": the v1 API.
        api_key: A reference to the resource's key; `none` for a server without one. `env:AZURE_OPENAI_API_KEY` goes to
            `endpoint`, and to no `base_url` that is not Azure's own: there it has to be written.
        key_header: The header that carries the key. API Management may want
            `Ocp-Apim-Subscription-Key`; "" sends no key (the proof stands in the connection's `headers`).
        credentials: An identity of kind `azure`, in place of the key.
        base_url: Replaces scheme and host of the endpoint; may end in `/openai`, as the SDK's does.
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

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot work, all of it at once, when the config is loaded."""
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

    def access(self) -> HttpAccess:
        """Say how to reach the resource."""
        address = service_address(self.endpoint, self.base_url, self.api_version)
        return HttpAccess(base_url=address.base, auth=self._auth())

    def _auth(self) -> Auth:
        if self.credentials is not None:
            # Source: Microsoft's page on the API's lifecycle, 2026: the audience of today's resources.
            scope = "https://ai.azure.com/.default"
            return Bearer(lambda: self.credentials.token(scope))
        if not self.key_header:
            return NoAuth()
        prefix = "Bearer " if self.key_header.lower() == "authorization" else ""
        return StaticHeader(self.key_header, self.api_key, prefix)

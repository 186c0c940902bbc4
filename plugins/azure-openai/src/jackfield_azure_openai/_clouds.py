"""The clouds of Azure: what tokens for their services are asked for."""

from __future__ import annotations

from enum import Enum
from urllib.parse import urlsplit

__all__ = ["Audience"]


class Audience(Enum):
    """A kind of service, with the OAuth scope of tokens for it: the commercial cloud's, the US government's and China's.

    Sources: Microsoft's page on the API's lifecycle (2026) for current resources; "Azure OpenAI in Azure Government" and
    azure-ai-ml 1.30 (`_azure_environments.py`) for the other clouds.
    """

    RESOURCE = (
        "https://ai.azure.com",
        "https://cognitiveservices.azure.us",
        "https://cognitiveservices.azure.cn",
    )
    ENDPOINT = ("https://ml.azure.com", "https://ml.azure.us", "https://ml.azure.cn")

    def scope(self, address: str | None, authority: str) -> str:
        """Return the scope of tokens for a service.

        Args:
            address: The address of the service. That of a gateway names no cloud.
            authority: The address of the token service, which then does.
        """
        commercial, us, china = self.value
        for host in (_host_of(address), _host_of(authority)):
            if host.endswith(".azure.com"):
                break
            if host.endswith((".azure.us", ".azure-api.us", ".microsoftonline.us")):
                return f"{us}/.default"
            if host.endswith((".azure.cn", ".azure-api.cn", ".microsoftonline.cn", ".chinacloudapi.cn")):
                return f"{china}/.default"
        return f"{commercial}/.default"


def _host_of(address: str | None) -> str:
    text = address or ""
    return (urlsplit(text if "://" in text else f"https://{text}").hostname or "").rstrip(".").lower()

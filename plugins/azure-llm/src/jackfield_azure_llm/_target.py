"""Parse Target URIs, as copied from a portal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import attrs

from jackfield import ConfigurationError

__all__ = ["Target", "target_of"]

_OPERATION: Final = re.compile(
    r"/(chat/completions|completions|images/embeddings|embeddings|responses|score|info|swagger\.json)$"
)
_MESSAGES: Final = re.compile(r"/v1/messages(/count_tokens)?$|(?<=/anthropic)/v1$")
_PORTALS: Final = ("portal.azure.com", "ai.azure.com", "ml.azure.com", "studio.azureml.net", "oai.azure.com")
# Hosts of Foundry resources: the header of the key is `api-key`, the paths of OpenAI's v1 begin with /openai/v1.
_RESOURCES: Final = tuple(
    f".{kind}.azure.{cloud}"
    for kind in ("services.ai", "openai", "cognitiveservices")
    for cloud in ("com", "us", "cn")
)
_INFERENCE_VERSION: Final = "2024-05-01-preview"
_EXAMPLE: Final = 'as in "https://NAME.REGION.models.ai.azure.com"'


@attrs.frozen
class Target:
    """The address of an endpoint.

    Attributes:
        origin: Scheme and host.
        path: The prefix of `/chat/completions` and `/embeddings`.
        query: Sent with each request.
        inference: Whether it is the route of Azure AI model inference, not OpenAI's v1.
        resource: Whether it is a Foundry resource: the header of the key is `api-key`, tokens have another scope.
        messages: Whether it is Anthropic's Messages API; then `path` is the prefix of `/v1/messages`.
    """

    origin: str
    path: str
    query: Mapping[str, str]
    inference: bool = False
    resource: bool = False
    messages: bool = False

    def for_messages(self) -> Target:
        """Return the address of Anthropic's Messages API of the same resource, or of the same gateway.

        Source: Claude in Microsoft Foundry (platform.claude.com, 2026).
        """
        if self.messages:
            return self
        path = "/anthropic" if self.resource else self.path.removesuffix("/v1")
        query = {} if self.inference else self.query
        return attrs.evolve(self, path=path, query=query, inference=False, messages=True)


@lru_cache(maxsize=1024)
def target_of(uri: str) -> Target:
    """Parse a Target URI.

    A missing scheme is added, the path of an operation (`/chat/completions`, `/score`, ...) is removed, a query
    is kept. A URI without a path uses OpenAI's v1; a path `/models`, or an `api-version`, selects the route of
    model inference; a path `/anthropic`, or one that ends in `/v1/messages`, Anthropic's Messages API.

    Sources: Microsoft's pages on endpoints (2026), azure-ai-inference 1.0.0b9, Anthropic's Python SDK 2.12.0.

    Raises:
        ConfigurationError: The text is not the address of an endpoint.
    """
    text = uri.strip().strip("<>\"'")
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, _ = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise ConfigurationError(
            f"the target URI {uri!r} is not valid ({error}); copy it again, {_EXAMPLE}"
        ) from error
    _check(uri, parts.scheme, host, parts.netloc)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    path = re.sub(r"/{2,}", "/", parts.path).rstrip("/")
    resource = host.endswith(_RESOURCES)
    origin = f"{parts.scheme}://{parts.netloc}"
    if path.endswith("/anthropic") or _MESSAGES.search(path):
        return Target(origin, _MESSAGES.sub("", path), query, resource=resource, messages=True)
    path = _OPERATION.sub("", path)
    _check_path(uri, path, query)
    inference = path.endswith("/models") or (not path and "api-version" in query)
    if not path and not inference:
        path = "/openai/v1" if resource else "/v1"
    elif path == "/openai":
        path = "/openai/v1"
    if inference:
        query.setdefault("api-version", _INFERENCE_VERSION)
    return Target(origin, path, query, inference, resource)


def _check(uri: str, scheme: str, host: str, netloc: str) -> None:
    if scheme not in ("http", "https"):
        raise ConfigurationError(f"the target URI {uri!r} must begin with https://, {_EXAMPLE}")
    if not host.strip(".") or any(character.isspace() for character in netloc):
        raise ConfigurationError(
            f"the target URI {uri!r} has no host; copy it from the endpoint's page, {_EXAMPLE}"
        )
    if "@" in netloc:
        raise ConfigurationError("the target URI contains a user or a password; write the key as api_key")
    if host in _PORTALS:
        raise ConfigurationError(
            f"{uri!r} is a page of the portal; copy the Target URI from this page, {_EXAMPLE}"
        )
    if "." not in host and host != "localhost" and ":" not in host:
        raise ConfigurationError(f"the target URI {uri!r} has no full host name; copy all of it, {_EXAMPLE}")


def _check_path(uri: str, path: str, query: Mapping[str, str]) -> None:
    if "/api/projects" in path:
        raise ConfigurationError(
            f"{uri!r} is a project's address; write its resource's: https://NAME.services.ai.azure.com/openai/v1"
        )
    if "/deployments/" in path and "api-version" not in query:
        raise ConfigurationError(
            f"{uri!r} lacks the api-version of a deployment's address; copy it with its ?api-version=..."
        )

"""Target URIs as they are copied from a portal, made into addresses."""

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
_PORTALS: Final = ("portal.azure.com", "ai.azure.com", "ml.azure.com", "studio.azureml.net", "oai.azure.com")
# Hosts of Foundry resources: the key goes into `api-key`, the OpenAI route lies below /openai/v1.
_RESOURCES: Final = (
    ".services.ai.azure.com",
    ".openai.azure.com",
    ".cognitiveservices.azure.com",
    ".openai.azure.us",
)
_INFERENCE_VERSION: Final = "2024-05-01-preview"
_SHOWN: Final = 'as in "https://NAME.REGION.models.ai.azure.com"'


@attrs.frozen
class Target:
    """Where an endpoint is.

    Attributes:
        origin: Scheme and host.
        path: What stands before `/chat/completions` and `/embeddings`.
        query: Sent with each request.
        inference: It is the Azure AI model-inference route, not OpenAI's v1.
        resource: It is a Foundry resource: the key goes into `api-key`, tokens have another audience.
    """

    origin: str
    path: str
    query: Mapping[str, str]
    inference: bool = False
    resource: bool = False


@lru_cache(maxsize=1024)
def target_of(uri: str) -> Target:
    """Read a target URI.

    A scheme that was lost is added, the operation's own path (`/chat/completions`, `/score`, ...) is taken off,
    a query is kept. What has no path speaks OpenAI's v1; a path `/models`, or an `api-version`, tells the
    model-inference route.

    Sources: Microsoft's pages on endpoints (2026), azure-ai-inference 1.0.0b9.

    Raises:
        ConfigurationError: It is no address of an endpoint; says why.
    """
    text = uri.strip().strip("<>\"'")
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, _ = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise ConfigurationError(
            f"the target URI {uri!r} cannot be read ({error}); copy it again, {_SHOWN}"
        ) from error
    _check(uri, parts.scheme, host, parts.netloc)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    path = _OPERATION.sub("", re.sub(r"/{2,}", "/", parts.path).rstrip("/"))
    _check_path(uri, path, query)
    resource = host.endswith(_RESOURCES)
    inference = path.endswith("/models") or (not path and "api-version" in query)
    if not path and not inference:
        path = "/openai/v1" if resource else "/v1"
    elif path == "/openai":
        path = "/openai/v1"
    if inference:
        query.setdefault("api-version", _INFERENCE_VERSION)
    return Target(f"{parts.scheme}://{parts.netloc}", path, query, inference, resource)


def _check(uri: str, scheme: str, host: str, netloc: str) -> None:
    if scheme not in ("http", "https"):
        raise ConfigurationError(f"the target URI {uri!r} must begin with https://, {_SHOWN}")
    if not host.strip(".") or any(character.isspace() for character in netloc):
        raise ConfigurationError(
            f"the target URI {uri!r} names no host; copy it from the endpoint's page, {_SHOWN}"
        )
    if "@" in netloc:
        raise ConfigurationError("the target URI holds a name or a password; write the key as api_key")
    if host in _PORTALS:
        raise ConfigurationError(
            f"{uri!r} is a page of the portal; copy the Target URI that this page shows, {_SHOWN}"
        )
    if "." not in host and host != "localhost" and ":" not in host:
        raise ConfigurationError(f"the target URI {uri!r} has no full host name; copy all of it, {_SHOWN}")


def _check_path(uri: str, path: str, query: Mapping[str, str]) -> None:
    if "/api/projects" in path:
        raise ConfigurationError(
            f"{uri!r} is a project's address; write its resource's: https://NAME.services.ai.azure.com/openai/v1"
        )
    if path.startswith("/anthropic") or "/messages" in path:
        raise ConfigurationError(
            f"{uri!r} speaks Anthropic's API, not OpenAI's; it is none of this provider's"
        )
    if "/deployments/" in path and "api-version" not in query:
        raise ConfigurationError(
            f"{uri!r} lacks the api-version that a deployment's address has: copy it with its ?api-version=..."
        )

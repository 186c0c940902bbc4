"""The configuration of a connection to endpoints of Azure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import attrs

from jackfield import ConfigurationError, Secret
from jackfield.plugin import Auth, HttpAccess, ModelEntry, ModelRef, StaticHeader, secret
from jackfield_azure_openai.identity import Audience, AzureIdentity

from ._names import is_claude
from ._target import Target, target_of

__all__ = ["AzureLLMModelKeys", "AzureLLMSettings", "access"]

_ROUTES: Final = ("chat", "messages", "responses")
"""The values of a model's `route`. The Responses API is azure-openai's, which an error at the call says."""

# Source: azure-ai-inference 1.0.0b9 (endpoints), Microsoft's page on the API's lifecycle, 2026 (resources).
_DEPLOYMENT: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*")
_HOSTS: Final = (
    "models.ai.azure.com", "inference.ml.azure.com", "inference.ai.azure.com", "services.ai.azure.com",
    "openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.us", "openai.azure.us",
    "cognitiveservices.azure.us", "inference.ml.azure.us", "services.ai.azure.cn", "openai.azure.cn",
    "cognitiveservices.azure.cn", "inference.ml.azure.cn",
)  # fmt: skip
"""Hosts of endpoints. Source: Microsoft's pages on endpoints of Foundry and of Azure Machine Learning (2026)."""
_KEY: Final = Secret(reference="env:AZURE_AI_KEY")


@attrs.frozen(kw_only=True)
class AzureLLMModelKeys:
    """Configuration keys of an entry in `models`.

    Attributes:
        target_uri: The endpoint's Target URI, as the portal shows it.
        api_key: A reference to this endpoint's key; by default the connection's.
        model_name: The model's name in requests; by default the entry's id. "" leaves it out.
        deployment: The deployment of a managed online endpoint, regardless of its traffic rules.
        stream_usage: Whether streams request their usage; false for servers that reject `stream_options`.
    """

    target_uri: str | None = None
    api_key: Secret | None = secret()
    model_name: str | None = None
    deployment: str | None = None
    stream_usage: bool = True

    def __attrs_post_init__(self) -> None:
        """Check all keys when the configuration is loaded, and report all mistakes at once."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        if self.target_uri is not None:
            yield from _uri_faults(self.target_uri)
        if self.deployment is not None and not _DEPLOYMENT.fullmatch(self.deployment):
            yield f"deployment must be a deployment's name (letters, digits and dashes), not {self.deployment!r}"


def _uri_faults(uri: str) -> Iterator[str]:
    try:
        target_of(uri)
    except ConfigurationError as error:
        yield error.message


@attrs.frozen(kw_only=True)
class AzureLLMSettings:
    """Configuration keys of a connection to endpoints of Azure.

    Attributes:
        target_uri: The Target URI of models without one of their own (a Foundry resource has many models).
        api_key: A reference to the key of endpoints without one of their own, or `none`. The default,
            `env:AZURE_AI_KEY`, is sent to endpoints and to hosts of Azure only, so another `base_url` needs an
            `api_key`.
        anthropic_version: Sent as `anthropic-version` to Anthropic's Messages API. 2026-10-21 has no sampling options.
        credentials: The name of an identity of kind `azure`, which replaces keys.
        base_url: Replaces scheme and host of every endpoint.
        models: The entries, from the core.
        proxy: The connection's proxy, which is also used to fetch tokens.
        ca_bundle: The connection's certificate authorities, which are also used to fetch tokens.
    """

    target_uri: str | None = None
    api_key: Secret = secret(
        env="AZURE_AI_KEY", hosts=_HOSTS, sent_to=lambda settings: settings.key_addresses
    )
    anthropic_version: Literal["2023-06-01", "2026-10-21"] = "2023-06-01"
    credentials: Any = None
    base_url: str | None = None
    models: tuple[ModelEntry, ...] = ()
    proxy: str | None = attrs.field(default=None, repr=False)
    ca_bundle: str | None = None

    def __attrs_post_init__(self) -> None:
        """Check all keys when the configuration is loaded, and report all mistakes at once."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        if self.target_uri is not None:
            yield from _uri_faults(self.target_uri)
        if self.credentials is not None and self.api_key != _KEY:
            yield "has both api_key and credentials; write one of them"
        for entry in self.models:
            uri = entry.raw.get("target_uri", self.target_uri)
            if uri is None:
                yield _describe_missing(entry.id)
            else:
                yield from _route_faults(entry, uri)

    @property
    def key_addresses(self) -> tuple[str, ...]:
        """The addresses that the connection's key is sent to: endpoints without a key of their own."""
        entries = [entry.raw for entry in self.models if _own_key(entry) is None]
        if self.models and not entries:
            return ()
        if self.base_url is not None:
            return (self.base_url,)
        return tuple(self.target(entry).origin for entry in entries)

    def target(self, declared: Mapping[str, Any]) -> Target:
        """Return the endpoint of an entry in `models`: that of Anthropic's Messages API for a Claude of a Foundry resource.

        Raises:
            ConfigurationError: Neither the entry nor the connection has one.
        """
        uri = declared.get("target_uri", self.target_uri)
        if uri is None:
            raise ConfigurationError(_describe_missing(declared.get("id", "?")))
        target = target_of(uri)
        route = declared.get("route")
        by_messages = route == "messages" or (
            route is None and target.resource and is_claude(declared.get("underlying"))
        )
        return target.for_messages() if by_messages else target

    def auth_name(self, model: ModelRef, target: Target) -> str | None:
        """Return the name of the authentication for a model's endpoint; None for the connection's own."""
        entry = model.declared.get("id")
        if any(entry == other.id and _own_key(other) is not None for other in self.models):
            return _auth_name(entry)
        return "messages" if target.messages else "resource" if target.resource else None


def access(settings: AzureLLMSettings) -> HttpAccess:
    """Return the address and the authentication: one for all endpoints, and those of endpoints with a key."""
    entries = settings.models
    keys = [(entry, key) for entry in entries if (key := _own_key(entry)) is not None]
    named = {_auth_name(entry.id): _key_for(settings.target(entry.raw), key) for entry, key in keys}
    optional = bool(entries) and len(keys) == len(entries)
    origins = [settings.target(entry.raw).origin for entry in entries]
    resource = _shared_auth(settings, "api-key", "", Audience.RESOURCE, optional=optional)
    messages = _shared_auth(settings, "x-api-key", "", Audience.RESOURCE, optional=optional)
    return HttpAccess(
        # Without base_url every wire has an address of its own, so this one is not used.
        base_url=settings.base_url or next(iter(origins), "https://ml.azure.com"),
        auth=_shared_auth(settings, "Authorization", "Bearer ", Audience.ENDPOINT, optional=optional),
        named_auth={"resource": resource, "messages": messages, **named},
    )


def _shared_auth(
    settings: AzureLLMSettings, header: str, prefix: str, audience: Audience, *, optional: bool
) -> Auth:
    if settings.credentials is not None:
        identity: AzureIdentity = settings.credentials
        targets = [settings.target(entry.raw) for entry in settings.models]
        is_resource = audience is Audience.RESOURCE
        address = next((one.origin for one in targets if (one.resource or one.messages) == is_resource), None)
        return identity.auth(audience, address, proxy=settings.proxy, ca_bundle=settings.ca_bundle)
    return StaticHeader(header, settings.api_key, prefix, optional=optional)


def _route_faults(entry: ModelEntry, uri: str) -> Iterator[str]:
    route = entry.raw.get("route")
    if route is None:
        return
    if route not in _ROUTES:
        yield f"models[{entry.id}] has the route {route!r}; the routes of azure-llm are {', '.join(_ROUTES)}"
    elif route != "messages" and _is_messages(uri):
        yield f"models[{entry.id}] has the route {route!r}, but its target_uri is that of Anthropic's Messages API"


def _is_messages(uri: str) -> bool:
    try:
        return target_of(uri).messages
    except ConfigurationError:  # which is reported by itself
        return False


def _describe_missing(entry: Any) -> str:
    return f"models[{entry}] has no target_uri; copy the Target URI from the endpoint's page"


def _auth_name(entry: Any) -> str:
    return f"key of {entry}"


def _own_key(entry: ModelEntry) -> Secret | None:
    return entry.own.api_key if isinstance(entry.own, AzureLLMModelKeys) else None


def _key_for(target: Target, key: Secret) -> StaticHeader:
    if target.messages:
        # Source: Anthropic's Python SDK 2.12.0: Foundry reads this header; the SDK adds `api-key` for older resources.
        return StaticHeader("x-api-key", key)
    return StaticHeader("api-key", key) if target.resource else StaticHeader("Authorization", key, "Bearer ")

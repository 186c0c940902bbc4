"""What an administrator may write for a connection to endpoints of Azure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from jackfield import ConfigurationError, Secret
from jackfield.plugin import Auth, Bearer, HttpAccess, ModelEntry, ModelRef, StaticHeader, secret

from ._target import Target, target_of

__all__ = ["AzureLLMModelKeys", "AzureLLMSettings"]

# Source: azure-ai-inference 1.0.0b9 (endpoints), Microsoft's page on the API's lifecycle, 2026 (resources).
_DEPLOYMENT: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*")
_HOSTS: Final = (
    "models.ai.azure.com", "inference.ml.azure.com", "inference.ai.azure.com", "services.ai.azure.com",
    "openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.us", "openai.azure.us",
)  # fmt: skip
"""Hosts of endpoints. Source: Microsoft's pages on endpoints of Foundry and of Azure Machine Learning (2026)."""
_KEY: Final = Secret(reference="env:AZURE_AI_KEY")
_ENDPOINTS: Final = "https://ml.azure.com/.default"
_RESOURCES: Final = "https://ai.azure.com/.default"


@attrs.frozen(kw_only=True)
class AzureLLMModelKeys:
    """Keys of an entry in `models`.

    Attributes:
        target_uri: The endpoint's Target URI, as Azure shows it.
        api_key: A reference to this endpoint's key; the connection's unless given.
        model_name: What requests call the model; the entry's id unless given, "" leaves it out.
        deployment: The deployment of a managed online endpoint, past its traffic rules.
        stream_usage: Streams are asked for their usage; false for servers that refuse `stream_options`.
    """

    target_uri: str | None = None
    api_key: Secret | None = secret()
    model_name: str | None = None
    deployment: str | None = None
    stream_usage: bool = True

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot work, all of it at once, when the config is loaded."""
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
    """Config keys of a connection to endpoints of Azure.

    Attributes:
        target_uri: Where models are whose entry names no endpoint (a Foundry resource has many models).
        api_key: A reference to the key of endpoints that have none of their own; `none` for none. `env:AZURE_AI_KEY` goes
            to endpoints, and to no `base_url` that is not Azure's own: there it has to be written.
        credentials: An identity of kind `azure`, in place of keys.
        base_url: Replaces scheme and host of every endpoint.
        models: The entries, given by the core.
    """

    target_uri: str | None = None
    api_key: Secret = secret(
        env="AZURE_AI_KEY", hosts=_HOSTS, sent_to=lambda settings: settings.addresses_of_the_key
    )
    credentials: Any = None
    base_url: str | None = None
    models: tuple[ModelEntry, ...] = ()

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot work, all of it at once, when the config is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        if self.target_uri is not None:
            yield from _uri_faults(self.target_uri)
        if self.credentials is not None and self.api_key != _KEY:
            yield "has both api_key and credentials; write one of them"
        for entry in self.models:
            if self.target_uri is None and entry.raw.get("target_uri") is None:
                yield _homeless(entry.id)

    @property
    def addresses_of_the_key(self) -> tuple[str, ...]:
        """Where the connection's own key goes: to endpoints that have none of their own."""
        entries = [entry.raw for entry in self.models if _own_key(entry) is None]
        if self.models and not entries:
            return ()
        if self.base_url is not None:
            return (self.base_url,)
        return tuple(self.target(entry).origin for entry in entries)

    def target(self, declared: Mapping[str, Any]) -> Target:
        """Give the endpoint of an entry in `models`.

        Raises:
            ConfigurationError: Neither the entry nor the connection names one.
        """
        uri = declared.get("target_uri", self.target_uri)
        if uri is None:
            raise ConfigurationError(_homeless(declared.get("id", "?")))
        return target_of(uri)

    def auth_name(self, model: ModelRef, target: Target) -> str | None:
        """Give the name of the proof of identity for a model's endpoint; None for the connection's own."""
        entry = model.declared.get("id")
        if any(entry == other.id and _own_key(other) is not None for other in self.models):
            return _name(entry)
        return "resource" if target.resource else None

    def access(self) -> HttpAccess:
        """Say how to reach the endpoints: one key for all, and the keys that some have."""
        keys = [(entry, key) for entry in self.models if (key := _own_key(entry)) is not None]
        named = {_name(entry.id): _key_for(self.target(entry.raw), key) for entry, key in keys}
        spare = bool(self.models) and len(keys) == len(self.models)
        origins = [self.target(entry.raw).origin for entry in self.models]
        return HttpAccess(
            # Without base_url every wire has an address of its own, so any will do.
            base_url=self.base_url or next(iter(origins), "https://ml.azure.com"),
            auth=self._auth("Authorization", "Bearer ", _ENDPOINTS, spare=spare),
            named_auth={"resource": self._auth("api-key", "", _RESOURCES, spare=spare), **named},
        )

    def _auth(self, header: str, prefix: str, scope: str, *, spare: bool) -> Auth:
        if self.credentials is not None:
            return Bearer(lambda: self.credentials.token(scope))
        return StaticHeader(header, self.api_key, prefix, optional=spare)


def _homeless(entry: Any) -> str:
    return f"models[{entry}] has no target_uri; copy the Target URI from the endpoint's page"


def _name(entry: Any) -> str:
    return f"key of {entry}"


def _own_key(entry: ModelEntry) -> Secret | None:
    return entry.own.api_key if isinstance(entry.own, AzureLLMModelKeys) else None


def _key_for(target: Target, key: Secret) -> StaticHeader:
    return StaticHeader("api-key", key) if target.resource else StaticHeader("Authorization", key, "Bearer ")

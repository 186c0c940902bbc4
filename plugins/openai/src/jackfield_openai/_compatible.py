"""A plugin for any service that speaks OpenAI's dialect, in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from jackfield import Cost, JackfieldError, Secret
from jackfield.plugin import (
    Capabilities,
    CostContext,
    Decoder,
    Failure,
    HttpAccess,
    Kind,
    Listing,
    ModelRef,
    ProviderInfo,
    RateCard,
    Request,
    StaticHeader,
    Translation,
    Wire,
    hookimpl,
    secret,
)

from ._dialect import Dialect
from ._routes import decoder, translate

__all__ = ["CompatiblePlugin", "compatible"]


def compatible(
    *,
    id: str,
    base_url: str | None = None,
    api_key_env: str | None = None,
    title: str | None = None,
    kinds: frozenset[Kind] = frozenset({"chat", "completion", "embedding"}),
    capabilities: Callable[[ModelRef], Capabilities] | None = None,
    docs: str | None = None,
    **dialect: Any,
) -> CompatiblePlugin:
    """Make a provider plugin for a service that speaks OpenAI's dialect.

    Put the result into a module that an entry point in `jackfield.providers.v1` names:
    `acme = "jackfield_acme:plugin"`.

    Args:
        id: The provider's id, the entry point's name.
        base_url: Where the service is, with `/v1`; a connection may give another. None: it must.
        api_key_env: The environment variable of its key, needed unless a connection gives another
            reference. It goes to the host of `base_url` alone: a connection to another address names its key, or
            `none`. None: a key is sent if a connection gives one, and none is needed (local servers).
        title: For people; the id if absent.
        kinds: The kinds of request it serves.
        capabilities: What is known of a model offline. Nothing unless given: then every option is sent.
        docs: Address of its documentation.
        dialect: Where the service differs: fields of `jackfield_openai.Dialect`.

    Raises:
        TypeError: The dialect has no such field.
    """
    if capabilities is not None:
        dialect["capabilities"] = capabilities
    info = ProviderInfo(
        id=id,
        title=title or id,
        settings=_settings(base_url, api_key_env),
        kinds=kinds,
        related=tuple(dialect.get("also", ())),
        docs=docs,
    )
    return CompatiblePlugin(info, Dialect(id=id, **dialect), needs_key=api_key_env is not None)


def _settings(base_url: str | None, api_key_env: str | None) -> type:
    default: Any = attrs.NOTHING if base_url is None else base_url

    @attrs.frozen(kw_only=True)
    class CompatibleSettings:
        """Config keys of a connection to a compatible service: `api_key` and `base_url`."""

        api_key: Secret | None = secret(env=api_key_env)
        base_url: str = default

    return CompatibleSettings


@attrs.frozen(eq=False)
class CompatiblePlugin:
    """A provider plugin as an object.

    Attributes:
        info: Who the provider is.
        dialect: How it speaks.
        needs_key: No call is made without a key.
    """

    info: ProviderInfo
    dialect: Dialect
    needs_key: bool = False

    @hookimpl
    def jackfield_provider(self) -> ProviderInfo:
        """Say who the provider is."""
        return self.info

    @hookimpl
    def jackfield_capabilities(self, model: ModelRef) -> Capabilities:
        """Say what is known of a model."""
        return self.dialect.capabilities(model)

    @hookimpl
    def jackfield_discover(self) -> Listing | None:
        """Say how to list models."""
        from ._listing import listing

        return listing(self.dialect)

    @hookimpl
    def jackfield_translate(
        self, model: ModelRef, request: Request, capabilities: Capabilities
    ) -> Translation:
        """Turn a request into a wire."""
        return translate(self.dialect, model, request, capabilities)

    @hookimpl
    def jackfield_decoder(self, wire: Wire) -> Decoder:
        """Give the decoder for the answer to a wire."""
        return decoder(self.dialect, wire)

    @hookimpl
    def jackfield_error(self, failure: Failure) -> JackfieldError | None:
        """Turn a failure into an error."""
        from ._errors import error

        return error(failure)

    @hookimpl
    def jackfield_cost(self, context: CostContext) -> RateCard | Cost | None:
        """Give the cost that the service itself tells, if it does."""
        if self.dialect.cost is None:
            return None
        from ._prices import reported_cost

        return reported_cost(self.dialect.cost, context)

    @hookimpl
    def jackfield_transport(self, settings: Any) -> HttpAccess:
        """Say how to reach the service."""
        key = StaticHeader("Authorization", settings.api_key, "Bearer ", optional=not self.needs_key)
        return HttpAccess(base_url=settings.base_url.rstrip("/"), auth=key)

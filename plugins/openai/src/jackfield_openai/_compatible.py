"""A plugin for any service that uses OpenAI's dialect, in one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from ._transports import NAMED_TRANSPORTS

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
    """Create a provider plugin for a service that uses OpenAI's dialect.

    Assign the result to a name in a module, and name both in an entry point in `jackfield.providers.v1`:
    `acme = "jackfield_acme:plugin"`.

    Args:
        id: The provider's id, which is the name of the entry point.
        base_url: The default address of the service, with `/v1`. None: each connection must have one.
        api_key_env: The environment variable of its key, which connections without `api_key` use. This key is
            sent to the host of `base_url` only: a connection to another address must have an `api_key`, or "none".
            None: a key is optional (local servers).
        title: The provider's title; its id if None.
        kinds: The kinds of request that it supports.
        capabilities: Returns the capabilities of a model, without a request. None: they are unknown, so every
            option is sent.
        docs: The address of its documentation.
        dialect: Fields of `jackfield_openai.Dialect` in which the service differs.

    Raises:
        TypeError: The dialect has no such field.
    """
    if capabilities is not None:
        dialect["capabilities"] = capabilities
    info = ProviderInfo(
        id=id,
        title=title or id,
        settings=_make_settings(base_url, api_key_env),
        kinds=kinds,
        has_routes=True,
        related=tuple(dialect.get("also", ())),
        docs=docs,
    )
    return CompatiblePlugin(info, Dialect(id=id, **dialect), needs_key=api_key_env is not None)


def _make_settings(base_url: str | None, api_key_env: str | None) -> type:
    default: Any = attrs.NOTHING if base_url is None else base_url

    @attrs.frozen(kw_only=True)
    class CompatibleSettings:
        """Configuration keys of a connection to a compatible service: `api_key` and `base_url`."""

        api_key: Secret | None = secret(env=api_key_env)
        base_url: str = default

    return CompatibleSettings


class CompatiblePlugin:
    """A provider plugin as an object.

    Attributes:
        info: The provider's description.
        dialect: How the service uses the dialect.
        needs_key: A call without a key is refused.
    """

    def __init__(self, info: ProviderInfo, dialect: Dialect, *, needs_key: bool = False) -> None:
        self.info = info
        self.dialect = dialect
        self.needs_key = needs_key

    @hookimpl
    def jackfield_provider(self) -> ProviderInfo:
        """Return the provider's description."""
        return self.info

    @hookimpl
    def jackfield_capabilities(self, model: ModelRef) -> Capabilities:
        """Return the capabilities of a model."""
        return self.dialect.capabilities(model)

    @hookimpl
    def jackfield_discover(self) -> Listing | None:
        """Return how to list models."""
        from ._listing import listing

        return listing(self.dialect)

    @hookimpl
    def jackfield_translate(
        self, model: ModelRef, request: Request, capabilities: Capabilities
    ) -> Translation:
        """Translate a request into a wire."""
        return translate(self.dialect, model, request, capabilities)

    @hookimpl
    def jackfield_relay(
        self, model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes
    ) -> Wire | None:
        """Return the wire that hands on a request for chat completions or completions."""
        from ._relay import relay

        return relay(self.dialect, model, surface, headers, body)

    @hookimpl
    def jackfield_decoder(self, wire: Wire) -> Decoder:
        """Return the decoder for the answer to a wire."""
        return decoder(self.dialect, wire)

    @hookimpl
    def jackfield_error(self, failure: Failure) -> JackfieldError | None:
        """Map a failure to an error."""
        from ._errors import error

        return error(failure)

    @hookimpl
    def jackfield_cost(self, context: CostContext) -> RateCard | Cost | None:
        """Return the cost that the service reports, if it does."""
        if self.dialect.cost is None:
            return None
        from ._prices import reported_cost

        return reported_cost(self.dialect.cost, context)

    @hookimpl
    def jackfield_transport(self, settings: Any) -> HttpAccess:
        """Return the address and the authentication."""
        key = StaticHeader("Authorization", settings.api_key, "Bearer ", optional=not self.needs_key)
        address = settings.base_url.rstrip("/")
        return HttpAccess(base_url=address, auth=key, named_transports=NAMED_TRANSPORTS)

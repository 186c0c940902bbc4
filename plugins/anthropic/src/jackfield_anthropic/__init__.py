"""Claude by Anthropic for Jackfield. Plugins of services that resell Claude build on `jackfield_anthropic.dialect`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from jackfield import JackfieldError, Usage
from jackfield.plugin import (
    Capabilities,
    CostContext,
    CredentialKind,
    Decoder,
    Failure,
    HttpAccess,
    Listing,
    ModelRef,
    ProviderInfo,
    RateCard,
    Request,
    Translation,
    Wire,
    hookimpl,
)

# Plugins that build on the dialect use these names, so the hooks use them, too, and import only the other modules.
from ._credentials import AnthropicCredentials, AnthropicIdentity
from ._dialect import ANTHROPIC, Dialect
from ._errors import error
from ._models import capabilities
from ._prices import rates
from ._routes import decoder, translate
from ._settings import AnthropicSettings, access

__all__ = [
    "ANTHROPIC",
    "CREDENTIALS",
    "AnthropicCredentials",
    "AnthropicIdentity",
    "AnthropicSettings",
    "Dialect",
    "capabilities",
    "decoder",
    "error",
    "rates",
    "translate",
]

CREDENTIALS: Final = CredentialKind(AnthropicCredentials, AnthropicIdentity)
"""The kind `anthropic` of `[credentials]`."""


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Return the provider's description."""
    return ProviderInfo(
        id="anthropic",
        title="Anthropic",
        settings=AnthropicSettings,
        has_routes=True,
        kinds=frozenset({"chat", "completion"}),
        credentials=("anthropic", "aws"),
        units=("web_search_request", "web_fetch_request"),
        preload=(
            "jackfield_anthropic._chat",
            "jackfield_anthropic._chat_decoder",
        ),
        docs="https://platform.claude.com/docs/en/api/messages",
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model, from the table, under the connection's API version."""
    from ._models import retired

    return attrs.evolve(capabilities(ANTHROPIC, model), retired=retired(model.known_as))


@hookimpl
def jackfield_discover() -> Listing:
    """Return how to list models."""
    from ._listing import listing

    return listing(ANTHROPIC)


@hookimpl
def jackfield_table() -> tuple[str, ...]:
    """Return the names of the models in the table."""
    from ._models import known_models

    return known_models()


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire for messages, text completions or token counts."""
    return translate(ANTHROPIC, model, request, capabilities)


@hookimpl
def jackfield_relay(model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes) -> Wire | None:
    """Return the wire that hands on a request for messages."""
    from ._relay import relay

    return relay(ANTHROPIC, model, surface, headers, body)


@hookimpl
def jackfield_decoder(wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire."""
    return decoder(ANTHROPIC, wire)


@hookimpl
def jackfield_error(failure: Failure) -> JackfieldError | None:
    """Map a failure to an error."""
    return error(failure)


@hookimpl
def jackfield_cost(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Return Anthropic's rates for a call."""
    return rates(model.known_as, usage, context)


@hookimpl
def jackfield_transport(settings: AnthropicSettings) -> HttpAccess:
    """Return the address and the authentication."""
    return access(settings)

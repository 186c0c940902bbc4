"""OpenAI for Jackfield, and the dialect that OpenAI-compatible services share."""

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
from ._compatible import CompatiblePlugin, compatible
from ._credentials import OpenAICredentials, OpenAIIdentity
from ._dialect import OPENAI, Dialect
from ._errors import error
from ._prices import rates
from ._routes import decoder, translate
from ._settings import OpenAISettings, access
from ._transports import NAMED_TRANSPORTS
from ._usage import read_usage

__all__ = [
    "CREDENTIALS",
    "NAMED_TRANSPORTS",
    "OPENAI",
    "CompatiblePlugin",
    "Dialect",
    "OpenAICredentials",
    "OpenAIIdentity",
    "OpenAISettings",
    "compatible",
    "decoder",
    "error",
    "rates",
    "read_usage",
    "translate",
]

CREDENTIALS: Final = CredentialKind(OpenAICredentials, OpenAIIdentity)
"""The kind `openai` of `[credentials]`."""


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Return the provider's description."""
    return ProviderInfo(
        id="openai",
        title="OpenAI",
        settings=OpenAISettings,
        has_routes=True,
        kinds=frozenset({"chat", "completion", "embedding"}),
        credentials=("openai",),
        docs="https://platform.openai.com/docs/api-reference",
        pace_counts="larger",  # guide "Rate limits": the most of max_tokens and the estimated tokens
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model, from the table."""
    from ._models import capabilities, retired

    return attrs.evolve(capabilities(model.known_as), retired=retired(model.known_as))


@hookimpl
def jackfield_discover() -> Listing | None:
    """Return how to list models."""
    from ._listing import listing

    return listing(OPENAI)


@hookimpl
def jackfield_table() -> tuple[str, ...]:
    """Return the names of the models in the table."""
    from ._models import known_models

    return known_models()


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire for chat completions, completions, embeddings or Responses."""
    return translate(OPENAI, model, request, capabilities)


@hookimpl
def jackfield_relay(model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes) -> Wire | None:
    """Return the wire that hands on a request for chat completions, completions or Responses."""
    from ._relay import relay

    return relay(OPENAI, model, surface, headers, body)


@hookimpl
def jackfield_decoder(wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire."""
    return decoder(OPENAI, wire)


@hookimpl
def jackfield_error(failure: Failure) -> JackfieldError | None:
    """Map a failure to an error."""
    return error(failure)


@hookimpl
def jackfield_cost(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Return OpenAI's rates for a call."""
    return rates(model, usage, context)


@hookimpl
def jackfield_transport(settings: OpenAISettings) -> HttpAccess:
    """Return the address and the authentication."""
    return access(settings)

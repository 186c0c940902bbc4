"""OpenAI for Jackfield, and the dialect that OpenAI-compatible services share."""

from __future__ import annotations

import attrs

from jackfield import JackfieldError, Usage
from jackfield.plugin import (
    Capabilities,
    CostContext,
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

from ._compatible import CompatiblePlugin, compatible
from ._dialect import OPENAI, Dialect
from ._errors import error
from ._prices import rates
from ._routes import decoder, translate
from ._settings import OpenAISettings, access
from ._usage import read_usage

__all__ = [
    "OPENAI",
    "CompatiblePlugin",
    "Dialect",
    "OpenAISettings",
    "compatible",
    "decoder",
    "error",
    "rates",
    "read_usage",
    "translate",
]


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Say who the provider is."""
    return ProviderInfo(
        id="openai",
        title="OpenAI",
        settings=OpenAISettings,
        kinds=frozenset({"chat", "completion", "embedding"}),
        docs="https://platform.openai.com/docs/api-reference",
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Say what the table knows of a model."""
    from ._models import retired

    known = OPENAI.capabilities(model)
    return attrs.evolve(known, retired=retired(model.known_as)) if known.known else known


@hookimpl
def jackfield_discover() -> Listing | None:
    """Say how to list models."""
    from ._listing import listing

    return listing(OPENAI)


@hookimpl
def jackfield_table() -> tuple[str, ...]:
    """Name the models of the table."""
    from ._models import known_models

    return known_models()


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Turn a request into a wire for chat completions, completions, embeddings or Responses."""
    return translate(OPENAI, model, request, capabilities)


@hookimpl
def jackfield_decoder(wire: Wire) -> Decoder:
    """Give the decoder for the answer to a wire."""
    return decoder(OPENAI, wire)


@hookimpl
def jackfield_error(failure: Failure) -> JackfieldError | None:
    """Turn a failure into an error."""
    return error(failure)


@hookimpl
def jackfield_cost(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Give OpenAI's rates for a call."""
    return rates(model, usage, context)


@hookimpl
def jackfield_transport(settings: OpenAISettings) -> HttpAccess:
    """Say how to reach OpenAI."""
    return access(settings)

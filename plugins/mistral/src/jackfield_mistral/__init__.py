"""Mistral AI for Jackfield.

Mistral's API is OpenAI's chat completions with a few differences, so this plugin builds on `jackfield-openai`: it
adapts a conversation before OpenAI's translation, corrects the result, and declares all other differences as fields of
a `Dialect`. A translation and a decoder of its own would be twice as long.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from jackfield import JackfieldError
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

from ._settings import MistralSettings, access

__all__ = ["MistralSettings"]


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Return the provider's description."""
    return ProviderInfo(
        id="mistral",
        title="Mistral AI",
        settings=MistralSettings,
        has_routes=True,
        kinds=frozenset({"chat", "completion", "embedding"}),
        units=("input_audio_second",),
        preload=(
            "jackfield_mistral._routes",
            "jackfield_mistral._errors",
        ),
        docs="https://docs.mistral.ai/api",
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model, from the table."""
    from ._models import capabilities, retired

    return attrs.evolve(capabilities(model.known_as), retired=retired(model.known_as))


@hookimpl
def jackfield_discover() -> Listing:
    """Return how to list models."""
    from ._listing import listing

    return listing()


@hookimpl
def jackfield_table() -> tuple[str, ...]:
    """Return the names of the models in the table."""
    from ._models import known_models

    return known_models()


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire for chat, Responses, fill-in-the-middle, embeddings or a count of tokens."""
    from ._routes import translate

    return translate(model, request, capabilities)


@hookimpl
def jackfield_relay(model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes) -> Wire | None:
    """Return the wire that hands on a request for chat completions or Responses."""
    from ._relay import relay

    return relay(model, surface, headers, body)


@hookimpl
def jackfield_decoder(wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire."""
    from ._routes import decoder

    return decoder(wire)


@hookimpl
def jackfield_error(failure: Failure) -> JackfieldError | None:
    """Map a failure to an error."""
    from ._errors import error

    return error(failure)


@hookimpl
def jackfield_cost(model: ModelRef, context: CostContext) -> RateCard | None:
    """Return Mistral's rates for a call."""
    from ._prices import rates

    return rates(model, context)


@hookimpl
def jackfield_transport(settings: MistralSettings) -> HttpAccess:
    """Return the address and the authentication."""
    return access(settings)

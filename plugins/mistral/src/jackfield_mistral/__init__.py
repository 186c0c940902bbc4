"""Mistral AI for Jackfield.

Mistral's wire is OpenAI's chat completions with other words in a few places, so this plugin builds on
`jackfield-openai`: it fits the conversation before that translation, sets right what is left after it, and gives the
rest as fields of a `Dialect`. A translation and a decoder of its own would be twice as long and say the same again.
"""

from __future__ import annotations

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
    """Say who the provider is."""
    return ProviderInfo(
        id="mistral",
        title="Mistral AI",
        settings=MistralSettings,
        kinds=frozenset({"chat", "completion", "embedding"}),
        preload=(
            "jackfield_mistral._chat",
            "jackfield_mistral._dialect",
            "jackfield_mistral._errors",
        ),
        docs="https://docs.mistral.ai/api",
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Say what the table knows of a model."""
    from ._models import capabilities, retired

    return attrs.evolve(capabilities(model.known_as), retired=retired(model.known_as))


@hookimpl
def jackfield_discover() -> Listing:
    """Say how to list models."""
    from ._listing import listing

    return listing()


@hookimpl
def jackfield_table() -> tuple[str, ...]:
    """Name the models of the table."""
    from ._models import known_models

    return known_models()


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Turn a request into a wire for chat, fill-in-the-middle or embeddings."""
    from ._chat import translate

    return translate(model, request, capabilities)


@hookimpl
def jackfield_decoder(wire: Wire) -> Decoder:
    """Give the decoder for the answer to a wire."""
    from ._dialect import decoder

    return decoder(wire)


@hookimpl
def jackfield_error(failure: Failure) -> JackfieldError | None:
    """Turn a failure into an error."""
    from ._errors import error

    return error(failure)


@hookimpl
def jackfield_cost(model: ModelRef, context: CostContext) -> RateCard | None:
    """Give Mistral's rates for a call."""
    from ._prices import rates

    return rates(model, context)


@hookimpl
def jackfield_transport(settings: MistralSettings) -> HttpAccess:
    """Say how to reach Mistral."""
    return access(settings)

"""Cohere for Jackfield. Plugins of services that offer Cohere's models build on `jackfield_cohere.dialect`."""

from __future__ import annotations

import attrs

from jackfield import JackfieldError
from jackfield.plugin import (
    Capabilities,
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
from ._dialect import COHERE, Dialect
from ._errors import error
from ._models import capabilities
from ._prices import rates
from ._routes import decoder, translate
from ._settings import CohereSettings, access
from ._usage import read_usage

__all__ = [
    "COHERE",
    "CohereSettings",
    "Dialect",
    "capabilities",
    "decoder",
    "error",
    "rates",
    "read_usage",
    "translate",
]


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Return the provider's description."""
    return ProviderInfo(
        id="cohere",
        title="Cohere",
        settings=CohereSettings,
        has_routes=True,
        kinds=frozenset({"chat", "completion", "embedding", "rerank", "summarization"}),
        units=("search_unit", "classification", "image", "image_token"),
        preload=(
            "jackfield_cohere._chat",
            "jackfield_cohere._chat_decoder",
        ),
        docs="https://docs.cohere.com/reference/about",
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model, from the table."""
    from ._models import retired

    return attrs.evolve(capabilities(COHERE, model), retired=retired(model.known_as))


@hookimpl
def jackfield_discover() -> Listing | None:
    """Return how to list models."""
    from ._listing import listing

    return listing(COHERE)


@hookimpl
def jackfield_table() -> tuple[str, ...]:
    """Return the names of the models in the table."""
    from ._models import known_models

    return known_models()


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire for chat (v2 or v1), generate, summarize, embed, rerank or tokenize."""
    return translate(COHERE, model, request, capabilities)


@hookimpl
def jackfield_decoder(wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire."""
    return decoder(COHERE, wire)


@hookimpl
def jackfield_error(failure: Failure) -> JackfieldError | None:
    """Map a failure to an error."""
    return error(failure)


@hookimpl
def jackfield_cost(model: ModelRef) -> RateCard | None:
    """Return Cohere's rates for the requested model; responses do not name one."""
    return rates(model.known_as)


@hookimpl
def jackfield_transport(settings: CohereSettings) -> HttpAccess:
    """Return the address and the authentication."""
    return access(settings)

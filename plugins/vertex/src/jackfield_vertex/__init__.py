"""Google Vertex AI for Jackfield: Gemini, embeddings, Claude through its own dialect, and PaLM."""

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

from ._credentials import GoogleIdentity
from ._keys import GoogleCredentials
from ._settings import VertexSettings, access

__all__ = ["CREDENTIALS", "GoogleCredentials", "GoogleIdentity", "VertexSettings"]

CREDENTIALS: Final = CredentialKind(GoogleCredentials, GoogleIdentity)
"""The kind `google` of `[credentials]`."""


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Describe the provider."""
    return ProviderInfo(
        id="vertex",
        title="Google Vertex AI",
        settings=VertexSettings,
        kinds=frozenset({"chat", "completion", "embedding"}),
        credentials=("google",),
        related=("anthropic",),
        preload=(
            "jackfield_vertex._models",
            "jackfield_vertex._gemini",
            "jackfield_vertex._routes",
            "jackfield_vertex._gemini_decoder",
            "jackfield_vertex._errors",
        ),
        docs="https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model, from the table."""
    from ._models import capabilities
    from ._names import row_of

    return attrs.evolve(capabilities(model), retired=row_of(model.known_as).get("retired"))


@hookimpl
def jackfield_discover(settings: VertexSettings) -> Listing:
    """Return how to list Google's publisher models."""
    from ._listing import listing

    return listing(settings)


@hookimpl
def jackfield_table() -> tuple[str, ...]:
    """Return the models of the table."""
    from ._models import known_models

    return tuple(known_models())


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire for the model's family."""
    from ._routes import translate

    return translate(model, request, capabilities)


@hookimpl
def jackfield_relay(model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes) -> Wire | None:
    """Hand a request of Anthropic's messages on to Claude."""
    from ._routes import relay

    return relay(model, surface, headers, body)


@hookimpl
def jackfield_decoder(model: ModelRef, wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire."""
    from ._routes import decoder

    return decoder(model, wire)


@hookimpl
def jackfield_error(failure: Failure) -> JackfieldError | None:
    """Convert a failure to an error."""
    from ._errors import error

    return error(failure)


@hookimpl
def jackfield_cost(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Return the published rates of a call."""
    from ._prices import rates

    return rates(model, usage, context)


@hookimpl
def jackfield_transport(settings: VertexSettings) -> HttpAccess:
    """Return how to reach Vertex AI."""
    return access(settings)

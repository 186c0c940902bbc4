"""Amazon Bedrock for Jackfield: Converse, native bodies of every family, embeddings, and OpenAI's APIs."""

from __future__ import annotations

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

from ._settings import BedrockSettings, ModelKeys, access

__all__ = ["BedrockSettings", "ModelKeys"]


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Return the provider's description."""
    return ProviderInfo(
        id="bedrock",
        title="Amazon Bedrock",
        settings=BedrockSettings,
        has_routes=True,
        kinds=frozenset({"chat", "completion", "embedding"}),
        credentials=("aws",),
        model_keys=ModelKeys,
        related=("anthropic", "cohere", "openai"),
        preload=(
            "jackfield_bedrock._routes",
            "jackfield_bedrock._errors",
        ),
        docs="https://docs.aws.amazon.com/bedrock/latest/userguide",
        pace_counts="reserved",  # page "Token burndown": input and maxTokens, corrected at the end
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model on its route, from the table."""
    from ._models import capabilities

    return capabilities(model)


@hookimpl
def jackfield_discover(settings: BedrockSettings) -> Listing:
    """Return how to list foundation models and inference profiles."""
    from ._listing import listing

    return listing(settings)


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire of the model's route."""
    from ._routes import translate

    return translate(model, request, capabilities)


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
def jackfield_cost(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Return the published rates for a call."""
    from ._prices import rates

    return rates(model, usage, context)


@hookimpl
def jackfield_transport(settings: BedrockSettings) -> HttpAccess:
    """Return the address and the authentication."""
    return access(settings)

"""Azure OpenAI for Jackfield."""

from __future__ import annotations

from jackfield import JackfieldError, Usage
from jackfield.plugin import (
    Capabilities,
    CostContext,
    Decoder,
    Failure,
    HttpAccess,
    ModelRef,
    ProviderInfo,
    RateCard,
    Request,
    Translation,
    Wire,
    hookimpl,
)

from ._settings import AzureModelKeys, AzureOpenAISettings

__all__ = ["AzureModelKeys", "AzureOpenAISettings"]


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Say who the provider is."""
    return ProviderInfo(
        id="azure-openai",
        title="Azure OpenAI",
        settings=AzureOpenAISettings,
        kinds=frozenset({"chat", "completion", "embedding"}),
        credentials=("azure",),
        model_keys=AzureModelKeys,
        requires_models=True,
        related=("openai",),
        preload=(
            "jackfield_azure_openai._routes",
            "jackfield_azure_openai._dialect",
            "jackfield_azure_openai._errors",
        ),
        docs="https://learn.microsoft.com/azure/foundry/openai/",
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Say what the table knows of the model behind a deployment."""
    from ._models import azure_capabilities

    return azure_capabilities(model)


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Turn a request into a wire for a deployment."""
    from ._routes import translate

    return translate(model, request, capabilities)


@hookimpl
def jackfield_decoder(wire: Wire) -> Decoder:
    """Give the decoder for the answer to a wire."""
    from jackfield_openai import decoder

    from ._dialect import V1

    return decoder(V1, wire)


@hookimpl
def jackfield_error(failure: Failure) -> JackfieldError | None:
    """Turn a failure into an error."""
    from ._errors import error

    return error(failure)


@hookimpl
def jackfield_cost(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Give Azure's rates for a call."""
    from ._models import azure_rates

    return azure_rates(model, usage, context)


@hookimpl
def jackfield_transport(settings: AzureOpenAISettings) -> HttpAccess:
    """Say how to reach the resource."""
    return settings.access()

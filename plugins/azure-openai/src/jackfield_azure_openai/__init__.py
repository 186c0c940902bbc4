"""Azure OpenAI for Jackfield."""

from __future__ import annotations

from collections.abc import Mapping

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

from ._settings import AzureModelKeys, AzureOpenAISettings, access

__all__ = ["AzureModelKeys", "AzureOpenAISettings"]


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Return the provider's description."""
    return ProviderInfo(
        id="azure-openai",
        title="Azure OpenAI",
        settings=AzureOpenAISettings,
        has_routes=True,
        kinds=frozenset({"chat", "completion", "embedding"}),
        credentials=("azure",),
        model_keys=AzureModelKeys,
        requires_models=True,
        related=("openai",),
        preload=("jackfield_azure_openai._routes", "jackfield_azure_openai._errors"),
        docs="https://learn.microsoft.com/azure/foundry/openai/",
        pace_counts="asked",  # page "Manage quota": the prompt's estimate and max_tokens, whatever is used
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of the model behind a deployment, from the table."""
    from ._models import azure_capabilities

    return azure_capabilities(model)


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire for a deployment."""
    from ._routes import translate

    return translate(model, request, capabilities)


@hookimpl
def jackfield_relay(model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes) -> Wire | None:
    """Return the wire that hands on a request for chat completions, completions or Responses."""
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
def jackfield_cost(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Return Azure's rates for a call."""
    from ._prices import azure_rates

    return azure_rates(model, usage, context)


@hookimpl
def jackfield_transport(settings: AzureOpenAISettings) -> HttpAccess:
    """Return the address and the authentication."""
    return access(settings)

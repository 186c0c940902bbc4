"""Endpoints of Azure Machine Learning and Azure AI for Jackfield."""

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

from ._settings import AzureLLMModelKeys, AzureLLMSettings, access

__all__ = ["AzureLLMModelKeys", "AzureLLMSettings"]


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Return the provider's description."""
    return ProviderInfo(
        id="azure-llm",
        title="Azure LLM (Azure Machine Learning, Azure AI)",
        settings=AzureLLMSettings,
        has_routes=True,
        kinds=frozenset({"chat", "embedding"}),
        credentials=("azure",),
        model_keys=AzureLLMModelKeys,
        requires_models=True,
        related=("azure-openai", "openai", "anthropic"),
        preload=("jackfield_azure_llm._routes", "jackfield_azure_llm._errors"),
        docs="https://learn.microsoft.com/azure/machine-learning/",
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of the model behind an endpoint, from the table."""
    from ._models import capabilities

    return capabilities(model)


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire for an endpoint."""
    from ._routes import translate

    return translate(model, request, capabilities)


@hookimpl
def jackfield_relay(model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes) -> Wire | None:
    """Return the wire that hands on a request for chat completions or messages."""
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
    """Return the rates of serverless offers; declare a `rate` for endpoints that are paid per hour."""
    from ._prices import rates

    return rates(model, usage, context)


@hookimpl
def jackfield_transport(settings: AzureLLMSettings) -> HttpAccess:
    """Return the address and the authentication."""
    return access(settings)

"""Language models on Amazon SageMaker endpoints for Jackfield."""

from __future__ import annotations

from jackfield import JackfieldError
from jackfield.plugin import (
    Capabilities,
    Decoder,
    Failure,
    HttpAccess,
    Listing,
    ModelRef,
    ProviderInfo,
    Request,
    Translation,
    Transport,
    Wire,
    hookimpl,
)

from ._settings import SageMakerModelKeys, SageMakerSettings, access

__all__ = ["SageMakerModelKeys", "SageMakerSettings"]


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Return the provider's description."""
    return ProviderInfo(
        id="sagemaker",
        title="Amazon SageMaker",
        settings=SageMakerSettings,
        kinds=frozenset({"chat", "completion", "embedding", "summarization"}),
        credentials=("aws",),
        model_keys=SageMakerModelKeys,
        requires_models=True,
        preload=(
            "jackfield_sagemaker._routes",
            "jackfield_sagemaker._invoke_decoder",
            "jackfield_sagemaker._completion",
            "jackfield_sagemaker._completion_decoder",
            "jackfield_sagemaker._errors",
        ),
        docs="https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html",
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of an endpoint's mode and its underlying model."""
    from ._models import capabilities

    return capabilities(model)


@hookimpl
def jackfield_discover(settings: SageMakerSettings) -> Listing:
    """Return how to list the account's endpoints."""
    from ._listing import listing

    return listing(settings)


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire for the endpoint's mode."""
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
def jackfield_transport(settings: SageMakerSettings) -> HttpAccess | Transport:
    """Return the address and the authentication; for asynchronous endpoints, a transport of their own."""
    if not settings.is_asynchronous:
        return access(settings)
    from ._transport import AsynchronousTransport

    return AsynchronousTransport(settings)

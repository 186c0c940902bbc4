"""Local models for Jackfield, on ONNX Runtime: no key, and no network once a model is in the cache."""

from __future__ import annotations

from jackfield import (
    Capabilities,
    Decoder,
    Failure,
    JackfieldError,
    Listing,
    ModelRef,
    ProviderInfo,
    Request,
    Translation,
    Transport,
    hookimpl,
)

from ._errors import error
from ._listing import LISTING
from ._models import PROVIDER, capabilities
from ._routes import decoder, translate
from ._settings import OnnxModelKeys, OnnxSettings
from ._transport import OnnxTransport

__all__ = ["OnnxModelKeys", "OnnxSettings"]

# There is no `jackfield_cost`: what a machine costs is known to whoever pays for it. `rate = { hour = "..." }` on the
# connection prices the seconds that the model was busy; without it the cost is unknown.


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Say who the provider is."""
    return ProviderInfo(
        id=PROVIDER,
        title="Local models on ONNX Runtime",
        settings=OnnxSettings,
        kinds=frozenset({"chat", "completion", "embedding", "rerank", "summarization"}),
        model_keys=OnnxModelKeys,
        docs="docs/providers/onnx.md",
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Say what a model of the catalogue, or any on this engine, can do."""
    return capabilities(model)


@hookimpl
def jackfield_discover() -> Listing:
    """List the catalogue."""
    return LISTING


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Turn a request into data for the engine."""
    return translate(model, request, capabilities)


@hookimpl
def jackfield_decoder(model: ModelRef) -> Decoder:
    """Give the decoder of whatever the engine answers."""
    return decoder(model)


@hookimpl
def jackfield_error(failure: Failure) -> JackfieldError | None:
    """Turn what the engine raises into an error."""
    return error(failure)


@hookimpl
def jackfield_transport(settings: OnnxSettings) -> Transport:
    """Answer in this process."""
    return OnnxTransport(settings)

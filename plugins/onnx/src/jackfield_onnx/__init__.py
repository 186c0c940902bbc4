"""Local models for Jackfield on ONNX Runtime: no key, and no network once a model is in the cache."""

from __future__ import annotations

from jackfield import JackfieldError
from jackfield.plugin import (
    Capabilities,
    Decoder,
    Failure,
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

# There is no `jackfield_cost`: only the operator knows what the machine costs. `rate = { hour = "..." }` on the
# connection prices the seconds that the model was busy; without it the cost is unknown.


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Return the provider's description."""
    return ProviderInfo(
        id=PROVIDER,
        title="Local models on ONNX Runtime",
        settings=OnnxSettings,
        kinds=frozenset({"chat", "completion", "embedding", "rerank", "summarization"}),
        model_keys=OnnxModelKeys,
        default_configuration={
            "connections": {"local": {"provider": PROVIDER}},
            "aliases": {"default": "local:smollm2-135m", "embedding": "local:minilm"},
        },
        docs="docs/providers/onnx.md",
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a catalogue model, or of any model on this engine."""
    return capabilities(model)


@hookimpl
def jackfield_discover() -> Listing:
    """Return the listing of the catalogue."""
    return LISTING


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire for the engine."""
    return translate(model, request, capabilities)


@hookimpl
def jackfield_decoder(model: ModelRef) -> Decoder:
    """Return the decoder for the engine's frames."""
    return decoder(model)


@hookimpl
def jackfield_error(failure: Failure) -> JackfieldError | None:
    """Map an exception of the engine to a Jackfield error."""
    return error(failure)


@hookimpl
def jackfield_transport(settings: OnnxSettings) -> Transport:
    """Return a transport that runs models in this process."""
    return OnnxTransport(settings)

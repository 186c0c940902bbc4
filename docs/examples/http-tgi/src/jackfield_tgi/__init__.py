"""Text Generation Inference (TGI) for Jackfield: its own API, `generate` and `generate_stream`.

The hooks, and nothing else: each is one line that names the module where the work is done.
"""

from jackfield import JackfieldError
from jackfield.plugin import (
    Capabilities,
    Failure,
    HttpAccess,
    Listing,
    ModelRef,
    ProviderInfo,
    Request,
    Translation,
    Wire,
    hookimpl,
)

from . import _errors, _listing, _models, _translate
from ._decoder import AnswerDecoder
from ._settings import Settings, access


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Say who the provider is."""
    return ProviderInfo(id="tgi", title="TGI", settings=Settings, kinds=frozenset({"completion"}))


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Say what a model can do, from the table alone."""
    return _models.capabilities(model)


@hookimpl
def jackfield_discover(settings: Settings) -> Listing:
    """Say how to list models."""
    return _listing.LISTING


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Turn a request into a wire."""
    return _translate.translate(model, request, capabilities)


@hookimpl
def jackfield_decoder(wire: Wire) -> AnswerDecoder:
    """Give a decoder for one answer, streamed or whole."""
    return AnswerDecoder(wire)


@hookimpl
def jackfield_error(failure: Failure) -> JackfieldError | None:
    """Read what the service says of an error; None leaves it to the status."""
    return _errors.error(failure)


@hookimpl
def jackfield_transport(settings: Settings) -> HttpAccess:
    """Say how to reach the service; the core does it."""
    return access(settings)

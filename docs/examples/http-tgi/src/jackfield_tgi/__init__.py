"""Text Generation Inference (TGI) for Jackfield: its own API, `generate` and `generate_stream`.

This module contains only the hooks; each calls the module that does the work.
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
    """Describe the provider."""
    return ProviderInfo(id="tgi", title="TGI", settings=Settings, kinds=frozenset({"completion"}))


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model, from the table."""
    return _models.capabilities(model)


@hookimpl
def jackfield_discover(settings: Settings) -> Listing:
    """Return how to list models."""
    return _listing.LISTING


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire."""
    return _translate.translate(model, request, capabilities)


@hookimpl
def jackfield_decoder(wire: Wire) -> AnswerDecoder:
    """Return a decoder for one answer, streamed or whole."""
    return AnswerDecoder(wire)


@hookimpl
def jackfield_error(failure: Failure) -> JackfieldError | None:
    """Convert a failure to an error; None lets the status decide."""
    return _errors.error(failure)


@hookimpl
def jackfield_transport(settings: Settings) -> HttpAccess:
    """Return how to reach the service; the core sends the requests."""
    return access(settings)

"""TGI for Jackfield.

This module contains only the hooks; each imports the module that does the work.
"""

from jackfield import JackfieldError
from jackfield.plugin import (
    Capabilities,
    EventDecoder,
    Failure,
    HttpAccess,
    Listing,
    ModelRef,
    ProviderInfo,
    Request,
    Translation,
    hookimpl,
)

from ._settings import Settings, access


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Describe the provider."""
    return ProviderInfo(
        id="tgi",
        title="TGI",
        settings=Settings,
        kinds=frozenset({"completion"}),
        # Imported in a thread when a mesh is entered, so that no call waits for it.
        preload=("jackfield_tgi._models", "jackfield_tgi._routes"),
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model, from the table."""
    from ._models import capabilities

    return capabilities(model)


@hookimpl
def jackfield_discover(settings: Settings) -> Listing:
    """Return how to list models."""
    from ._listing import LISTING

    return LISTING


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire."""
    from ._routes import translate

    return translate(model, request, capabilities)


@hookimpl
def jackfield_decoder() -> EventDecoder:
    """Return a decoder for one answer, streamed or whole."""
    from ._routes import decoder

    return decoder()


@hookimpl
def jackfield_error(failure: Failure) -> JackfieldError:
    """Convert a failure to an error."""
    from ._errors import error

    return error(failure)


@hookimpl
def jackfield_transport(settings: Settings) -> HttpAccess:
    """Return how to reach the service; Jackfield sends the requests."""
    return access(settings)

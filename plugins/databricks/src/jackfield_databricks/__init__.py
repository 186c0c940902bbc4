"""Databricks for Jackfield: foundation models and the customer's serving endpoints, in OpenAI's and Anthropic's dialects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from jackfield import JackfieldError, Usage
from jackfield.plugin import (
    Capabilities,
    CredentialKind,
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

from ._credentials import DatabricksCredentials, DatabricksIdentity
from ._settings import DatabricksSettings, access

__all__ = ["CREDENTIALS", "DatabricksCredentials", "DatabricksIdentity", "DatabricksSettings"]

CREDENTIALS: Final = CredentialKind(DatabricksCredentials, DatabricksIdentity)
"""The kind `databricks` of `[credentials]`."""


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Return the provider's description."""
    return ProviderInfo(
        id="databricks",
        title="Databricks",
        settings=DatabricksSettings,
        has_routes=True,
        kinds=frozenset({"chat", "completion", "embedding"}),
        credentials=("databricks",),
        related=("openai", "anthropic"),
        units=("DBU",),
        preload=(
            "jackfield_databricks._routes",
            "jackfield_databricks._errors",
        ),
        docs="https://docs.databricks.com/machine-learning/foundation-model-apis/api-reference",
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model, from the table."""
    from ._models import retired
    from ._routes import capabilities

    return attrs.evolve(capabilities(model), retired=retired(model.known_as))


@hookimpl
def jackfield_discover() -> Listing:
    """Return how to list serving endpoints."""
    from ._listing import listing

    return listing()


@hookimpl
def jackfield_table() -> tuple[str, ...]:
    """Return the names of the models in the table."""
    from ._models import known_models

    return known_models()


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire for one of the routes."""
    from ._routes import translate

    return translate(model, request, capabilities)


@hookimpl
def jackfield_relay(model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes) -> Wire | None:
    """Return the wire that hands on a request for chat completions, Responses or messages."""
    from ._relay import relay

    return relay(model, surface, headers, body)


@hookimpl
def jackfield_decoder(model: ModelRef, wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire."""
    from ._routes import decoder

    return decoder(model, wire)


@hookimpl
def jackfield_error(failure: Failure) -> JackfieldError | None:
    """Map a failure to an error."""
    from ._errors import error

    return error(failure)


@hookimpl
def jackfield_cost(model: ModelRef, usage: Usage) -> RateCard | None:
    """Return the pay-per-token rates of a foundation model."""
    from ._prices import rates

    return rates(model, usage)


@hookimpl
def jackfield_transport(settings: DatabricksSettings) -> HttpAccess:
    """Return the address and the authentication."""
    return access(settings)

"""Snowflake Cortex for Jackfield: REST in three forms, the SQL functions, and the shared Snowflake identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jackfield import JackfieldError, Usage
from jackfield.plugin import (
    Capabilities,
    CostContext,
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
    Transport,
    Wire,
    hookimpl,
)

from ._credentials import SnowflakeCredentials, SnowflakeIdentity
from ._settings import ModelKeys, SnowflakeSettings

__all__ = ["CREDENTIALS", "ModelKeys", "SnowflakeCredentials", "SnowflakeIdentity", "SnowflakeSettings"]

CREDENTIALS: Final = CredentialKind(SnowflakeCredentials, SnowflakeIdentity)
"""The kind `snowflake` of `[credentials]`."""


@hookimpl
def jackfield_provider() -> ProviderInfo:
    """Describe the provider."""
    return ProviderInfo(
        id="snowflake",
        title="Snowflake Cortex",
        settings=SnowflakeSettings,
        has_routes=True,
        kinds=frozenset({"chat", "embedding", "summarization"}),
        credentials=("snowflake",),
        model_keys=ModelKeys,
        related=("anthropic",),
        units=("credit", "credits", "guard_token"),
        preload=(
            "jackfield_snowflake._routes",
            "jackfield_snowflake._complete",
            "jackfield_snowflake._complete_decoder",
            "jackfield_snowflake._errors",
        ),
        docs="https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api",
    )


@hookimpl
def jackfield_capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model on its route, from the table."""
    from ._models import capabilities

    return capabilities(model)


@hookimpl
def jackfield_discover(settings: SnowflakeSettings) -> Listing:
    """Return how to list the models that the caller may use."""
    from ._listing import listing

    return listing(settings)


@hookimpl
def jackfield_table() -> tuple[str, ...]:
    """Return the models of the table."""
    from ._models import known_models

    return tuple(known_models())


@hookimpl
def jackfield_translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire for the model's route."""
    from ._routes import translate

    return translate(model, request, capabilities)


@hookimpl
def jackfield_relay(model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes) -> Wire | None:
    """Return the wire that hands on a request for messages."""
    from ._relay import relay

    return relay(model, surface, headers, body)


@hookimpl
def jackfield_decoder(model: ModelRef, wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire."""
    from ._routes import decoder

    return decoder(model, wire)


@hookimpl
def jackfield_error(failure: Failure) -> JackfieldError | None:
    """Convert a failure to an error."""
    from ._errors import error

    return error(failure)


@hookimpl
def jackfield_cost(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Return the declared rates of a model in credits; the price of a credit is in the account's contract."""
    from ._usage import credit_card

    return credit_card(model, usage)


@hookimpl
def jackfield_transport(settings: SnowflakeSettings) -> HttpAccess | Transport:
    """Return how to reach the account."""
    from ._transport import access

    return access(settings)

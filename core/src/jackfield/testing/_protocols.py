"""What a type checker compares a plugin with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from jackfield._contract.protocols import CostContext, Decoder, HttpAccess, Listing, ProviderInfo, Transport
from jackfield._types.capabilities import Capabilities, ModelRef
from jackfield._types.cost import Cost, RateCard
from jackfield._types.errors import JackfieldError
from jackfield._types.failures import Failure
from jackfield._types.parameters import Translation
from jackfield._types.requests import Request
from jackfield._types.usage import Usage
from jackfield._types.wire import Wire

__all__ = ["FullProviderPlugin", "ProviderPlugin"]

# An implementation may leave out arguments that it does not need: each way to do so is one of a union.
_Transport: TypeAlias = "HttpAccess | Transport"
_Decoder: TypeAlias = (
    Callable[[ModelRef, Wire], Decoder]
    | Callable[[ModelRef], Decoder]
    | Callable[[Wire], Decoder]
    | Callable[[], Decoder]
)
_Translate: TypeAlias = (
    Callable[[ModelRef, Request, Capabilities], Translation]
    | Callable[[ModelRef, Request], Translation]
    | Callable[[Request, Capabilities], Translation]
    | Callable[[Request], Translation]
)
_Error: TypeAlias = (
    Callable[["ModelRef | None", Failure], "JackfieldError | None"]
    | Callable[[Failure], "JackfieldError | None"]
)
_Price: TypeAlias = "RateCard | Cost | None"
_Cost: TypeAlias = (
    Callable[[ModelRef, Usage, CostContext], _Price]
    | Callable[[ModelRef, Usage], _Price]
    | Callable[[ModelRef, CostContext], _Price]
    | Callable[[Usage, CostContext], _Price]
    | Callable[[ModelRef], _Price]
    | Callable[[Usage], _Price]
    | Callable[[CostContext], _Price]
    | Callable[[], _Price]
)


class ProviderPlugin(Protocol):
    """A provider plugin as a type checker sees it: a module or an object with the five required hooks.

        plugin: ProviderPlugin = jackfield_acme

    One line in a plugin's tests, and mypy compares the type of every argument and of every answer. What it cannot
    see (names of arguments, misspelt hooks), `check_provider` sees. A module that has an `__all__` must list its hooks
    there, else a type checker does not look at them.
    """

    @property
    def jackfield_provider(self) -> Callable[[], ProviderInfo]:
        """Return the provider's info."""

    @property
    def jackfield_capabilities(self) -> Callable[[ModelRef], Capabilities] | Callable[[], Capabilities]:
        """Return the capabilities of a model."""

    @property
    def jackfield_translate(self) -> _Translate:
        """Turn a request into a wire."""

    @property
    def jackfield_decoder(self) -> _Decoder:
        """Return a decoder."""

    @property
    def jackfield_transport(self) -> Callable[[Any], _Transport] | Callable[[], _Transport]:
        """Return how to reach the service."""


class FullProviderPlugin(ProviderPlugin, Protocol):
    """A provider plugin with the eight hooks that most have; see `ProviderPlugin`.

    A table of models (`jackfield_table`) is looked at by the kit alone, so that plugins without one go on.
    """

    @property
    def jackfield_discover(self) -> Callable[[Any], Listing | None] | Callable[[], Listing | None]:
        """Return how to list models."""

    @property
    def jackfield_error(self) -> _Error:
        """Turn a failure into an error."""

    @property
    def jackfield_cost(self) -> _Cost:
        """Return rates or a cost."""

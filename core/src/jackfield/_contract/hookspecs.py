"""The hooks. Declared and checked by pluggy, bound once per provider, pure and synchronous.

No spec has default values; objects that hooks return do the work; only transports are async.
An implementation may leave out arguments it does not need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pluggy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jackfield._types.calls import Call, Outcome
    from jackfield._types.capabilities import Capabilities, ModelRef
    from jackfield._types.cost import Cost, RateCard
    from jackfield._types.errors import JackfieldError
    from jackfield._types.failures import Failure
    from jackfield._types.parameters import Translation
    from jackfield._types.requests import Request
    from jackfield._types.usage import Usage
    from jackfield._types.wire import Wire

    from .protocols import CostContext, Decoder, HttpAccess, Listing, ProviderInfo, Transport

PROJECT: Final = "jackfield"
CONTRACT: Final = 1
"""The contract's version; the entry-point groups carry it. It rises only when an old plugin can no longer work."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class ProviderSpecs:
    """Answered by exactly one provider: the one that a connection names."""

    @hookspec
    def jackfield_provider(self) -> ProviderInfo:
        """Return the provider's description. Required."""
        raise NotImplementedError

    @hookspec
    def jackfield_capabilities(self, model: ModelRef) -> Capabilities:
        """Return what a model can do, offline, from a table; unknown is an answer. Required."""
        raise NotImplementedError

    @hookspec
    def jackfield_discover(self, settings: Any) -> Listing | None:
        """Return how to list the service's models; None if it has no listing."""
        raise NotImplementedError

    @hookspec
    def jackfield_table(self, settings: Any) -> Sequence[str]:
        """Name the models that the plugin's own table knows, offline; the service may offer others."""
        raise NotImplementedError

    @hookspec
    def jackfield_translate(
        self, model: ModelRef, request: Request, capabilities: Capabilities
    ) -> Translation:
        """Turn a request into exactly one wire and report what became of every parameter. Required.

        Raises:
            UnsupportedError: The model cannot honour something and the request's policy is "error".
        """
        raise NotImplementedError

    @hookspec
    def jackfield_relay(
        self, model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes
    ) -> Wire | None:
        """Return the wire that hands a client's request on as it is; None if this call must be translated.

        The body stays as it came, but for the name of the model (`replace_model`). `headers` are those of the client; only
        those that the service itself documents may go on, and never its key. The wire's meta is what `jackfield_decoder`
        needs, since usage and finish are read beside the bytes.
        """
        raise NotImplementedError

    @hookspec
    def jackfield_decoder(self, model: ModelRef, wire: Wire) -> Decoder:
        """Return a decoder for the answer to this wire. Required."""
        raise NotImplementedError

    @hookspec
    def jackfield_error(self, model: ModelRef | None, failure: Failure) -> JackfieldError | None:
        """Turn a failure into our error; None leaves it to the core's table by status."""
        raise NotImplementedError

    @hookspec
    def jackfield_cost(self, model: ModelRef, usage: Usage, context: CostContext) -> RateCard | Cost | None:
        """Return the plugin's rates for this call, or a whole cost where rates cannot express it; None if unknown."""
        raise NotImplementedError

    @hookspec
    def jackfield_transport(self, settings: Any) -> HttpAccess | Transport:
        """Return how to reach the service. Secrets are still references. Required."""
        raise NotImplementedError


class ExtensionSpecs:
    """Heard by every installed extension; an error in one is logged and breaks no call."""

    @hookspec(firstresult=True)
    def jackfield_price(self, model: ModelRef, context: CostContext) -> RateCard | None:
        """Return rates for a model whose own plugin knows none; the first answer wins."""
        raise NotImplementedError

    @hookspec
    def jackfield_call_started(self, call: Call) -> bool | None:
        """Observe that a call began, in the caller's context. False: its end need not be announced to this extension."""
        raise NotImplementedError

    @hookspec
    def jackfield_call_finished(self, call: Call, outcome: Outcome) -> None:
        """Handle the end of a call."""
        raise NotImplementedError

    @hookspec
    def jackfield_commands(self, cli: Any) -> None:
        """Add commands to the command line (`cli` is a click group)."""
        raise NotImplementedError


REQUIRED: Final = frozenset(
    {
        "jackfield_provider",
        "jackfield_capabilities",
        "jackfield_translate",
        "jackfield_decoder",
        "jackfield_transport",
    }
)

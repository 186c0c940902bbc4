"""Relay a call: a client's request goes to the service as it came, and the bytes of the answer go back as they come.

They are decoded beside that, so that usage, cost, finish and errors are known as of every other call.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from jackfield._faces import show_in
from jackfield._hints import hint
from jackfield._input.kinds import CallKind
from jackfield._types.capabilities import Kind
from jackfield._types.errors import ConfigurationError, JackfieldError
from jackfield._types.option_rules import UnsupportedPolicy
from jackfield._types.parameters import Translation
from jackfield._types.replies import Reply
from jackfield._types.requests import ChatRequest, CompletionRequest, Request
from jackfield._types.wire import Head
from jackfield._values import Value, field, frozen

from .exchange import WireExchange
from .execution import Execution, LiveStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from jackfield._types.calls import Call
    from jackfield._types.wire import Wire

    from .connection import Connection
    from .streams import StreamSource

__all__ = ["RelayRequest", "RelayStream", "RelayedAnswer", "find_kind", "find_wire", "send"]


@frozen(kw_only=True)
class RelayRequest(Value):
    """What a client asks, in the words of a surface.

    Attributes:
        surface: The surface, such as "openai.chat".
        kind: The kind of call.
        headers: The client's headers; its key is not passed on.
        body: The body as it came.
        stream: Whether it asks for a stream.
        parsed: The body as parsed JSON, for whoever has it; None parses it where it is needed.
    """

    surface: str
    kind: Kind
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    stream: bool = False
    parsed: Mapping[str, Any] | None = field(default=None, repr=False)


class RelayedAnswer:
    """The bytes of an answer as they come, and what they mean.

    Iterate over it for the bytes. What was read is in `response`, also after the client has gone.

    Attributes:
        head: Status and headers of the answer.
        connection: The connection that answers.
        model: The model that was called.
    """

    def __init__(self, source: StreamSource, head: Head, connection: str, model: str) -> None:
        self._source = source
        self.head = head
        self.connection = connection
        self.model = model

    @property
    def response(self) -> Reply:
        """The reply as far as it was read: usage, cost, attempts."""
        return self._source.response

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What middlewares say of the answer that has begun, by their names."""
        return getattr(self._source, "metadata", {})

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._source.__aiter__()  # type: ignore[return-value]  # `RelayStream` iterates over bytes

    async def aclose(self) -> None:
        """Close the upstream at once; may be called twice."""
        await self._source.aclose()


class RelayStream(LiveStream):
    """An answer that has begun: iterating gives its bytes, piece by piece."""

    __slots__ = ("_next_copy",)

    def __init__(self, execution: Execution[Reply], exchange: WireExchange, idle: float | None) -> None:
        super().__init__(execution, exchange, idle)
        self._next_copy = 0

    @property
    def head(self) -> Head:
        """Status and headers of the answer."""
        return self._exchange.head or Head(None)

    async def __anext__(self) -> bytes:  # type: ignore[override]  # the bytes stand for the events
        copies = self._exchange.copies
        while copies is not None and not copies:
            await self._read_on()
        if not copies:
            raise StopAsyncIteration
        piece = copies[0] if len(copies) == 1 else b"".join(copies)
        copies.clear()
        self._next = len(self._events)
        return piece

    async def _read_on(self) -> None:
        """Read once; at the end raise what broke the answer, or end the iteration."""
        exchange = self._exchange
        if self._error is None and not self._closed and not exchange.ended:
            try:
                await self._growing.keep_up(self._events, self._next)
                await exchange.read_once(self._idle)
                exchange.require_end()
            except JackfieldError as error:
                if self._closed:
                    raise StopAsyncIteration from None
                self._error = error  # raised after the bytes that came before it
            except BaseException:
                await self.aclose()
                raise
            return
        self._next = len(self._events)
        await self.aclose()
        if self._error is not None:
            self._complete_error(self._error)
            raise self._error
        raise StopAsyncIteration


async def send(connection: Connection, call: Call, wire: Wire) -> RelayStream:
    """Send a wire that needs no translation, and return its answer as soon as a first event or the whole has come.

    Raises:
        JackfieldError: No connection, an error status, a broken answer; as of any other call.
    """
    target = connection.find_target(call.model.id, call.kind)
    return await _RelayExecution(connection, target, call).relay(wire)


class _RelayExecution(Execution[Reply]):
    __slots__ = ()

    async def relay(self, wire: Wire) -> RelayStream:
        translation = self._translation = Translation(wire)
        try:
            if self._connection.slots is not None:
                await self._take_slot()
            limit = self._timeout.until_first_event(stream=wire.stream)
            exchange = await self._attempts.run(translation, _begin, limit)
        except BaseException as error:
            self._complete(error)
            self._release()
            raise
        return RelayStream(self, exchange, self._timeout.idle)


async def _begin(exchange: WireExchange, limit: float | None) -> None:
    exchange.copies = []
    await exchange.begin(limit)


def find_wire(connection: Connection, model_id: str, asked: RelayRequest) -> Wire | None:
    """Return the wire by which a connection hands a request on; None if the call must be translated.

    Raises:
        JackfieldError: The model is not allowed, or the plugin failed.
    """
    relay = connection.provider.relay
    if relay is None:
        return None
    target = connection.find_target(model_id, asked.kind)
    if target.entry is not None and target.entry.options:
        return None  # what an administrator declares for every call stands in no client's body
    return relay(target.model, asked.surface, asked.headers, asked.body)


def find_kind(asked: RelayRequest) -> CallKind[Reply]:
    """Return the kind of call, whose request holds no content: a relay does not look into it.

    Raises:
        ConfigurationError: Calls of this kind are not relayed.
    """
    kind = _KINDS.get(asked.kind)
    if kind is None:
        raise ConfigurationError(
            f"calls of the kind {asked.kind!r} are not relayed{hint(asked.kind, _KINDS)}"
        )
    return kind


@cache
def _chat(*, stream: bool) -> Request:
    return ChatRequest(messages=(), stream=stream)


@cache
def _completion(*, stream: bool) -> Request:
    return CompletionRequest(prompt="", stream=stream)


def _make_chat(_: object, given: Mapping[str, object], policy: UnsupportedPolicy, *, stream: bool) -> Request:
    return _chat(stream=stream)


def _make_completion(
    _: object, given: Mapping[str, object], policy: UnsupportedPolicy, *, stream: bool
) -> Request:
    return _completion(stream=stream)


_KINDS: Mapping[Kind, CallKind[Reply]] = {
    "chat": CallKind("chat", _make_chat),
    "completion": CallKind("completion", _make_completion),
}

show_in("jackfield.plugin", RelayRequest, RelayedAnswer)

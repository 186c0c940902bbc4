"""What plugins hand to the core: descriptions, decoders, transports and authentication."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias, runtime_checkable

import attrs

from jackfield._faces import show_in
from jackfield._types.capabilities import Kind, ModelCard
from jackfield._types.errors import MalformedResponseError
from jackfield._types.events import Event
from jackfield._types.failures import Failure
from jackfield._types.policies import PaceCounts
from jackfield._types.wire import Frame, Head, Wire
from jackfield._values import Value, field, frozen

from .secrets import Secret

__all__ = [
    "Auth",
    "Bearer",
    "CostContext",
    "Decoder",
    "Exchange",
    "FailureInStream",
    "HttpAccess",
    "Listing",
    "NoAuth",
    "ProviderInfo",
    "Signer",
    "StaticHeader",
    "Token",
    "Transport",
]


@frozen(kw_only=True)
class ProviderInfo(Value):
    """Who a provider is. Given by `jackfield_provider`.

    Attributes:
        id: What a config writes behind `provider =`; the entry point's name.
        title: For people.
        settings: An attrs class; its fields are the provider's own config keys, read with their types.
            Fields made by `jackfield.plugin.secret` hold `Secret`s. Every provider that speaks HTTP has `base_url`.
            What decides who answers beyond the fields (the environment, a profile's file) comes from a method
            `fingerprint_parts(self) -> object`, which may be left out: called in a thread, for the response cache's key.
            A field `models` gets the entries (`ModelEntry`) of `models`, for a transport that must know them:
            endpoints with keys of their own become `HttpAccess.named_auth`.
        kinds: The kinds of request it serves.
        credentials: The kinds of `[credentials]` its connections may name.
        model_keys: An attrs class whose fields are the plugin's own keys of an entry in `models`, or None.
        has_routes: The plugin reads `route` of an entry in `models` (`model.declared["route"]`): which of its APIs, or which
            endpoint, a model is called by. Without it, an entry with a `route` is a mistake.
        requires_models: `models` must be declared, because ids are the customer's own (deployments).
        related: Ids of providers (of plugins this one depends on) whose tables an `underlying` without a
            provider is looked up in too. `extra` of a call may name them.
        docs: Address or name of its documentation page.
        preload: Names of the plugin's own modules that its hooks import when they are first called. The core imports
            them off the event loop when a mesh with a connection of this provider is entered, so that the first
            call waits for none. No SDK: those load when a connection opens.
        pace_counts: What the service counts of a request against a limit of tokens: "used", what the answer used;
            "reserved", input and the most output that was asked for, until the answer shows what it used; "asked", both,
            whatever was used; "larger", the larger of both. A declared `pace` is kept by it.
        units: What its usage counts, or its prices are in, besides tokens, requests and seconds ("search_unit", "DBU"):
            price files and declared prices may name them, and slips in them are found.
        default_configuration: What a program without a configuration gets, in the shape of the file: the local provider,
            if it is installed, is asked for it, else the only one that is. For providers that need no key.
    """

    id: str
    title: str
    settings: type
    kinds: frozenset[Kind]
    credentials: tuple[str, ...] = ()
    model_keys: type | None = None
    requires_models: bool = False
    has_routes: bool = False
    related: tuple[str, ...] = ()
    docs: str | None = None
    preload: tuple[str, ...] = ()
    pace_counts: PaceCounts = "used"
    units: tuple[str, ...] = ()
    default_configuration: Mapping[str, Any] | None = None


@runtime_checkable
class Decoder(Protocol):
    """Reads one answer, streamed or whole, and gives events. No I/O; one object per answer.

    May raise `FailureInStream` (an error inside a good answer), `StreamInterruptedError` (in `finish`:
    the end marker of its dialect has not come) and `MalformedResponseError`.

    A decoder of a dialect with an end marker also has an attribute `ended`, True once the marker has come (not at a finish
    reason, behind which usage may follow). The core then calls `finish`, decodes nothing more and gives the connection
    back, although the body may stay open: proxies and gateways are known to leave it so. Without the attribute an answer
    ends with its body.

    It may also have an attribute or property `is_whole`, True once each choice has its finish reason, so that at most usage
    or the marker may follow. If the body is then cut, or stays silent beyond a time limit, the core calls `finish`, and the
    answer is complete. It is looked for only then. An attribute `lacks_end`, True after `finish`, says that the service ended
    its stream and not its answer, and that the decoder accepts it all the same: such an answer is not `complete`.

    It may also have a method `read_block(block: bytes) -> list[Event] | None`, for answers that are relayed, of which nobody
    reads event by event: several whole server-sent events, each with its blank line, lines ended by LF. It returns their
    events, where pieces of one text may be one piece, or None, having changed nothing, if they must be fed one by one.
    """

    def start(self, head: Head) -> list[Event]:
        """Handle the response head, before the first frame.

        The result says at most what the head says, such as `Started` with a request id. The core holds it back until
        a frame or `finish` brings an event: until then the call may be retried, the next target of an alias may be
        asked, and the time limit `first_event` runs.
        """
        ...

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one frame."""
        ...

    def finish(self) -> list[Event]:
        """Handle the clean end of the body; check that nothing is missing."""
        ...


class FailureInStream(Exception):  # noqa: N818 -- says where, is never shown to users
    """Raised by a decoder for an error that came inside an answer with a good status.

    The core gives the failure to `jackfield_error` with `in_stream=True` and raises what that gives.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__("the service sent an error inside its answer")
        self.failure = attrs.evolve(failure, in_stream=True)


@frozen
class Exchange(Value):
    """An answer that has begun.

    Attributes:
        head: Status and headers.
        frames: Gives the frames of one network read at a time (one list a step costs less than one frame
            a step), an empty list if it completed none: the service is alive, and the limits `first_event` and `idle`
            begin again. Ends at a clean end of the body; a cut body raises.
    """

    head: Head
    frames: AsyncIterator[Sequence[Frame]]

    @classmethod
    def whole(cls, data: Any) -> Exchange:
        """Return the exchange of an SDK's whole answer: one frame, without status and headers."""

        async def pieces() -> AsyncIterator[Any]:
            yield data

        return cls.streamed(pieces())

    @classmethod
    def streamed(cls, pieces: AsyncIterator[Any]) -> Exchange:
        """Return the exchange of an SDK's stream: a frame for each piece, without status and headers."""

        async def frames() -> AsyncIterator[Sequence[Frame]]:
            try:
                async for piece in pieces:
                    yield (Frame(piece),)
            finally:
                if isinstance(pieces, AsyncGenerator):
                    await pieces.aclose()

        return cls(Head(None), frames())


@runtime_checkable
class Transport(Protocol):
    """Carries wires to a service. Made by `jackfield_transport` or by the core from `HttpAccess`.

    A transport may also have `async def prepare(self, wire: Wire) -> None`: called before each exchange of a call,
    for what must be ready before anything is sent and may take long (a local model that is fetched and loaded, or the
    wait for its turn). It
    is held to the call's limit `total`, not to `first_event`; what it raises is mapped like a failed exchange.
    """

    async def open(self) -> None:
        """Get ready: load SDKs (off the event loop), resolve secrets. Called once, before the first exchange."""
        ...

    def exchange(self, wire: Wire) -> AbstractAsyncContextManager[Exchange]:
        """Send a wire. Leaving the context closes the upstream at once."""
        ...

    async def aclose(self) -> None:
        """Close everything; may be called twice."""
        ...


@frozen
class Token(Value):
    """A bearer token.

    Attributes:
        value: The token.
        expires_at: Seconds since the epoch; None if it does not end.
    """

    value: str = field(repr=False)
    expires_at: float | None = None


@frozen
class NoAuth(Value):
    """The service wants no authentication."""


@frozen
class StaticHeader(Value):
    """A header that holds a secret.

    Attributes:
        name: The header's name.
        secret: The secret; resolved when the connection opens. Where it is declared as "none", nothing is sent.
        prefix: Put before it ("Bearer ").
        optional: Send nothing if the secret is None (a local server without a key).
    """

    name: str
    secret: Secret | None
    prefix: str = ""
    optional: bool = False


@frozen
class Bearer(Value):
    """A token that is fetched and renewed.

    Attributes:
        fetch: Gives a `Token`; may block (run in a thread, one at a time, renewed before it expires).
        header: The header's name.
        prefix: Put before the token.
    """

    fetch: Callable[[], Token]
    header: str = "Authorization"
    prefix: str = "Bearer "


@runtime_checkable
class Signer(Protocol):
    """Signs each attempt.

    A signer may also have `def is_ready(self) -> bool`: quick, called on the event loop; True spares `prepare` and its
    thread, because what the last one made is still good. And `def fingerprint_parts(self) -> object`: whose identity it
    proves, as far as that is known without the network (see `ProviderInfo.settings`).
    """

    def prepare(self, *, refresh: bool) -> None:
        """Make sure that credentials are fresh; may block (run in a thread). `refresh`: the last were refused."""
        ...

    def sign(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """Return the headers to add; pure. The core sends exactly these bytes to exactly this URL."""
        ...


Auth: TypeAlias = NoAuth | StaticHeader | Bearer | Signer


@frozen(kw_only=True)
class HttpAccess(Value):
    """How to reach a service over HTTP. Given by `jackfield_transport`.

    Attributes:
        base_url: Put before a wire's path, as it stands.
        auth: Proof of identity.
        headers: Sent with every request.
        named_auth: Other proofs, which a wire names by `Wire.auth`.
        named_transports: Other ways than one request over HTTP, which a wire names by `Wire.transport`: a request and polls
            for its answer, a WebSocket. Each is made over the connection's `jackfield.http.HttpTransport` when a wire first
            names it, and closed before that. What it sends over it must not name a transport.
    """

    base_url: str
    auth: Auth = field(factory=NoAuth)
    headers: Mapping[str, str] = field(factory=dict)
    named_auth: Mapping[str, Auth] = field(factory=dict)
    named_transports: Mapping[str, Callable[[Any], Transport]] = field(factory=dict)

    @classmethod
    def with_bearer(cls, base_url: str, key: Secret | None) -> HttpAccess:
        """Return the access to a service that reads its key from the header `Authorization: Bearer KEY`.

        Args:
            base_url: The address; a slash at its end is cut off.
            key: The key; None sends no header.
        """
        auth = StaticHeader("Authorization", key, "Bearer ", optional=key is None)
        return cls(base_url=base_url.rstrip("/"), auth=auth)


@frozen
class Listing(Value):
    """A live listing of models. Given by `jackfield_discover`.

    Attributes:
        wire: The first page's request.
        parse: `(head, body) -> (cards, next wire or None)`; `body` is bytes. The core follows pages.
        detail: `card -> wire or None`: the request of what the list does not say of a model, for services that tell it one
            model at a time. The core makes at most eight of them at once.
        parse_detail: `(card, head, body) -> card`: the card with what the answer to `detail` says.
    """

    wire: Wire
    parse: Callable[[Head, bytes], tuple[Sequence[ModelCard], Wire | None]]
    detail: Callable[[ModelCard], Wire | None] | None = None
    parse_detail: Callable[[ModelCard, Head, bytes], ModelCard] | None = None

    @classmethod
    def of_pages(
        cls,
        path: str,
        read: Callable[[dict[str, Any]], tuple[Sequence[ModelCard], Mapping[str, str] | None]],
        *,
        query: Mapping[str, str] | None = None,
    ) -> Listing:
        """Return the listing of a service whose pages are JSON objects at one path (GET).

        Args:
            path: The path of each page.
            read: Returns the models of a page, and the query of the next page, or None after the last.
            query: The query of the first page.
        """
        first = Wire(path, method="GET", query=query or {})

        def parse(_: Head, body: bytes) -> tuple[Sequence[ModelCard], Wire | None]:
            from jackfield._json import read_json

            try:
                page = read_json(body)
            except ValueError as error:
                raise MalformedResponseError(
                    f"the list of models is not JSON ({error})", body=body
                ) from error
            if not isinstance(page, dict):
                raise MalformedResponseError("the list of models must be a JSON object", body=body)
            cards, after = read(page)
            return cards, None if after is None else attrs.evolve(first, query=after)

        return cls(first, parse)


@frozen(kw_only=True)
class CostContext(Value):
    """What a price may depend on.

    Attributes:
        when: Seconds since the epoch at which the answer came.
        kind: The kind of request.
        provider: The id of the connection's provider.
        input_tokens: All input of the call, on which prices by the prompt's length depend; None if not told.
        reported_model: The model that the service says answered.
        service_tier: As the service reports it; if it does not, as the request asks for it.
        region: Where it ran, if told.
        batch: The call was part of a batch.
        duration: Seconds from sending to the end.
        raw_usage: The service's own usage object.
        requested: The words and objects at the top of the request's body, without texts and files: for what is priced and
            not reported.
    """

    when: float
    kind: Kind | None = None
    provider: str | None = None
    input_tokens: int | None = None
    reported_model: str | None = None
    service_tier: str | None = None
    region: str | None = None
    batch: bool = False
    duration: float | None = None
    raw_usage: Any = None
    requested: Mapping[str, Any] = field(factory=dict, repr=False)


show_in(
    "jackfield.plugin",
    Bearer,
    CostContext,
    Decoder,
    Exchange,
    FailureInStream,
    HttpAccess,
    Listing,
    NoAuth,
    ProviderInfo,
    Signer,
    StaticHeader,
    Token,
    Transport,
)

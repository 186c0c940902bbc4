"""The mesh: all connections behind one API."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, cast

import attrs

from ._calls.connection import Connection
from ._calls.execution import Execution
from ._calls.fingerprint import Layer
from ._calls.observers import observed, observed_stream
from ._calls.preload import preload
from ._calls.splitting import Batch, cut, run_parts
from ._calls.streams import Stream, StreamSource
from ._contract.middleware import Handler, Middleware, chain
from ._faces import show_in
from ._hints import a_or_an, hint
from ._input import arguments
from ._input.arguments import ChatOptions, EmbedOptions, RerankOptions
from ._types.calls import Call
from ._types.capabilities import Kind, ModelCard
from ._types.content import MessageLike
from ._types.errors import ConfigurationError, JackfieldError, UnknownTargetError, UnsupportedError
from ._types.options import UnsupportedPolicy
from ._types.policies import TimeoutPolicy
from ._types.replies import Attempt, EmbedReply, Reply, RerankReply, TokenCount
from ._types.requests import EmbedRequest, Request, RerankRequest

if TYPE_CHECKING:
    from ._calls.check import CheckResult
    from ._calls.explain import Plan
    from ._calls.listing import ModelList
    from ._config.connections import ConnectionConfig, MeshConfig
    from ._plugins.registry import Registry

__all__ = ["Mesh"]

T = TypeVar("T")
_call_numbers = itertools.count(1)


class Mesh:
    """All connections of a program behind one API.

        async with Mesh.from_config("jackfield.toml") as mesh:
            reply = await mesh.chat("openai:gpt-6-luna", "Why is the sky blue?")

    Use it inside its `async with`; what it opens is closed there. A closed mesh may be entered again, also in
    another event loop.

    Args:
        config: What `load_config` gives.
        registry: The plugins.
        middlewares: Put outside those that the configuration names, the first outermost.
    """

    def __init__(
        self, config: MeshConfig, registry: Registry, *, middlewares: Sequence[Middleware] = ()
    ) -> None:
        self._config = config
        self._registry = registry
        self._middlewares = tuple(middlewares)
        self._open: dict[str, Connection] = {}
        self._model_lists: dict[str, ModelList] = {}
        self._entered = False
        self._built: dict[str, Middleware] = {}
        self._extra_ids: frozenset[str] | None = None

    @classmethod
    def from_config(
        cls,
        source: str | Path | Mapping[str, Any] | None = None,
        *,
        middlewares: Sequence[Middleware] = (),
        registry: Registry | None = None,
    ) -> Mesh:
        """Make a mesh of a configuration file, or of a mapping of the same shape.

        Args:
            source: None looks for `JACKFIELD_CONFIG`, `./jackfield.toml` and the user's configuration; with none
                of them and `jackfield-onnx` installed, there is one connection, `local`.
            middlewares: See the class.
            registry: The plugins; None takes those that are installed.

        Raises:
            ConfigurationError: Everything that is wrong, of all connections together.
        """
        from ._config.loader import load_config
        from ._plugins.registry import Registry

        plugins = registry if registry is not None else Registry.installed()
        return cls(load_config(source, plugins), plugins, middlewares=middlewares)

    @property
    def connections(self) -> Mapping[str, ConnectionConfig]:
        """What is declared, by name."""
        return self._config.connections

    @property
    def aliases(self) -> Mapping[str, tuple[str, ...]]:
        """Names that stand for targets, tried in order."""
        return self._config.aliases

    async def __aenter__(self) -> Self:
        if self._entered:
            raise ConfigurationError("this mesh is open already; share it, or make another")
        self._built = await self._build_middlewares()
        if self._registry.has_observers:
            await asyncio.to_thread(self._registry.load_extensions)  # some import an SDK
        await preload(self._config.connections.values())
        self._open = {
            name: Connection(config, self._registry, self._config.prices, self._layers(config))
            for name, config in self._config.connections.items()
        }
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        connections, self._open = self._open, {}
        self._model_lists = {}
        built, self._built = self._built, {}
        results: list[object] = await asyncio.gather(
            *(connection.aclose() for connection in connections.values()), return_exceptions=True
        )
        results += await _closed(built)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    # Calls

    async def chat(
        self, target: str, messages: str | Sequence[MessageLike], **options: Unpack[ChatOptions]
    ) -> Reply:
        """Go on with a conversation.

        Args:
            target: `"connection:model"` or an alias.
            messages: A string (one user turn), or a list of `Message`, `ToolResult` and dicts.
            options: See `ChatOptions`.

        Raises:
            JackfieldError: See the error tree in `jackfield`.
        """
        reply: Reply = await self._whole(
            target, "chat", options, lambda o, p: arguments.chat_request(messages, o, p, stream=False)
        )
        return reply

    def stream_chat(
        self, target: str, messages: str | Sequence[MessageLike], **options: Unpack[ChatOptions]
    ) -> Stream:
        """Go on with a conversation, event by event. See `Stream`."""
        return self._stream(
            target, "chat", options, lambda o, p: arguments.chat_request(messages, o, p, stream=True)
        )

    async def complete(self, target: str, prompt: str, **options: Unpack[ChatOptions]) -> Reply:
        """Go on with a text."""
        reply: Reply = await self._whole(
            target,
            "completion",
            options,
            lambda o, p: arguments.completion_request(prompt, o, p, stream=False),
        )
        return reply

    def stream_complete(self, target: str, prompt: str, **options: Unpack[ChatOptions]) -> Stream:
        """Go on with a text, event by event."""
        return self._stream(
            target,
            "completion",
            options,
            lambda o, p: arguments.completion_request(prompt, o, p, stream=True),
        )

    async def summarize(self, target: str, text: str, **options: Unpack[ChatOptions]) -> Reply:
        """Sum a text up. A model without an endpoint for it is asked under `SUMMARY_PROMPT`, which is reported."""
        reply: Reply = await self._whole(
            target,
            "summarization",
            options,
            lambda o, p: arguments.summarize_request(text, o, p, stream=False),
        )
        return reply

    async def embed(
        self, target: str, inputs: str | Sequence[str], **options: Unpack[EmbedOptions]
    ) -> EmbedReply:
        """Embed texts. More than one request may hold are cut into parts, at most four under way at once."""
        reply: EmbedReply = await self._whole(
            target, "embedding", options, lambda o, p: arguments.embed_request(inputs, o, p)
        )
        return reply

    async def rerank(
        self, target: str, query: str, documents: Sequence[str], **options: Unpack[RerankOptions]
    ) -> RerankReply:
        """Order documents by how well they fit a query, best first."""
        reply: RerankReply = await self._whole(
            target, "rerank", options, lambda o, p: arguments.rerank_request(query, documents, o, p)
        )
        return reply

    async def count_tokens(
        self, target: str, messages: str | Sequence[MessageLike], **options: Unpack[ChatOptions]
    ) -> TokenCount:
        """Count the input tokens of a conversation: by the service where it can, else an estimate that says so."""

        async def count(connection: Connection, call: Call, timeout: TimeoutPolicy) -> TokenCount:
            looked_up = connection.target(call.model.id, "chat")
            from ._calls.explain import estimate_tokens

            if looked_up.capabilities.feature("count_tokens").value is not True:
                return estimate_tokens(call.request)
            try:
                counted: TokenCount = await self._run_whole(connection, call, timeout)
            except UnsupportedError:
                return estimate_tokens(call.request)
            return counted

        return await self._first_that_works(
            target, "chat", options, lambda o, p: arguments.count_request(messages, o, p), count
        )

    def explain(self, target: str, messages: Any, *, kind: Kind = "chat", **options: Any) -> Plan:
        """Say what a call would send, without any I/O. Of an alias, the first target is explained.

        Args:
            target: As in the call.
            messages: As in the call: messages, a prompt, a text, texts to embed, or documents to order.
            kind: The kind of call.
            options: As in the call; `stream=True` explains the streamed one, and `query` goes with documents.
        """
        stream = bool(options.pop("stream", False))
        query = options.pop("query", "") if kind == "rerank" else ""
        makers: dict[Kind, Any] = {
            "chat": lambda o, p: arguments.chat_request(messages, o, p, stream=stream),
            "completion": lambda o, p: arguments.completion_request(messages, o, p, stream=stream),
            "summarization": lambda o, p: arguments.summarize_request(messages, o, p, stream=stream),
            "embedding": lambda o, p: arguments.embed_request(messages, o, p),
            "rerank": lambda o, p: arguments.rerank_request(query, messages, o, p),
        }
        if kind not in makers:
            raise ConfigurationError(f"there is no kind of call {kind!r}{hint(kind, makers)}")
        connection, model_id = self._resolve(target)[0]
        call, _ = self._call(target, connection, model_id, kind, options, makers[kind])
        from ._calls.explain import make_plan

        return make_plan(connection, connection.target(model_id, kind), call)

    # Connections

    async def models(self, connection: str | None = None, *, refresh: bool = False) -> list[ModelCard]:
        """List models: of one connection, or of all that can be listed.

        Raises:
            JackfieldError: The one connection cannot be listed. With no argument, those that cannot are left out.
        """
        self._require_open()
        if connection is not None:
            return await self._models_of(self._connection(connection)).cards(refresh=refresh)
        lists = [self._models_of(one) for one in self._open.values()]
        results = await asyncio.gather(
            *(models.cards(refresh=refresh) for models in lists), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, JackfieldError):
                raise result
        return [card for result in results if isinstance(result, list) for card in result]

    async def check(self, connection: str) -> CheckResult:
        """Make one real round trip and say how it went; never raises what the service answers."""
        self._require_open()
        from ._calls.check import check_connection

        there = self._connection(connection)
        return await check_connection(there, self._models_of(there), self.chat)

    # Inside

    def _models_of(self, connection: Connection) -> ModelList:
        from ._calls.listing import ModelList

        models = self._model_lists.get(connection.name)
        if models is None:
            models = self._model_lists[connection.name] = ModelList(connection)
        return models

    async def _whole(self, target: str, kind: Kind, options: Any, make: _Make) -> Any:
        return await self._first_that_works(target, kind, options, make, self._run_whole)

    def _stream(self, target: str, kind: Kind, options: Any, make: _Make) -> Stream:
        async def start() -> StreamSource:
            source: StreamSource = await self._first_that_works(target, kind, options, make, self._run_stream)
            return source

        return Stream(start)

    async def _first_that_works(self, target: str, kind: Kind, options: Any, make: _Make, run: _Run[T]) -> T:
        """Try the targets of an alias in order; go on only after what may be retried."""
        self._require_open()
        candidates = self._resolve(target)
        began = asyncio.get_running_loop().time()
        earlier: tuple[Attempt, ...] = ()
        for last, (connection, model_id) in _with_last(candidates):
            call, timeout = self._call(target, connection, model_id, kind, options, make)
            if earlier:
                timeout = _less(timeout, began)
                call = attrs.evolve(call, earlier=earlier, timeout=timeout)
            try:
                return await run(connection, call, timeout)
            except JackfieldError as error:
                if last or not error.is_retryable or _less(timeout, began).total == 0:
                    raise
                earlier = error.attempts
        raise UnknownTargetError(f"the alias {target!r} names no target")

    def _run_whole(self, connection: Connection, call: Call, timeout: TimeoutPolicy) -> Awaitable[Any]:
        # No coroutine of its own: most calls have neither middlewares nor observers, and should not pay for them.
        if not self._has_middlewares(connection) and not self._registry.has_observers:
            return self._innermost(connection, call, timeout)
        handler = self._handler(connection, timeout, [])
        return observed(self._registry, call, handler)

    async def _run_stream(self, connection: Connection, call: Call, timeout: TimeoutPolicy) -> Any:
        if not self._has_middlewares(connection) and not self._registry.has_observers:
            return await self._innermost(connection, call, timeout)
        begun: list[StreamSource] = []
        handler = self._handler(connection, timeout, begun)
        try:
            return await observed_stream(self._registry, call, handler)
        except BaseException:
            for source in begun:  # a middleware failed, or was cancelled, while it held one
                await source.aclose()
            raise

    def _innermost(self, connection: Connection, call: Call, timeout: TimeoutPolicy) -> Awaitable[Any]:
        """Carry a call out, past all middlewares."""
        target = connection.target(call.model.id, call.kind)
        if call.stream:
            return Execution(connection, target, call, timeout).stream()
        request = call.request
        if isinstance(request, (EmbedRequest, RerankRequest)):
            parts = cut(request, target.capabilities.limits)
            if len(parts) > 1:
                return self._in_parts(connection, call, timeout, request, parts)
        return Execution(connection, target, call, timeout).run()

    def _in_parts(
        self,
        connection: Connection,
        call: Call,
        timeout: TimeoutPolicy,
        request: Batch,
        parts: Sequence[Batch],
    ) -> Awaitable[Any]:
        target = connection.target(call.model.id, call.kind)
        began = asyncio.get_running_loop().time()

        async def part(piece: Batch) -> Any:
            earlier = call.earlier if piece is parts[0] else ()
            one = attrs.evolve(call, request=piece, earlier=earlier)
            return await Execution(connection, target, one, _less(timeout, began)).run()

        return run_parts(request, parts, part)

    def _call(
        self, target: str, connection: Connection, model_id: str, kind: Kind, options: Any, make: _Make
    ) -> tuple[Call, TimeoutPolicy]:
        try:
            looked_up = connection.target(model_id, kind)
            given = dict(options)
            timeout = arguments.take_timeout(given, connection.config.timeout)
            entry = looked_up.entry
            if entry is not None and entry.options:
                given = {**entry.options, **given}
            if "extra" in given:
                self._check_extra(given["extra"], connection)
            request = make(given, given.pop("unsupported", connection.config.unsupported))
        except JackfieldError as error:
            connection.locate_and_redact(error, model_id)
            raise
        call = Call(
            id=f"{time.time_ns():x}-{next(_call_numbers)}",
            kind=kind,
            target=target,
            connection=connection.name,
            provider=connection.config.provider_id,
            model=looked_up.model,
            request=request,
            stream=request.stream,
            timeout=timeout,
            fingerprint=connection.fingerprint,
        )
        return call, timeout

    def _check_extra(self, extra: Any, connection: Connection) -> None:
        """Refuse ids that nobody can mean.

        Raises:
            ConfigurationError: Names the id, and the closest.
        """
        if not isinstance(extra, Mapping):
            return  # which is told with the types of all options
        from ._config.extra_ids import extra_fault, extra_ids

        if self._extra_ids is None:
            self._extra_ids = extra_ids(self._registry, self._config.connections.values())
        fault = extra_fault(
            extra, self._extra_ids, connection.config.provider_id, only_slips=bool(self._middlewares)
        )
        if fault is not None:
            raise ConfigurationError(f"extra{fault}")

    def _resolve(self, target: str) -> list[tuple[Connection, str]]:
        """Turn a target into connections and model ids.

        Raises:
            UnknownTargetError: There is no such alias or connection.
        """
        names = self._config.aliases.get(target, (target,))
        return [self._split(name) for name in names]

    def _split(self, target: str) -> tuple[Connection, str]:
        name, colon, model_id = target.partition(":")
        if not colon or not model_id:
            known = (*self._config.aliases, *(f"{name}:..." for name in self._config.connections))
            raise UnknownTargetError(
                f'{target!r} is no alias and not of the form "connection:model"{hint(target, known)}'
            )
        return self._connection(name, model_id), model_id

    def _connection(self, name: str, model_id: str | None = None) -> Connection:
        connection = self._open.get(name)
        if connection is None:
            if name not in self._config.connections:
                raise UnknownTargetError(
                    f"there is no connection {name!r}{hint(name, self._config.connections)}",
                    connection=name,
                    model=model_id,
                )
            # `explain` works outside `async with` too: it opens nothing.
            connection = Connection(self._config.connections[name], self._registry, self._config.prices)
        return connection

    def _require_open(self) -> None:
        if not self._entered:
            raise ConfigurationError(
                "use the mesh inside its block: `async with Mesh.from_config(...) as mesh:`"
            )

    def _layers(self, config: ConnectionConfig) -> list[Layer]:
        settings = self._config.middleware_settings
        named = [Layer(self._built[name], name, settings.get(name)) for name in config.middlewares]
        return [*map(Layer, self._middlewares), *named]

    def _has_middlewares(self, connection: Connection) -> bool:
        return bool(self._middlewares or connection.config.middlewares)

    def _handler(self, connection: Connection, timeout: TimeoutPolicy, begun: list[StreamSource]) -> Handler:
        """Put the middlewares around a call; streams that begin are added to `begun`."""

        async def innermost(call: Call) -> Any:
            answer = await self._innermost(connection, call, timeout)
            if call.stream:
                begun.append(answer)
            return answer

        named = [self._built[name] for name in connection.config.middlewares]
        handler = chain([*self._middlewares, *named], innermost)

        async def outermost(call: Call) -> Any:
            answer = await handler(call)
            if answer is None or (call.stream and not hasattr(answer, "__anext__")):
                raise ConfigurationError(
                    f"a middleware answered a call with {a_or_an(type(answer).__name__)}; it must give "
                    + (
                        "a stream, such as `proceed` gives"
                        if call.stream
                        else "a reply, such as `proceed` gives"
                    ),
                    connection=call.connection,
                )
            return answer

        return outermost

    async def _build_middlewares(self) -> dict[str, Middleware]:
        """Make each middleware that a connection names, once."""
        built: dict[str, Middleware] = {}
        named = (name for config in self._config.connections.values() for name in config.middlewares)
        for name in dict.fromkeys(named):
            try:
                built[name] = self._built_middleware(name)
            except JackfieldError:
                await _closed(built)
                raise
        return built

    def _built_middleware(self, name: str) -> Middleware:
        settings = self._config.middleware_settings.get(name, {})
        try:
            return cast("Middleware", self._registry.middleware(name)(settings))
        except JackfieldError:
            raise
        except Exception as error:
            # To go on without it would be worse: it may be the one that hides what must not be sent.
            raise ConfigurationError(
                f"the middleware {name} cannot be made from [middleware.{name}]: "
                f"{type(error).__name__}: {error}"
            ) from error


async def _closed(middlewares: Mapping[str, Middleware]) -> list[BaseException]:
    """Close those that have something to close, the last made first; give what went wrong."""
    faults: list[BaseException] = []
    for middleware in reversed(list(middlewares.values())):
        close = getattr(middleware, "aclose", None)
        if close is not None:
            try:
                await close()
            except Exception as error:
                faults.append(error)
    return faults


def _less(timeout: TimeoutPolicy, began: float) -> TimeoutPolicy:
    """Take the time since `began`, by the clock of the loop, off the limit of a whole call."""
    if timeout.total is None:
        return timeout
    spent = asyncio.get_running_loop().time() - began
    return attrs.evolve(timeout, total=max(0.0, timeout.total - spent))


def _with_last(items: Sequence[T]) -> list[tuple[bool, T]]:
    return [(index == len(items) - 1, item) for index, item in enumerate(items)]


if TYPE_CHECKING:
    from typing import TypeAlias

    _Make: TypeAlias = Callable[[dict[str, Any], UnsupportedPolicy], Request]
    _Run: TypeAlias = Callable[[Connection, Call, TimeoutPolicy], Awaitable[T]]


show_in("jackfield", Mesh)

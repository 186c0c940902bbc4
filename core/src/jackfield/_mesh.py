"""The mesh: all connections behind one API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, Unpack

from ._calls.connection import Connection, preload
from ._calls.home import Home
from ._calls.middlewares import Middlewares
from ._calls.pipeline import Pipeline
from ._contract.middleware import Middleware
from ._faces import show_in
from ._hints import hint
from ._input.kinds import (
    CHAT,
    COMPLETION,
    COUNT,
    EMBEDDING,
    KINDS_OF_CALLS,
    RERANK,
    SUMMARIZATION,
    CallKind,
    ReplyT,
)
from ._types.capabilities import Kind, ModelCard
from ._types.content import MessageLike
from ._types.errors import ConfigurationError
from ._types.replies import EmbedReply, Reply, RerankReply, TokenCount

if TYPE_CHECKING:
    from ._calls.check import CheckResult
    from ._calls.explain import Plan
    from ._calls.listing import ModelLists
    from ._calls.relay import RelayedAnswer, RelayRequest
    from ._calls.streams import Stream, StreamSource
    from ._config.connections import ConnectionConfig, MeshConfig
    from ._input.option_types import ChatOptions, EmbedOptions, RerankOptions
    from ._plugins.registry import Registry

__all__ = ["Mesh", "explain_middlewares", "relay"]


class Mesh:
    """All connections of a program behind one API.

        async with Mesh.from_config("jackfield.toml") as mesh:
            reply = await mesh.chat("openai:gpt-6-luna", "Why is the sky blue?")

    Use it inside its `async with`; what it opens is closed there. A closed mesh may be entered again, also in
    another event loop.

    Args:
        config: The result of `load_config`.
        registry: The plugins.
        middlewares: The program's own, around those that the configuration names; the first is the outermost.
    """

    def __init__(
        self, config: MeshConfig, registry: Registry, *, middlewares: Sequence[Middleware] = ()
    ) -> None:
        self._config = config
        self._registry = registry
        self._around = Middlewares(config, registry, middlewares)
        self._open: dict[str, Connection] = {}
        self._lists: ModelLists | None = None
        self._pipeline = Pipeline(config, registry, self._open, self._around)
        self._entered = False
        self._home: Home | None = None

    @classmethod
    def from_config(
        cls,
        source: str | Path | Mapping[str, Any] | None = None,
        *,
        middlewares: Sequence[Middleware] = (),
        registry: Registry | None = None,
    ) -> Mesh:
        """Create a mesh from a configuration file, or from a mapping of the same shape.

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
        """The declared connections, by name."""
        return self._config.connections

    @property
    def aliases(self) -> Mapping[str, tuple[str, ...]]:
        """The targets of each alias, in the order in which they are tried."""
        return self._config.aliases

    async def __aenter__(self) -> Self:
        if self._entered:
            raise ConfigurationError("this mesh is open already; share it, or make another")
        await self._around.make()
        if self._registry.has_observers:
            await asyncio.to_thread(self._registry.load_extensions)  # some import an SDK
        await preload(self._config.connections.values())
        for name, config in self._config.connections.items():
            self._open[name] = Connection(
                config, self._registry, self._config.prices, self._around.describe(config)
            )
        self._home = Home()
        self._entered = True
        return self

    def __enter__(self) -> NoReturn:
        raise ConfigurationError("the mesh needs `async with`, not `with`")

    def __exit__(self, *exc: object) -> None: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        connections = list(self._open.values())
        self._open.clear()
        self._lists = None
        home, self._home = self._home, None
        if home is not None and home.is_of_parent:
            return  # its sockets are those of the process that forked, which still uses them
        closing = (connection.aclose() for connection in connections)
        results: list[object] = await asyncio.gather(*closing, return_exceptions=True)
        results += await self._around.close()
        for result in results:
            if isinstance(result, BaseException):
                raise result

    # Calls

    async def chat(
        self, target: str, messages: str | Sequence[MessageLike], **options: Unpack[ChatOptions]
    ) -> Reply:
        """Continue a conversation.

        Args:
            target: `"connection:model"` or an alias.
            messages: A string (one user turn), or a list of `Message`, `ToolResult` and dicts.
            options: See `ChatOptions`.

        Raises:
            JackfieldError: See the error tree in `jackfield`.
        """
        return await self._run(target, CHAT, messages, options)

    def stream_chat(
        self, target: str, messages: str | Sequence[MessageLike], **options: Unpack[ChatOptions]
    ) -> Stream:
        """Continue a conversation, event by event. See `Stream`."""
        return self._stream(target, CHAT, messages, options)

    async def complete(self, target: str, prompt: str, **options: Unpack[ChatOptions]) -> Reply:
        """Continue a text."""
        return await self._run(target, COMPLETION, prompt, options)

    def stream_complete(self, target: str, prompt: str, **options: Unpack[ChatOptions]) -> Stream:
        """Continue a text, event by event."""
        return self._stream(target, COMPLETION, prompt, options)

    async def summarize(self, target: str, text: str, **options: Unpack[ChatOptions]) -> Reply:
        """Summarize a text. A model without an endpoint for this is prompted with `SUMMARY_PROMPT`, which is reported."""
        return await self._run(target, SUMMARIZATION, text, options)

    async def embed(
        self, target: str, inputs: str | Sequence[str], **options: Unpack[EmbedOptions]
    ) -> EmbedReply:
        """Embed texts. What does not fit into one request is split, with at most four requests at once."""
        return await self._run(target, EMBEDDING, inputs, options)

    async def rerank(
        self, target: str, query: str, documents: Sequence[str], **options: Unpack[RerankOptions]
    ) -> RerankReply:
        """Order documents by relevance to a query, best first."""
        return await self._run(target, RERANK, (query, documents), options)

    async def count_tokens(
        self, target: str, messages: str | Sequence[MessageLike], **options: Unpack[ChatOptions]
    ) -> TokenCount:
        """Count the input tokens of a conversation: by the service if it can, otherwise as a marked estimate."""
        self._require_open()
        return await self._pipeline.try_targets(target, COUNT, messages, options, self._pipeline.count)

    def explain(
        self,
        target: str,
        messages: str | Sequence[MessageLike] | Sequence[str],
        *,
        kind: Kind = "chat",
        **options: object,
    ) -> Plan:
        """Return what a call would send, without any I/O. Of an alias, the first target is explained.

        Args:
            target: As in the call.
            messages: As in the call: messages, a prompt, a text, texts to embed, or documents to order.
            kind: The kind of call.
            options: As in the call; `stream=True` explains the streamed one, and `query` goes with documents.
        """
        stream = bool(options.pop("stream", False))
        content = (options.pop("query", ""), messages) if kind == "rerank" else messages
        what = KINDS_OF_CALLS.get(kind)
        if what is None:
            raise ConfigurationError(f"there is no kind of call {kind!r}{hint(kind, KINDS_OF_CALLS)}")
        connection, model_id = self._pipeline.resolve(target)
        call = self._pipeline.make_call(target, connection, model_id, what, content, options, stream=stream)
        from ._calls.explain import make_plan

        return make_plan(connection, connection.find_target(model_id, kind), call)

    async def _explain_middlewares(self, plan: Plan) -> dict[str, Any]:
        self._require_open()
        told: dict[str, Any] = {}
        for middleware in self._around.list_around(self._config.connections[plan.connection]):
            explain = getattr(middleware, "explain", None)
            if explain is not None and plan.call is not None:
                told.update(await explain(plan.call))
        return told

    async def _relay(self, target: str, asked: RelayRequest, **options: object) -> RelayedAnswer | None:
        self._require_open()
        return await self._pipeline.relay(target, asked, options)

    # Connections

    async def models(self, connection: str | None = None, *, refresh: bool = False) -> list[ModelCard]:
        """List models: of one connection, or of all that can be listed.

        Raises:
            JackfieldError: The named connection cannot be listed. Without a name, such connections are left out.
        """
        self._require_open()
        if connection is not None:
            there = self._pipeline.find_connection(connection)
            return await self._model_lists().of(there).fetch(refresh=refresh)
        return await self._model_lists().fetch_all(refresh=refresh)

    async def check(self, connection: str, *, ask: bool = False) -> CheckResult:
        """Make one real round trip and return how it went; errors of the service are not raised.

        Args:
            connection: Its name.
            ask: Where the service has no list of models, ask the first declared chat model for one word, which may be
                billed. Providers without such a list are always asked.
        """
        self._require_open()
        from ._calls.check import check_connection

        there = self._pipeline.find_connection(connection)
        return await check_connection(there, self._model_lists().of(there), self.chat, ask=ask)

    # Inside

    def _run(
        self, target: str, what: CallKind[ReplyT], content: object, options: Mapping[str, object]
    ) -> Awaitable[ReplyT]:
        self._require_open()
        return self._pipeline.run(target, what, content, options)

    def _stream(
        self, target: str, what: CallKind[Reply], content: object, options: Mapping[str, object]
    ) -> Stream:
        from ._calls.streams import Stream

        def start() -> Awaitable[StreamSource]:
            self._require_open()
            return self._pipeline.begin(target, what, content, options)

        return Stream(start)

    def _model_lists(self) -> ModelLists:
        from ._calls.listing import ModelLists

        if self._lists is None:
            self._lists = ModelLists(self._open)
        return self._lists

    def _require_open(self) -> None:
        home = self._home
        if home is None:
            raise ConfigurationError(
                "use the mesh inside its block: `async with Mesh.from_config(...) as mesh:`"
            )
        home.require()

    def __repr__(self) -> str:
        state = "open" if self._entered else "not open"
        names = ", ".join(self._config.connections) or "none"
        aliases = f"; aliases: {', '.join(self._config.aliases)}" if self._config.aliases else ""
        return f"<Mesh, {state}; connections: {names}{aliases}>"


async def relay(mesh: Mesh, target: str, asked: RelayRequest, **options: object) -> RelayedAnswer | None:
    """Hand a client's request on as it is, and return the bytes of the answer; for gateways.

    The promises of a call hold: retries before the first byte, time limits, cancellation, usage and cost.

    Args:
        mesh: Whose connections are used.
        target: `"connection:model"` or an alias.
        asked: The request.
        options: `timeout`, `owner`, `labels`, or nothing.

    Returns:
        The answer; None if the call must be translated: the provider does not speak the surface, a middleware must see
        the content (it has no `needs_content = False`), or the model's entry declares options.

    Raises:
        JackfieldError: The call failed before anything came.
    """
    return await mesh._relay(target, asked, **options)  # noqa: SLF001 -- its one entry, which programs need not know


async def explain_middlewares(mesh: Mesh, plan: Plan) -> dict[str, Any]:
    """Return what the middlewares around a call say of it before it is made: those that have `async explain(call)`.

    Args:
        mesh: The mesh, open.
        plan: From its `explain`.

    Returns:
        JSON-able data by name, such as "limits": which concern the call, and what it would reserve.
    """
    return await mesh._explain_middlewares(plan)  # noqa: SLF001 -- no program needs to know


show_in("jackfield", Mesh)

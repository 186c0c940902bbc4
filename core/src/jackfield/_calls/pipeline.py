"""The path of a call: its target, the middlewares, its execution."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs

from jackfield._contract.middleware import Handler, Middleware, chain
from jackfield._hints import a_or_an, hint
from jackfield._input.arguments import take_timeout
from jackfield._input.kinds import CallKind, ReplyT
from jackfield._types.calls import NO_LABELS, OWNER, Call, Forecast
from jackfield._types.errors import ConfigurationError, JackfieldError, UnknownTargetError, UnsupportedError
from jackfield._types.policies import TimeoutPolicy
from jackfield._types.replies import Attempt
from jackfield._types.requests import EmbedRequest, RerankRequest

from .connection import Connection
from .execution import Execution

if TYPE_CHECKING:
    from jackfield._config.connections import MeshConfig
    from jackfield._plugins.registry import Registry
    from jackfield._types.replies import Reply, TokenCount

    from .middlewares import Middlewares
    from .relay import RelayedAnswer, RelayRequest, RelayStream
    from .splitting import Batch, BatchReply
    from .streams import StreamSource

__all__ = ["Pipeline"]

T = TypeVar("T")
_call_numbers = itertools.count(1)
_NONE = type(None)


class Pipeline:
    """Execute calls: look up their targets, wrap each in the middlewares, try the targets of an alias in order.

    Args:
        config: What is declared.
        registry: The plugins.
        connections: Those that are open, by name.
        middlewares: Those around the calls.
    """

    def __init__(
        self,
        config: MeshConfig,
        registry: Registry,
        connections: Mapping[str, Connection],
        middlewares: Middlewares,
    ) -> None:
        self._config = config
        self._registry = registry
        self._connections = connections
        self._middlewares = middlewares
        self._extra_ids: frozenset[str] | None = None

    # These are not coroutines themselves: each one would add to the cost of every event that a call waits for.

    def run(
        self, target: str, what: CallKind[ReplyT], content: object, options: Mapping[str, object]
    ) -> Coroutine[Any, Any, ReplyT]:
        """Execute a call and return its reply.

        Args:
            target: `"connection:model"` or an alias.
            what: The kind of call.
            content: What is asked, as the kind takes it.
            options: Options by name.

        Raises:
            JackfieldError: That of the last target.
        """
        return self.try_targets(target, what, content, options, self.carry_out)

    def begin(
        self, target: str, what: CallKind[Reply], content: object, options: Mapping[str, object]
    ) -> Coroutine[Any, Any, StreamSource]:
        """Execute a streaming call until it has begun. Args and errors are those of `run`."""
        return self.try_targets(target, what, content, options, self._carry_out_stream, stream=True)

    async def try_targets(
        self,
        target: str,
        what: CallKind[Any],
        content: object,
        options: Mapping[str, object],
        carry_out: Callable[[Connection, Call], Awaitable[T]],
        *,
        stream: bool = False,
        relayed: RelayRequest | None = None,
    ) -> T:
        """Make a call to each target of an alias in order; continue only after errors that may be retried.

        The other args are those of `run`.

        Args:
            carry_out: Makes the call to one target.
            stream: Whether the call is streamed.
            relayed: What is handed on as it came.

        Raises:
            JackfieldError: That of the last target.
        """
        candidates = [self._look_up(name) for name in self._list_names(target)]
        began = asyncio.get_running_loop().time()
        earlier: tuple[Attempt, ...] = ()
        for number, (connection, model_id) in enumerate(candidates, 1):
            call = self.make_call(
                target, connection, model_id, what, content, options, stream=stream, relayed=relayed
            )
            limit = call.timeout
            if earlier:
                call = attrs.evolve(call, earlier=earlier, timeout=_subtract_elapsed(limit, began))
            try:
                return await carry_out(connection, call)
            except JackfieldError as error:
                if number == len(candidates) or not error.is_retryable or _is_over(limit, began):
                    raise
                earlier = error.attempts
        raise UnknownTargetError(f"the alias {target!r} names no target")

    def carry_out(self, connection: Connection, call: Call) -> Awaitable[ReplyT]:
        """Execute a call on one connection, through its middlewares."""
        middlewares = self._middlewares.list_around(connection.config)
        # Most calls have neither middlewares nor observers and should not pay for them.
        if not middlewares and not self._registry.has_observers:
            return self._execute(connection, call)
        from .observers import observe

        handler = (
            self._chain(connection, middlewares, []) if middlewares else partial(self._execute, connection)
        )
        return observe(self._registry, call, handler)

    async def count(self, connection: Connection, call: Call) -> TokenCount:
        """Count the tokens of a call's input: by the service if it can, otherwise as an estimate."""
        capabilities = connection.find_target(call.model.id, call.kind).capabilities
        if capabilities.feature("count_tokens").value is True:
            try:
                counted: TokenCount = await self.carry_out(connection, call)
            except UnsupportedError:
                pass
            else:
                return counted
        from .explain import estimate_tokens

        return estimate_tokens(call.request)

    def _carry_out_stream(self, connection: Connection, call: Call) -> Awaitable[StreamSource]:
        middlewares = self._middlewares.list_around(connection.config)
        if not middlewares and not self._registry.has_observers:
            return self._begin(connection, call)
        return self._begin_inside(connection, call, middlewares)

    async def _begin_inside(
        self, connection: Connection, call: Call, middlewares: Sequence[Middleware]
    ) -> StreamSource:
        from .observers import observe

        begun: list[StreamSource] = []
        handler = (
            self._chain(connection, middlewares, begun) if middlewares else partial(self._begin, connection)
        )
        try:
            source: StreamSource = await observe(self._registry, call, handler)
        except BaseException:
            for one in begun:  # a middleware failed, or was cancelled, while it held a stream
                await one.aclose()
            raise
        return source

    def _chain(
        self, connection: Connection, middlewares: Sequence[Middleware], begun: list[StreamSource]
    ) -> Handler:
        """Return a handler that runs the middlewares around a call; streams that begin are added to `begun`."""

        async def execute(call: Call) -> Any:
            if not call.stream:
                return await self._execute(connection, call)
            source = await self._begin(connection, call)
            begun.append(source)
            return source

        handler = chain(middlewares, execute)

        async def check_reply(call: Call) -> Any:
            reply = await handler(call)
            if reply is None or (call.stream and not hasattr(reply, "__anext__")):
                wanted = "a stream" if call.stream else "a reply"
                raise ConfigurationError(
                    f"a middleware answered a call with {a_or_an(type(reply).__name__)}; "
                    f"it must give {wanted}, such as `proceed` gives",
                    connection=call.connection,
                )
            return reply

        return check_reply

    async def relay(
        self, target: str, asked: RelayRequest, options: Mapping[str, object]
    ) -> RelayedAnswer | None:
        """Hand a client's request on as it is, and its answer back; None if the call must be translated.

        A middleware may want to see or change the content; so only what goes through none of these is relayed.

        Args:
            target: `"connection:model"` or an alias, all of whose targets must take the request as it is.
            asked: The request.
            options: `timeout`, `owner`, `labels`, or nothing.

        Raises:
            JackfieldError: That of the last target.
        """
        from .relay import RelayedAnswer, find_kind, find_wire, send

        found = {}
        for name in self._list_names(target):
            connection, model_id = self._look_up(name)
            middlewares = self._middlewares.list_around(connection.config)
            if any(getattr(middleware, "needs_content", True) for middleware in middlewares):
                return None
            wire = find_wire(connection, model_id, asked)
            if wire is None:
                return None
            found[connection.name, model_id] = wire, middlewares

        async def carry_out(connection: Connection, call: Call) -> RelayedAnswer:
            wire, middlewares = found[connection.name, call.model.id]
            begun: list[RelayStream] = []

            async def begin(call: Call) -> RelayStream:
                begun.append(await send(connection, call, wire))
                return begun[-1]

            source = await self._begin_relay(call, middlewares, begin, begun)
            return RelayedAnswer(source, begun[-1].head, connection.name, call.model.id)

        kind = find_kind(asked)
        return await self.try_targets(target, kind, None, options, carry_out, stream=True, relayed=asked)

    async def _begin_relay(
        self, call: Call, middlewares: Sequence[Middleware], begin: Handler, begun: list[RelayStream]
    ) -> StreamSource:
        from .observers import observe

        try:
            source: StreamSource = await observe(self._registry, call, chain(middlewares, begin))
            if not begun:
                raise ConfigurationError(
                    "a middleware with needs_content = False answered a relayed call by itself; "
                    "it must return what `proceed` gives",
                    connection=call.connection,
                )
        except BaseException:
            for one in begun:  # a middleware failed, or was cancelled, while it held the answer
                await one.aclose()
            raise
        return source

    # Past all middlewares

    def _begin(self, connection: Connection, call: Call) -> Awaitable[StreamSource]:
        target = connection.find_target(call.model.id, call.kind)
        execution: Execution[Reply] = Execution(connection, target, call)
        return execution.stream()

    def _execute(self, connection: Connection, call: Call) -> Awaitable[ReplyT]:
        target = connection.find_target(call.model.id, call.kind)
        request = call.request
        if isinstance(request, (EmbedRequest, RerankRequest)):
            from .splitting import cut

            parts = cut(request, target.capabilities.limits)
            if len(parts) > 1:
                return self._execute_parts(connection, call, request, parts)
        execution: Execution[ReplyT] = Execution(connection, target, call)
        return execution.run()

    def _execute_parts(
        self, connection: Connection, call: Call, request: Batch, parts: Sequence[Batch]
    ) -> Awaitable[ReplyT]:
        from .splitting import run_parts

        target = connection.find_target(call.model.id, call.kind)
        began = asyncio.get_running_loop().time()

        async def execute_part(part: Batch) -> BatchReply:
            earlier = call.earlier if part is parts[0] else ()
            limit = _subtract_elapsed(call.timeout or connection.config.timeout, began)
            one = attrs.evolve(call, request=part, earlier=earlier, timeout=limit)
            execution: Execution[BatchReply] = Execution(connection, target, one)
            return await execution.run()

        return cast("Awaitable[ReplyT]", run_parts(request, parts, execute_part))

    # Before them

    def make_call(
        self,
        target: str,
        connection: Connection,
        model_id: str,
        what: CallKind[Any],
        content: object,
        options: Mapping[str, object],
        *,
        stream: bool,
        relayed: RelayRequest | None = None,
    ) -> Call:
        """Build the call that a caller wrote.

        Raises:
            JackfieldError: The model is not allowed, or an argument is not valid.
        """
        config = connection.config
        try:
            found = connection.find_target(model_id, what.kind)
            given: dict[str, Any] = dict(options)
            if _NONE in map(type, given.values()):  # a program's own word for "not given"
                given = {
                    name: value for name, value in given.items() if value is not None or name == "timeout"
                }
            timeout = take_timeout(given, config.timeout)
            owner, labels = OWNER.get(), NO_LABELS
            if "owner" in given or "labels" in given:
                from jackfield._input.owners import take_owner

                owner, labels = take_owner(given, owner)
            if found.entry is not None and found.entry.options:
                given = {**found.entry.options, **given}
            if "extra" in given:
                self._check_extra(given["extra"], connection)
            request = what.make(content, given, given.pop("unsupported", config.unsupported), stream=stream)
        except JackfieldError as error:
            connection.locate_and_redact(error, model_id)
            raise
        return Call(
            id=f"{time.time_ns():x}-{next(_call_numbers)}",
            kind=what.kind,
            target=target,
            connection=connection.name,
            provider=config.provider_id,
            model=found.model,
            request=request,
            stream=request.stream,
            relayed=None if relayed is None else relayed.surface,
            timeout=timeout,
            owner=owner,
            labels=labels,
            fingerprint=connection.fingerprint,
            forecaster=(connection.forecaster or _prepare_forecasts(connection))
            if relayed is None
            else _forecast_relay(connection, relayed),
        )

    def _check_extra(self, extra: object, connection: Connection) -> None:
        """Reject ids of providers that do not exist.

        Raises:
            ConfigurationError: An id is unknown; the message suggests the closest one.
        """
        if not isinstance(extra, Mapping):
            return  # which is reported with the types of all options
        from jackfield._config.extra_ids import extra_fault, extra_ids

        if self._extra_ids is None:
            self._extra_ids = extra_ids(self._registry, self._config.connections.values())
        fault = extra_fault(
            extra, self._extra_ids, connection.config.provider_id, only_slips=bool(self._middlewares.own)
        )
        if fault is not None:
            raise ConfigurationError(f"extra{fault}")

    def resolve(self, target: str) -> tuple[Connection, str]:
        """Return the connection and the model id of a target; of an alias, those of the first one.

        Raises:
            UnknownTargetError: There is no such alias or connection.
        """
        return self._look_up(self._list_names(target)[0])

    def _list_names(self, target: str) -> tuple[str, ...]:
        if not isinstance(target, str):  # callers without a type checker
            raise UnknownTargetError(
                f'a target must be a string, "connection:model" or an alias, got {target!r}; '
                "declare an alias to try several"
            )
        return self._config.aliases.get(target, (target,))

    def _look_up(self, target: str) -> tuple[Connection, str]:
        name, colon, model_id = target.partition(":")
        if not colon or not model_id:
            known = (*self._config.aliases, *(f"{name}:..." for name in self._config.connections))
            raise UnknownTargetError(
                f'{target!r} is neither an alias nor of the form "connection:model"{hint(target, known)}'
            )
        connection = self._connections.get(name)
        return self.find_connection(name, model_id) if connection is None else connection, model_id

    def find_connection(self, name: str, model_id: str | None = None) -> Connection:
        """Return a connection by its name.

        Args:
            name: Its name.
            model_id: The model that is asked for, for the error.

        Raises:
            UnknownTargetError: There is no such connection.
        """
        connection = self._connections.get(name)
        if connection is None:
            if name not in self._config.connections:
                raise UnknownTargetError(
                    f"there is no connection {name!r}{hint(name, self._config.connections)}",
                    connection=name,
                    model=model_id,
                )
            # `explain` also works while the mesh is closed: it opens nothing.
            connection = Connection(self._config.connections[name], self._registry, self._config.prices)
        return connection


def _prepare_forecasts(connection: Connection) -> Callable[[Call], Forecast]:
    def forecast(call: Call) -> Forecast:
        from .forecasting import CallForecast  # few programs read forecasts

        return CallForecast(connection, call)

    connection.forecaster = forecast
    return forecast


def _forecast_relay(connection: Connection, asked: RelayRequest) -> Callable[[Call], Forecast]:
    def forecast(call: Call) -> Forecast:
        from .forecasting import RelayForecast

        return RelayForecast(connection, call, asked)

    return forecast


def _is_over(timeout: TimeoutPolicy | None, began: float) -> bool:
    return _subtract_elapsed(timeout, began).total == 0


def _subtract_elapsed(timeout: TimeoutPolicy | None, began: float) -> TimeoutPolicy:
    """Return limits whose total is what is left of it after the time since `began`, by the clock of the loop."""
    timeout = TimeoutPolicy() if timeout is None else timeout
    if timeout.total is None:
        return timeout
    spent = asyncio.get_running_loop().time() - began
    return attrs.evolve(timeout, total=max(0.0, timeout.total - spent))

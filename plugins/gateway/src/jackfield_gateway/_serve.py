"""Serve one request of a surface: check the key, find the target, relay or translate, answer, book."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

import attrs
from aiohttp import web

from jackfield import InvalidRequestError, JackfieldError, Mesh
from jackfield.plugin import RelayedAnswer, relay
from jackfield_surfaces import (
    Asked,
    Surface,
    SurfaceError,
    answer_call,
    answer_of_service,
    ask_to_relay,
    begin_stream,
    collect_notes,
    parse_body,
    read_call,
)

from ._answers import answer_whole
from ._body import read_body
from ._booking import book
from ._exchange import Visit, new_request_id
from ._keys import Key, key_in
from ._state import Generation, State
from ._streams import StreamWriter
from ._tracing import in_trace_of

__all__ = ["STATE", "Handler", "Service", "authorize", "find_refusal", "handler_of", "refuse"]

logger = logging.getLogger("jackfield.gateway")

STATE: Final = web.AppKey("state", State)

Handler: TypeAlias = Callable[[Any], Awaitable[web.StreamResponse]]
_PASSED: Final = (
    "content-type",
    "openai-processing-ms",
    "openai-model",
    "anthropic-ratelimit-",
    "x-ratelimit-",
)
"""How headers of a relayed answer begin that go on to the client."""


def handler_of(name: str, state: State, service: type[Service] | None = None) -> Handler:
    """Return the handler of a surface's requests.

    Args:
        name: The surface's name.
        state: The gateway's state.
        service: What answers one of them.
    """
    make = Service if service is None else service

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        headers = request.headers
        request_id = new_request_id(headers)
        key, why = state.find_key(key_in(headers))
        if key is None:
            state.metrics.refuse("key")
            error = SurfaceError(why, kind="invalid_api_key", status=401)
            return refuse(state.surface(name, ""), error, request_id)
        refusal = find_refusal(state)
        if refusal is not None:
            return refuse(state.surface(name, ""), refusal, request_id)
        visit = Visit(request_id, key, name)
        one = make(state, state.surface(name, key.owner), visit)
        if "traceparent" not in headers:
            return await one.answer(request)
        with in_trace_of(headers):
            return await one.answer(request)

    return handle


def find_refusal(state: State) -> SurfaceError | None:
    """Return why no call is taken now."""
    if state.draining:
        state.metrics.refuse("draining")
        return SurfaceError("the gateway is stopping; try again", status=503)
    if state.store_is_away and state.settings.store_away == "refuse":
        state.metrics.refuse("store")
        return SurfaceError("the gateway's store is away; try again later", status=503)
    return None


def authorize(request: web.Request) -> Key:
    """Return the key of a request that is not a call.

    Raises:
        SurfaceError: There is none, or it is refused.
    """
    key, why = request.app[STATE].find_key(key_in(request.headers))
    if key is None:
        raise SurfaceError(why, kind="invalid_api_key", status=401)
    return key


def refuse(
    surface: Surface, error: BaseException, request_id: str, headers: Mapping[str, str] = {}
) -> web.Response:
    """Return the answer that tells a client of an error, in its surface's words."""
    status, own, body = surface.error(error, request_id=request_id)
    return web.Response(status=status, headers={**headers, **own, "x-request-id": request_id}, body=body)


class Service:
    """One request of a surface.

    Args:
        state: The gateway's state.
        surface: The surface.
        visit: Who asks, and what is known so far.
    """

    def __init__(self, state: State, surface: Surface, visit: Visit) -> None:
        self._state = state
        self._surface = surface
        self._visit = visit
        self._is_call = False

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer the request, and book it, whatever became of it."""
        began = time.perf_counter()
        visit, metrics = self._visit, self._state.metrics
        metrics.running.inc()
        try:
            with visit.booked(), self._state.use() as generation:
                return await self._answer(request, generation)
        except JackfieldError as error:
            visit.error = error
            return refuse(self._surface, error, visit.id, visit.headers())
        except ConnectionError as error:  # the client has gone
            visit.error = visit.error or asyncio.CancelledError(str(error))
            raise
        except asyncio.CancelledError as error:
            visit.error = visit.error or error
            raise
        except Exception as error:
            logger.exception("request %s failed", visit.id)
            visit.error = error
            return refuse(self._surface, error, visit.id)
        finally:
            metrics.running.dec()
            book(self._state, visit, began, is_call=self._is_call)

    async def _answer(self, request: web.BaseRequest, generation: Generation) -> web.StreamResponse:
        body = await read_body(request, self._state.settings.most_bytes)
        content = parse_body(body)
        visit = self._visit
        visit.content = content
        name = content.get("model")
        visit.asked = name if isinstance(name, str) else ""
        visit.target = generation.targets.resolve(name, visit.key)
        return await self._carry_out(request, generation, content, body)

    async def _carry_out(
        self, request: web.BaseRequest, generation: Generation, content: Mapping[str, Any], body: bytes
    ) -> web.StreamResponse:
        """Make the call: by a relay, or translated."""
        self._is_call = True
        relayed = await self._relay(generation.mesh, request, content, body)
        if relayed is not None:
            return relayed
        return await self._translate(request, generation, content)

    async def _translate(
        self, request: web.BaseRequest, generation: Generation, content: Mapping[str, Any]
    ) -> web.StreamResponse:
        asked = self._note_asked(
            read_call(
                generation.mesh,
                self._surface,
                request.headers,
                content,
                target=self._visit.target,
                unsupported=self._state.settings.unsupported,
            )
        )
        asked = attrs.evolve(asked, options={**asked.options, **self._visit.key.who})
        self._visit.kind = asked.kind
        if asked.stream:
            return await self._stream(request, generation.mesh, asked)
        return await self._whole(request, generation.mesh, asked)

    # Relayed

    async def _relay(
        self, mesh: Mesh, request: web.BaseRequest, content: Mapping[str, Any], body: bytes
    ) -> web.StreamResponse | None:
        """Answer by a relay; None if the call must be translated."""
        asked = ask_to_relay(self._surface, request.headers, body, content)
        if asked is None:
            return None
        try:
            answer = await relay(mesh, self._visit.target, asked, **self._visit.key.who)
            if answer is None:
                return None
            return await self._pass_on(request, answer, stream=asked.stream)
        except InvalidRequestError as error:
            told = answer_of_service(self._surface, error)
            if told is None:
                raise
            self._visit.error = error
            status, headers, own = told
            return web.Response(status=status, body=own, headers={**headers, **self._visit.headers()})

    async def _pass_on(
        self, request: web.BaseRequest, answer: RelayedAnswer, *, stream: bool
    ) -> web.StreamResponse:
        """Hand the bytes of a relayed answer on as they come."""
        visit = self._visit
        visit.relayed = True
        visit.note_first_event()
        visit.answered_by = (answer.connection, answer.model)
        try:
            if stream:
                return await self._pass_stream_on(request, answer)
            return await self._pass_whole_on(request, answer)
        finally:
            await answer.aclose()
            if visit.reply is None:
                visit.reply = answer.response

    async def _pass_whole_on(self, request: web.BaseRequest, answer: RelayedAnswer) -> web.StreamResponse:
        visit = self._visit
        body = await self._note_whole(b"".join([piece async for piece in answer]))
        visit.reply = answer.response
        headers = {**_passed_headers(answer), **visit.headers(), **visit.cost_headers()}
        return answer_whole(request, headers, body)

    async def _pass_stream_on(self, request: web.BaseRequest, answer: RelayedAnswer) -> web.StreamResponse:
        self._visit.metadata = answer.metadata
        response = web.StreamResponse(headers={**_passed_headers(answer), **self._visit.headers()})
        await response.prepare(request)
        try:
            async for piece in self._watch(answer):
                await response.write(piece)
        except JackfieldError as error:
            # The client has half an answer: it must see that it is half, as the service's own client would.
            self._visit.error = error
            if request.transport is not None:
                request.transport.abort()
        else:
            await response.write_eof()
        return response

    # Translated

    async def _whole(self, request: web.BaseRequest, mesh: Mesh, asked: Asked) -> web.StreamResponse:
        visit = self._visit
        reply = await answer_call(mesh, asked)
        visit.reply = reply
        visit.notes = collect_notes(mesh, asked, reply)
        headers = {**visit.headers(), **visit.cost_headers(), "content-type": "application/json"}
        return answer_whole(request, headers, await self._note_whole(self._surface.whole(asked, reply)))

    async def _stream(self, request: web.BaseRequest, mesh: Mesh, asked: Asked) -> web.StreamResponse:
        visit = self._visit
        async with begin_stream(mesh, asked) as stream:
            visit.note_first_event()
            head = visit.reply = stream.response
            visit.notes = collect_notes(mesh, asked, head)
            encoder = self._surface.encoder(asked)
            writer = StreamWriter(request, encoder, self._state.settings.keep_alive)
            response = await writer.start(head, visit.headers())
            try:
                await writer.copy(stream)
                end = encoder.finish(stream.response)
                await self._note_end(end)
                await writer.finish(end)
            except JackfieldError as error:
                visit.error = error
                await writer.fail(error)
            finally:
                visit.reply = stream.response
        return response

    # What an API does besides

    def _note_asked(self, asked: Asked) -> Asked:
        """Note a request that is translated; return it as it is answered."""
        return asked

    async def _note_whole(self, body: bytes) -> bytes:
        """Note a whole answer before it is sent; return it as it is sent."""
        return body

    async def _note_end(self, pieces: list[bytes]) -> None:
        """Note the end of a translated stream before it is sent."""

    def _watch(self, answer: RelayedAnswer) -> AsyncIterable[bytes]:
        """Return the bytes of a relayed stream."""
        return answer


def _passed_headers(answer: RelayedAnswer) -> dict[str, str]:
    return {name: value for name, value in answer.head.headers.items() if _is_passed(name)}


@lru_cache(maxsize=1024)
def _is_passed(name: str) -> bool:
    return name.lower().startswith(_PASSED)

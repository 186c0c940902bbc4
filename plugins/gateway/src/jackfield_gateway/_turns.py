"""The requests of one WebSocket: each a call of the mesh, relayed or translated, that may continue the one before."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from jackfield import InvalidRequestError, JackfieldError, Mesh
from jackfield.http import SSEFramer
from jackfield.plugin import RelayedAnswer, read_json, relay, write_json
from jackfield_surfaces import (
    Surface,
    SurfaceError,
    Turn,
    answer_of_service,
    ask_to_relay,
    begin_stream,
    collect_notes,
    continue_turn,
    echo_in_answer,
    empty_response,
    end_turn,
    event_frame,
    read_call,
    unknown_response,
)

from ._booking import book
from ._exchange import Visit, new_request_id
from ._keeping import refuse_foreign
from ._keys import Key
from ._state import Generation, State

__all__ = ["Turns", "error_frame"]

logger = logging.getLogger("jackfield.gateway")

Send: TypeAlias = Callable[[bytes], Awaitable[None]]
_SURFACE: Final = "openai.responses"
_ENDS: Final = ("response.completed", "response.incomplete")
_DONE: Final = b"[DONE]"
_NOTHING: Final = [{"type": "message", "role": "user", "content": ""}]
_BETA: Final = "responses_websockets"
"""How the value of `openai-beta` begins that asks for what this is; a service gets the request by HTTP."""


class Turns:
    """Answers the requests of a connection, one at a time.

    Args:
        state: The gateway's state.
        headers: The headers of the upgrade.
        send: Sends a frame.
    """

    def __init__(self, state: State, headers: Mapping[str, str], send: Send) -> None:
        self._state = state
        self._headers = {
            name: value
            for name, value in headers.items()
            if name.lower() != "openai-beta" or not value.startswith(_BETA)
        }
        self._send = send
        self._last: Turn | None = None

    async def answer(self, key: Key, content: dict[str, Any]) -> None:
        """Answer a request, and book it, whatever became of it.

        Args:
            key: Who asks.
            content: The request.
        """
        state = self._state
        visit = Visit(new_request_id({}), key, _SURFACE)
        surface = state.surface(_SURFACE, key.owner)
        turn = _OneTurn(state, surface, visit, self._headers, self._send)
        began = time.perf_counter()
        state.metrics.running.inc()
        error: BaseException | None = None
        try:
            with visit.booked(), state.use() as generation:
                self._last = await turn.run(generation, content, self._take(content)) or self._last
        except JackfieldError as failed:
            error = visit.error = failed
        except (ConnectionError, asyncio.CancelledError) as gone:
            visit.error = visit.error or (
                gone if isinstance(gone, asyncio.CancelledError) else asyncio.CancelledError(str(gone))
            )
            raise
        except Exception as failed:
            logger.exception("request %s failed", visit.id)
            error = visit.error = failed
        finally:
            state.metrics.running.dec()
            book(state, visit, began, is_call=turn.is_call)
        if error is not None:
            await self._send(_frame(*(turn.refusal or surface.error(error))))

    def _take(self, content: Mapping[str, Any]) -> Turn | None:
        """Return what the answer has left that a request continues; it is forgotten if the request fails."""
        last = self._last
        if last is None or content.get("previous_response_id") != last.id:
            return None
        self._last = None
        return last


class _OneTurn:
    """One request.

    Attributes:
        is_call: A model is asked.
        refusal: The service's own answer to a relayed request that it does not accept.
    """

    def __init__(
        self, state: State, surface: Surface, visit: Visit, headers: Mapping[str, str], send: Send
    ) -> None:
        self._state = state
        self._surface = surface
        self._visit = visit
        self._headers = headers
        self._send = send
        self.is_call = False
        self.refusal: tuple[int, dict[str, str], bytes] | None = None

    async def run(self, generation: Generation, content: dict[str, Any], before: Turn | None) -> Turn | None:
        """Answer the request; return what it leaves, or None if it failed after its answer had begun."""
        visit, name = self._visit, content.get("model")
        visit.asked = name if isinstance(name, str) else ""
        visit.content = content
        visit.target = generation.targets.resolve(name, visit.key)
        if content.get("background"):
            raise SurfaceError(
                "background is not served over a WebSocket",
                parameter="background",
                kind="unsupported_parameter",
            )
        generate = content.pop("generate", True)
        content.pop("stream", None)  # every answer is one
        whole = continue_turn(await self._find_kept(generation, content, before), before)
        self._require_room(before)
        if generate is False:
            return await self._prepare(whole, content, before)
        self.is_call = True
        answer = await self._relay(generation.mesh, whole)
        if answer is not None:
            return await self._pass_on(answer, whole)
        if "previous_response_id" in whole:
            raise unknown_response(whole["previous_response_id"])
        return await self._translate(generation.mesh, whole, content.get("previous_response_id"))

    async def _find_kept(
        self, generation: Generation, content: dict[str, Any], before: Turn | None
    ) -> dict[str, Any]:
        """Return a request with what it continues or refers to, where that is kept beside this connection."""
        state, visit = self._state, self._visit
        known = {} if before is None else {"previous_response_id": None}
        if state.is_shared:
            refuse_foreign({**content, **known}, kept=state.keeper is not None)
        if state.keeper is None:
            return content
        connection = generation.targets.connection_of(visit.target)
        talk = await state.keeper.begin({**content, **known}, visit.key.owner, connection)
        if talk.is_whole:
            return content
        found = {**content, "input": talk.content["input"]}
        if before is None:
            found.pop("previous_response_id", None)
        return found

    def _require_room(self, before: Turn | None) -> None:
        most = self._state.settings.most_bytes
        if before is not None and before.size > most:
            raise SurfaceError(
                f"the conversation is longer than {most} bytes, which is what this gateway keeps; begin a new one",
                kind="context_length_exceeded",
                status=413,
            )

    async def _prepare(
        self, whole: dict[str, Any], content: Mapping[str, Any], before: Turn | None
    ) -> Turn | None:
        """Answer with nothing, by a name under which the conversation goes on."""
        if content.get("previous_response_id") is not None and before is None:
            raise unknown_response(content["previous_response_id"])
        checked = {**whole, "input": whole["input"] or _NOTHING}
        checked.pop("previous_response_id", None)
        asked = self._surface.read(self._headers, checked, unsupported="drop")
        asked = echo_in_answer(asked, previous_response_id=content.get("previous_response_id"))
        events = empty_response(asked)
        for event in events:
            await self._send(write_json(event))
        return end_turn(whole, events[-1]["response"])

    # Relayed

    async def _relay(self, mesh: Mesh, whole: Mapping[str, Any]) -> RelayedAnswer | None:
        content = {**whole, "stream": True}
        asked = ask_to_relay(self._surface, self._headers, write_json(content), content)
        if asked is None:
            return None
        try:
            return await relay(mesh, self._visit.target, asked, **self._visit.key.who)
        except InvalidRequestError as error:
            self.refusal = answer_of_service(self._surface, error)
            raise

    async def _pass_on(self, answer: RelayedAnswer, whole: Mapping[str, Any]) -> Turn | None:
        visit = self._visit
        visit.relayed = True
        visit.note_first_event()
        visit.answered_by = (answer.connection, answer.model)
        framer = SSEFramer()
        last: bytes | None = None
        try:
            async for piece in answer:
                for frame in framer.feed(piece):
                    data = bytes(frame.data)
                    if data == _DONE:
                        continue
                    await self._send(data)
                    if frame.event in _ENDS:
                        last = data
        finally:
            await answer.aclose()
            visit.reply = answer.response
        return None if last is None else self._end(whole, last, stored=whole.get("store") is not False)

    # Translated

    async def _translate(self, mesh: Mesh, whole: dict[str, Any], previous: object) -> Turn | None:
        visit = self._visit
        asked = read_call(
            mesh,
            self._surface,
            self._headers,
            {**whole, "stream": True},
            target=visit.target,
            unsupported=self._state.settings.unsupported,
        )
        asked = attrs.evolve(asked, options={**asked.options, **visit.key.who})
        asked = echo_in_answer(asked, previous_response_id=previous)
        async with begin_stream(mesh, asked) as stream:
            visit.note_first_event()
            visit.reply = stream.response
            visit.notes = collect_notes(mesh, asked, stream.response)
            encoder = self._surface.encoder(asked)
            try:
                last = await self._write(encoder.start(stream.response))
                async for event in stream:
                    last = await self._write(encoder.feed(event)) or last
                last = await self._write(encoder.finish(stream.response)) or last
            except JackfieldError as error:
                visit.error = error
                await self._write(encoder.fail(error))
                return None
            finally:
                visit.reply = stream.response
        return None if last is None else self._end(whole, last)

    async def _write(self, pieces: list[bytes]) -> bytes | None:
        """Send what an encoder wrote; return the event that ends an answer, if it was among it."""
        last = None
        for piece in pieces:
            frame = event_frame(piece)
            if frame is None:
                continue
            await self._send(frame[1])
            if frame[0] in _ENDS:
                last = frame[1]
        return last

    def _end(self, whole: Mapping[str, Any], last: bytes, *, stored: bool = True) -> Turn | None:
        try:
            response = read_json(last)["response"]
        except (ValueError, KeyError, TypeError):  # a service's own event, which is not as it should be
            return None
        return end_turn(whole, response, stored=stored) if isinstance(response, dict) else None


def error_frame(surface: Surface, error: BaseException) -> bytes:
    """Return the frame that tells of an error before an answer, with the status that HTTP would have."""
    return _frame(*surface.error(error))


def _frame(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    told: dict[str, Any] = {**read_json(body), "type": "error", "status": status}
    if "retry-after" in headers:
        told["headers"] = {"retry-after": headers["retry-after"]}
    return write_json(told)

"""Serve Responses: as any surface, and with what an administrator lets the gateway keep of earlier answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from aiohttp import web

from jackfield.http import SSEFramer
from jackfield.plugin import RelayedAnswer, read_json, write_json
from jackfield_surfaces import Asked, echo_in_answer, event_frame

from ._background import begin_in_background
from ._keeping import Conversation, refuse_foreign
from ._serve import Service
from ._state import Generation

__all__ = ["ResponsesService"]

_ENDS: Final = ("response.completed", "response.incomplete")


class ResponsesService(Service):
    """One request for Responses.

    Attributes:
        talk: The request with what it continues; None if no answer is kept here.
    """

    talk: Conversation | None = None

    async def _carry_out(
        self, request: web.BaseRequest, generation: Generation, content: Mapping[str, Any], body: bytes
    ) -> web.StreamResponse:
        state, visit, keeper = self._state, self._visit, self._state.keeper
        if state.is_shared:
            refuse_foreign(content, kept=keeper is not None)
            # A key may stand in it twice: the service then reads what was checked here, and not the other one.
            body = write_json(content)
        if keeper is None:
            return await super()._carry_out(request, generation, content, body)
        talk = await keeper.begin(content, visit.key.owner, generation.targets.connection_of(visit.target))
        if content.get("background"):
            return await begin_in_background(state, keeper, talk, visit, request.headers)
        self.talk = talk
        if not talk.passes:
            content, body = talk.content, talk.body()
        self._is_call = True
        relayed = await self._relay(generation.mesh, request, content, body)
        if relayed is not None:
            return relayed
        return await self._translate(request, generation, talk.content)

    def _note_asked(self, asked: Asked) -> Asked:
        talk = self.talk
        if talk is None:
            return asked
        echo: dict[str, Any] = {"previous_response_id": talk.previous, "store": talk.keeps}
        return echo_in_answer(asked, **({**echo, "id": talk.id} if talk.keeps else echo))

    # What is kept is kept before the client sees its id: its next request may come at once.

    async def _note_whole(self, body: bytes) -> bytes:
        if self.talk is None or not self.talk.keeps:
            return body
        response = _read_response(body)
        if response is None or await self._keep(response) or self._visit.relayed:
            return body
        return write_json({**response, "store": False})

    async def _note_end(self, pieces: list[bytes]) -> None:
        if self.talk is None or not self.talk.keeps:
            return
        for piece in pieces:
            frame = event_frame(piece)
            if frame is not None and frame[0] in _ENDS:
                await self._keep(read_json(frame[1])["response"])

    def _watch(self, answer: RelayedAnswer) -> RelayedAnswer | AsyncIterator[bytes]:
        return answer if self.talk is None or not self.talk.keeps else self._read_beside(answer)

    async def _read_beside(self, answer: RelayedAnswer) -> AsyncIterator[bytes]:
        framer = SSEFramer()
        async for piece in answer:
            for frame in framer.feed(piece):
                if frame.event in _ENDS:
                    response = _read_response(bytes(frame.data), "response")
                    if response is not None:
                        await self._keep(response)
            yield piece

    async def _keep(self, response: Mapping[str, Any]) -> bool:
        keeper, talk, visit = self._state.keeper, self.talk, self._visit
        if keeper is None or talk is None:
            return False
        connection = visit.answered_by[0] if visit.relayed and visit.answered_by is not None else None
        return await keeper.keep(keeper.record(talk, visit.key.owner, response, connection=connection))


def _read_response(data: bytes, field: str | None = None) -> Mapping[str, Any] | None:
    """Return a service's own answer; None if it is not as it should be."""
    try:
        value = read_json(data)
        found = value if field is None else value[field]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("id"), str) else None

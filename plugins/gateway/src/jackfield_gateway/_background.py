"""Answers that are computed in the background: a call of the mesh that goes on while nobody is connected."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, Final

import attrs
from aiohttp import web

from jackfield.plugin import read_json, write_json
from jackfield_surfaces import SurfaceError, echo_in_answer, empty_response

from ._exchange import Visit
from ._keeping import Conversation, Keeper
from ._kept import RUNNING, KeptResponse
from ._keys import Key
from ._state import State
from ._turns import Turns

__all__ = ["begin_in_background", "cancel_response", "settle"]

logger = logging.getLogger("jackfield.gateway")

_MOST: Final = 256
"""Most answers that a process computes in the background."""
_TOUCH_EVERY: Final = 2.0
_GIVEN_UP: Final = 30.0
"""Seconds without a sign of the process that computes an answer, after which it is lost."""
_LOST: Final = {"code": "server_error", "message": "the gateway was stopped before the answer was complete"}
_ENDED: Final = ("response.completed", "response.incomplete", "response.failed")


async def begin_in_background(
    state: State, keeper: Keeper, talk: Conversation, visit: Visit, headers: Mapping[str, str]
) -> web.Response:
    """Answer a request at once, and compute its answer in a task of its own.

    Args:
        state: The gateway's state.
        keeper: Keeps the answer.
        talk: The request.
        visit: Who asks.
        headers: The client's headers.

    Raises:
        SurfaceError: The request is not valid, or too many answers are being computed.
    """
    content = dict(talk.content)
    if not talk.keeps:
        raise SurfaceError(
            "background needs an answer that is stored: leave out `store: false`",
            parameter="background",
            kind="invalid_value",
        )
    if content.pop("stream", None):
        raise SurfaceError(
            "background is served without stream: ask for the answer by its id",
            parameter="stream",
            kind="unsupported_parameter",
        )
    if len(state.background) >= _MOST:
        raise SurfaceError(
            f"{_MOST} answers are being computed in the background; try again later",
            kind="rate_limit_exceeded",
            status=429,
        )
    content.pop("background")
    begun = _begun(state, talk, visit, headers, content)
    kept = keeper.record(talk, visit.key.owner, begun)
    if not await keeper.keep(kept):
        raise SurfaceError("the answer cannot be stored; try again later", status=503)
    task = asyncio.create_task(_Run(state, keeper, talk, visit.key, kept).run(content, headers))
    state.background[visit.key.owner, kept.id] = task
    task.add_done_callback(lambda _: state.background.pop((visit.key.owner, kept.id), None))
    return web.Response(
        body=write_json(begun), content_type="application/json", headers={"x-request-id": visit.id}
    )


def _begun(
    state: State, talk: Conversation, visit: Visit, headers: Mapping[str, str], content: Mapping[str, Any]
) -> dict[str, Any]:
    surface = state.surface("openai.responses", visit.key.owner)
    asked = surface.read(headers, content, unsupported="drop")
    asked = echo_in_answer(asked, id=talk.id, background=True, store=True, previous_response_id=talk.previous)
    first: dict[str, Any] = empty_response(asked)[0]["response"]
    return {**first, "status": "queued"}


class _Run:
    """One answer that is computed."""

    def __init__(
        self, state: State, keeper: Keeper, talk: Conversation, key: Key, kept: KeptResponse
    ) -> None:
        self._state = state
        self._keeper = keeper
        self._talk = talk
        self._key = key
        self._kept = kept
        self._last = b""

    async def run(self, content: dict[str, Any], headers: Mapping[str, str]) -> None:
        """Compute the answer; it is cancelled when its owner says so, to whichever process."""
        call = asyncio.create_task(Turns(self._state, headers, self._note).answer(self._key, content))
        try:
            while not (await asyncio.wait({call}, timeout=_TOUCH_EVERY))[0]:
                if await self._touch() not in RUNNING:
                    call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        except asyncio.CancelledError:
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            self._last = self._last if self._is_ended() else b""
            raise
        finally:
            await asyncio.shield(self._end())

    async def _note(self, frame: bytes) -> None:
        self._last = frame

    def _is_ended(self) -> bool:
        return read_json(self._last).get("type") in _ENDED if self._last else False

    async def _touch(self) -> str | None:
        kept, store = self._kept, self._keeper.store
        try:
            return await asyncio.to_thread(store.touch_response, kept.owner, kept.id, now=time.time())
        except Exception as error:  # the answer is worth more than the sign
            logger.warning("an answer in the background cannot be noted: %s", error)
            return RUNNING[0]

    async def _end(self) -> None:
        begun, told = self._kept.read(), read_json(self._last) if self._last else {}
        if told.get("type") in _ENDED:
            own = {name: begun[name] for name in ("id", "background", "store", "previous_response_id")}
            response = {**told["response"], **own}
        else:
            error = told.get("error") or _LOST
            failed = {"code": error.get("code") or "server_error", "message": error.get("message")}
            response = {**begun, "status": "failed", "error": failed}
        ended = self._keeper.record(self._talk, self._kept.owner, response, now=self._kept.created_at)
        try:
            await asyncio.to_thread(self._keeper.store.end_response, ended)
        except Exception as error:
            logger.error("an answer in the background could not be kept: %s", error)  # noqa: TRY400


async def settle(keeper: Keeper, kept: KeptResponse) -> KeptResponse:
    """Return an answer as it is: one whose process has been killed has failed."""
    if kept.status not in RUNNING:
        return kept
    since = time.time() - _GIVEN_UP
    if await asyncio.to_thread(keeper.store.is_computed, kept.owner, kept.id, since=since):
        return kept
    lost = _changed(kept, status="failed", error=_LOST)
    await asyncio.to_thread(keeper.store.end_response, lost)
    return lost


async def cancel_response(state: State, keeper: Keeper, kept: KeptResponse) -> KeptResponse:
    """Cancel an answer that is computed in the background; return it as it is then.

    Raises:
        SurfaceError: It was not asked for in the background.
    """
    if not kept.read().get("background"):
        raise SurfaceError("Cannot cancel a synchronous response.", kind="invalid_value")
    if kept.status not in RUNNING:
        return kept
    cancelled = _changed(kept, status="cancelled")
    if not await asyncio.to_thread(keeper.store.end_response, cancelled):
        found = await asyncio.to_thread(keeper.store.find_response, kept.owner, kept.id, now=time.time())
        return kept if found is None else found
    await stop_computing(state, kept)
    return cancelled


async def stop_computing(state: State, kept: KeptResponse) -> None:
    """Cancel what computes an answer in this process; another process notices by itself."""
    task = state.background.get((kept.owner, kept.id))
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _changed(kept: KeptResponse, **fields: Any) -> KeptResponse:
    response = write_json({**kept.read(), **fields})
    return attrs.evolve(kept, status=fields["status"], response=response)

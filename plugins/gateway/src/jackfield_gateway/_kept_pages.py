"""What is served of answers that are kept: the answer, its input, its end and its deletion."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from jackfield.plugin import write_json
from jackfield_surfaces import SurfaceError

from ._background import cancel_response, settle, stop_computing
from ._kept import read_chain
from ._serve import STATE, authorize

if TYPE_CHECKING:
    from ._keeping import Keeper
    from ._kept import KeptResponse
    from ._state import State

__all__ = ["cancel", "delete", "list_input_items", "retrieve"]

_FEWEST: Final = 20
_MOST: Final = 100


async def retrieve(request: web.Request) -> web.Response:
    """Return an answer."""
    _, keeper, kept = await _find(request)
    if request.query.get("stream") in ("true", "1"):
        raise SurfaceError(
            "stored answers are not streamed: leave out stream",
            parameter="stream",
            kind="unsupported_parameter",
        )
    return _answer((await settle(keeper, kept)).response)


async def delete(request: web.Request) -> web.Response:
    """Delete an answer; one that is being computed is given up."""
    state, keeper, kept = await _find(request)
    await asyncio.to_thread(keeper.store.delete_response, kept.owner, kept.id)
    await stop_computing(state, kept)
    return _answer(write_json({"id": kept.id, "object": "response", "deleted": True}))


async def cancel(request: web.Request) -> web.Response:
    """Cancel an answer that is computed in the background."""
    state, keeper, kept = await _find(request)
    return _answer((await cancel_response(state, keeper, await settle(keeper, kept))).response)


async def list_input_items(request: web.Request) -> web.Response:
    """Return the items of an answer's input, those of what it continues included."""
    state, keeper, kept = await _find(request)
    limit, order, after = _page(request)
    chain = (
        []
        if kept.previous is None
        else await asyncio.to_thread(
            read_chain,
            keeper.store,
            kept.owner,
            kept.previous,
            now=time.time(),
            most=state.settings.most_bytes,
        )
    )
    items: list[dict[str, Any]] = []
    for one in chain:
        items += [*one.read_input(), *one.read_output()]
    items += kept.read_input()
    if order == "desc":
        items.reverse()
    if after is not None:
        places = [place for place, item in enumerate(items) if item.get("id") == after]
        if not places:
            raise SurfaceError(f"there is no item {after!r}", parameter="after", kind="invalid_value")
        items = items[places[0] + 1 :]
    page = [{"type": "message", **_listed(item)} for item in items[:limit]]
    ids = [item.get("id") for item in page]
    return _answer(
        write_json(
            {
                "object": "list",
                "data": page,
                "first_id": ids[0] if ids else None,
                "last_id": ids[-1] if ids else None,
                "has_more": len(items) > limit,
            }
        )
    )


def _listed(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item as it is listed: the text of a message is a part."""
    content = item.get("content")
    if item.get("type", "message") != "message" or not isinstance(content, str):
        return item
    kind = "output_text" if item.get("role") == "assistant" else "input_text"
    part = {"type": kind, "text": content}
    return {**item, "content": [{**part, "annotations": []} if kind == "output_text" else part]}


def _page(request: web.Request) -> tuple[int, str, str | None]:
    text, order = request.query.get("limit", str(_FEWEST)), request.query.get("order", "desc")
    limit = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= limit <= _MOST:
        raise SurfaceError(
            f"limit must be a number from 1 to {_MOST}", parameter="limit", kind="invalid_value"
        )
    if order not in ("asc", "desc"):
        raise SurfaceError("order must be asc or desc", parameter="order", kind="invalid_value")
    return limit, order, request.query.get("after")


async def _find(request: web.Request) -> tuple[State, Keeper, KeptResponse]:
    """Return the answer that a path names, if it belongs to the owner who asks."""
    key = authorize(request)
    state = request.app[STATE]
    keeper, identity = state.keeper, request.match_info["id"]
    if keeper is None:
        raise SurfaceError(
            "answers are not stored by this gateway; send the whole conversation with each request",
            kind="not_stored",
            status=404,
        )
    kept = await asyncio.to_thread(keeper.store.find_response, key.owner, identity, now=time.time())
    if kept is None:
        raise SurfaceError(f"Response with id '{identity}' not found.", kind="response_not_found", status=404)
    return state, keeper, kept


def _answer(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")

"""What is served besides calls: models, health, metrics, what a key has used, and what a call would be."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import attrs
from aiohttp import web

from jackfield import JackfieldError, ModelCard
from jackfield.plugin import explain_middlewares, write_json
from jackfield_surfaces import SurfaceError, parse_body

from . import _kept_pages
from ._body import read_body
from ._exchange import new_request_id
from ._metrics import CONTENT_TYPE
from ._serve import STATE, authorize, refuse
from ._socket import answer_socket

if TYPE_CHECKING:
    from ._keys import Key
    from ._serve import Handler
    from ._state import Generation

__all__ = ["PAGES"]

_DAY: Final = 86_400
_DAYS: Final = 31


def _answering(surface: str) -> Callable[[Handler], Handler]:
    """Return a decorator: errors are told in the words of a surface."""

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except JackfieldError as error:
                name = "anthropic.models" if "anthropic-version" in request.headers else surface
                return refuse(request.app[STATE].surface(name, ""), error, new_request_id(request.headers))

        return answer

    return decorate


@_answering("openai.models")
async def _models(request: web.Request) -> web.Response:
    key = authorize(request)
    state = request.app[STATE]
    with state.use() as generation:
        cards = await _list_cards(generation, key)
        wanted = request.match_info.get("id", "")
        if wanted:
            cards = [card for card in cards if wanted in (_name(card), card.id)]
            if not cards:
                raise SurfaceError(f"there is no model {wanted!r}", kind="model_not_found", status=404)
    name = "anthropic.models" if "anthropic-version" in request.headers else "openai.models"
    surface = state.surface(name, key.owner)
    asked = surface.read(request.headers, {**request.query, "model": wanted})
    return web.Response(body=surface.whole(asked, cards), content_type="application/json")


async def _list_cards(generation: Generation, key: Key) -> list[ModelCard]:
    """List the aliases and the models that a key may use."""
    config, mesh = generation.config, generation.mesh
    known = {_name(card): card for card in await mesh.models() if card.allowed}
    cards = [_card_of_alias(alias, config.aliases[alias], known) for alias in config.aliases]
    return [card for card in (*cards, *known.values()) if key.allows(_name(card))]


def _card_of_alias(alias: str, targets: Sequence[str], known: Mapping[str, ModelCard]) -> ModelCard:
    """Return the card of an alias: what its first target can, which is asked first."""
    first = known.get(targets[0], ModelCard(id=alias)) if targets else ModelCard(id=alias)
    title, data = " or ".join(targets), {"targets": list(targets)}
    return attrs.evolve(first, id=alias, connection="", title=title, underlying=None, data=data)


def _name(card: ModelCard) -> str:
    return f"{card.connection}:{card.id}" if card.connection else card.id


@_answering("openai.chat")
async def _usage(request: web.Request) -> web.Response:
    """Return what the key of a request has used in the last days."""
    key = authorize(request)
    store = request.app[STATE].store
    if store is None:
        raise SurfaceError("this gateway keeps no spend: it has no store", kind="no_store", status=404)
    import asyncio

    since = time.time() - _DAYS * _DAY
    days = await asyncio.to_thread(store.sum_spend, key=key.name, since=since)
    return _json({"object": "usage", "key": key.name, "owner": key.owner, "days": days})


@_answering("openai.chat")
async def _explain(request: web.Request) -> web.Response:
    """Return what a call would send, and what it may cost; nothing is sent."""
    key = authorize(request)
    state = request.app[STATE]
    content = parse_body(await read_body(request, state.settings.most_bytes))
    name = request.query.get("surface") or "openai.chat"
    with state.use() as generation:
        if name not in ("openai.chat", "openai.responses", "openai.completions", "anthropic.messages"):
            raise SurfaceError(f"calls of {name!r} cannot be explained", parameter="surface")
        target = generation.targets.resolve(content.get("model"), key)
        asked = state.surface(name, key.owner).read(request.headers, content)
        kind: Any = asked.kind
        options = {**asked.options, **key.who}
        plan = generation.mesh.explain(target, *asked.arguments, kind=kind, stream=asked.stream, **options)
        told = await explain_middlewares(generation.mesh, plan)
    return _json(
        {
            "object": "explanation",
            "target": f"{plan.connection}:{plan.model}",
            "provider": plan.provider,
            "url": plan.url,
            "headers": plan.headers,
            "body": plan.body,
            "parameters": [
                {"name": note.name, "fate": note.fate, "why": note.why} for note in plan.parameters
            ],
            "input_tokens": plan.input_tokens.input_tokens,
            "least_cost": _money(plan.cost),
            "most_cost": _money(plan.most_cost),
            **told,
        }
    )


def _money(cost: Any) -> Mapping[str, Any] | None:
    if cost is None:
        return None
    amount = None if cost.amount is None else f"{cost.amount:f}"
    return {"amount": amount, "currency": cost.currency, "status": cost.status}


async def _live(request: web.Request) -> web.Response:
    return _json({"status": "ok"})


async def _ready(request: web.Request) -> web.Response:
    """Report whether new calls are taken: not while the gateway stops, nor without its store if that is declared so."""
    state = request.app[STATE]
    why = None
    if state.draining:
        why = "stopping"
    elif state.store_is_away and state.settings.store_away == "refuse":
        why = "the store is away"
    told = {"status": "ok" if why is None else why, "store": "away" if state.store_is_away else "ok"}
    return _json(
        told if state.ledger is not None else {"status": told["status"]}, 200 if why is None else 503
    )


async def _metrics(request: web.Request) -> web.Response:
    return web.Response(body=request.app[STATE].metrics.render(), headers={"content-type": CONTENT_TYPE})


async def _hello(request: web.Request) -> web.Response:
    return web.Response()


def _kept(handler: Handler) -> Handler:
    return _answering("openai.responses")(handler)


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=write_json(value), status=status, content_type="application/json")


PAGES: Final[Sequence[tuple[str, str, Handler]]] = (
    ("GET", "/v1/models", _models),
    ("GET", "/v1/models/{id:.+}", _models),
    ("GET", "/v1/usage", _usage),
    ("POST", "/v1/explain", _explain),
    ("GET", "/v1/responses", answer_socket),
    ("GET", "/v1/responses/{id}", _kept(_kept_pages.retrieve)),
    ("DELETE", "/v1/responses/{id}", _kept(_kept_pages.delete)),
    ("POST", "/v1/responses/{id}/cancel", _kept(_kept_pages.cancel)),
    ("GET", "/v1/responses/{id}/input_items", _kept(_kept_pages.list_input_items)),
    ("GET", "/health/live", _live),
    ("GET", "/health/ready", _ready),
    ("GET", "/metrics", _metrics),
    ("HEAD", "/", _hello),
    ("HEAD", "/api/hello", _hello),
)
"""Method, path and handler."""

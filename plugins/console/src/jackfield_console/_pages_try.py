"""Try: ask a model, and see the answer as it comes, what became of the options, the cost, and the exact request."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from markupsafe import escape

from jackfield import JackfieldError, Reply, TextDelta, ThinkingDelta
from jackfield_gateway._booking import book
from jackfield_gateway._exchange import Visit as Booked, new_request_id
from jackfield_gateway._keys import Key

from ._pages import Page
from ._templates import render

if TYPE_CHECKING:
    from jackfield import Mesh, Plan

    from ._visit import Visit

__all__ = ["PAGES"]

_HERE: Final = "<!-- the answer -->"
_TELL: Final = "<!-- the rest -->"
_MOST_SHOWN: Final = 200_000
"""Characters of an answer, and of a request, that the page shows."""
_OWNER: Final = re.compile(r"[^\w.@-]+")
_OPTIONS: Final = {"max_tokens": int, "temperature": float}


async def _show(visit: Visit) -> Mapping[str, Any]:
    return {**_form_values(visit), "target": visit.query("target"), "plan": None, "asked": False}


def _form_values(visit: Visit) -> dict[str, Any]:
    config = visit.config
    targets = list(config.aliases)
    for name, connection in config.connections.items():
        targets += [f"{name}:{entry.id}" for entry in connection.models or () if not entry.id.endswith("*")]
    return {"targets": targets, "here": _HERE, "rest": _TELL}


async def _post(visit: Visit) -> web.StreamResponse:
    form = visit.form
    target, message = form.text("target"), form.text("message")
    if not target:
        form.refuse("target", 'Write an alias, or "connection:model".')
    if not message:
        form.refuse("message", "Write something to ask.")
    options = _read_options(visit)
    values = {**_form_values(visit), "target": target, "plan": None, "asked": False}
    if form.errors:
        return visit.show_again(**values)
    async with visit.console.host.use() as mesh:
        try:
            plan = mesh.explain(target, message, stream=True, **options)
        except JackfieldError as error:
            _place(visit, error)
            return visit.show_again(**values)
        shown = _shown_plan(plan)
        if not form.flag("ask"):
            return visit.show(**{**values, "plan": shown})
        return await _stream(visit, mesh, target, message, options, {**values, "plan": shown, "asked": True})


def _read_options(visit: Visit) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, kind in _OPTIONS.items():
        text = visit.form.text(name)
        if not text:
            continue
        try:
            options[name] = kind(text)
        except ValueError:
            visit.form.refuse(name, "Write a number, or leave it empty.")
    if visit.form.text("system"):
        options["system"] = visit.form.text("system")
    options["unsupported"] = "drop"
    return options


def _place(visit: Visit, error: JackfieldError) -> None:
    """Put an error of a call that was not made beside the field that it is about."""
    name = next((name for name in _OPTIONS if error.message.startswith(name)), "target")
    visit.form.refuse(name, error.message)


def _shown_plan(plan: Plan) -> Mapping[str, Any]:
    body = plan.body
    text = (
        body if isinstance(body, str) else json.dumps(_plain(body), ensure_ascii=False, indent=2, default=str)
    )
    return {
        "target": f"{plan.connection}:{plan.model}",
        "method": plan.method,
        "url": plan.url,
        "headers": dict(plan.headers),
        "body": text[:_MOST_SHOWN],
        "notes": list(plan.parameters),
        "tokens": plan.input_tokens,
        "least": plan.cost,
        "most": plan.most_cost,
    }


def _plain(body: Any) -> Any:
    if isinstance(body, bytes):
        return body.decode("utf-8", "replace")
    return body


async def _stream(
    visit: Visit, mesh: Mesh, target: str, message: str, options: Mapping[str, Any], values: Mapping[str, Any]
) -> web.StreamResponse:
    """Answer with a page that grows as the model answers: the browser shows what has come, without a script."""
    page = render(visit.page.template, visit, values)
    head, _, rest = page.partition(_HERE)
    between, _, tail = rest.partition(_TELL)
    response = web.StreamResponse(
        headers={"content-type": "text/html; charset=utf-8", "x-accel-buffering": "no"}
    )
    response.enable_chunked_encoding()
    await response.prepare(visit.request)
    await response.write(head.encode())
    async with _booked(visit, target) as booked:
        failure: JackfieldError | None = None
        try:
            async with mesh.stream_chat(target, message, owner=booked.key.owner, **options) as stream:
                await _write_events(response, booked, stream)
        except JackfieldError as error:
            failure = booked.error = error
    told = render("try_told.html", visit, _told(booked, failure))
    await response.write((between + told + tail).encode())
    await response.write_eof()
    return response


async def _write_events(response: web.StreamResponse, booked: Booked, stream: Any) -> None:
    written = 0
    is_thinking = False
    try:
        async for event in stream:
            booked.note_first_event()
            kind = type(event)
            if kind not in (TextDelta, ThinkingDelta) or not event.text or written > _MOST_SHOWN:
                continue
            piece = str(escape(event.text))
            if (kind is ThinkingDelta) is not is_thinking:
                is_thinking = not is_thinking
                piece = f'<span class="quiet">{piece}' if is_thinking else f"</span>\n\n{piece}"
            written += len(piece)
            await response.write(piece.encode())
    finally:
        booked.reply = stream.response
        if is_thinking:
            await response.write(b"</span>")


@asynccontextmanager
async def _booked(visit: Visit, target: str) -> AsyncIterator[Booked]:
    """Book a call as the gateway books those of its keys, so that no page shows another sum than the others."""
    owner = "console/" + (_OWNER.sub("-", visit.user).strip("-") or "unknown")
    booked = Booked(new_request_id({}), Key(name="", owner=owner), "console")
    booked.asked = booked.target = target
    began = time.perf_counter()
    state = visit.console.host.state
    if state is not None:
        state.metrics.running.inc()
    try:
        yield booked
    except (ConnectionError, asyncio.CancelledError) as gone:
        booked.error = asyncio.CancelledError(str(gone))
        raise
    finally:
        if state is not None:
            state.metrics.running.dec()
            book(state, booked, began, is_call=True)


def _told(booked: Booked, failure: JackfieldError | None) -> Mapping[str, Any]:
    reply = booked.reply if isinstance(booked.reply, Reply) else None
    return {
        "reply": reply,
        "failure": failure,
        "attempts": booked.attempts,
        "first_event": booked.first_event,
        "notes": [note for note in (reply.parameters if reply is not None else ()) if note.fate != "sent"],
    }


PAGES: Final = [
    Page(
        path="/try",
        title="Try",
        template="try.html",
        get=_show,
        post=_post,
        group="Mesh",
        order=40,
        role="admin",
    )
]

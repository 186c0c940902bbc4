"""The web application: pages, static files, and what holds for every request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeAlias

from aiohttp import web
from sqlalchemy.exc import DBAPIError

from ._console import CONSOLE, Console
from ._cookies import login_cookie, session_cookie
from ._forms import Form, FormError, read_form
from ._pages import Page, find_pages
from ._security import HEADERS, hash_token, is_same_origin, new_token, same
from ._sessions import Session, find_session, take_messages
from ._templates import static_files
from ._visit import RefusedError, Visit

__all__ = ["make_console"]

logger = logging.getLogger("jackfield.console")

_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
_ERROR: Final = Page(path="", title="Something is not right", template="error.html")
_YEAR: Final = 365 * 86_400


def make_console(console: Console) -> web.Application:
    """Return the application that serves the console's pages."""
    app = web.Application(middlewares=[_catch])
    app[CONSOLE] = console
    app.on_response_prepare.append(_add_headers)
    app.cleanup_ctx.append(_opened)
    for page in find_pages():
        if page.get is not None:
            app.router.add_get(page.path, _serve(page))
        if page.post is not None:
            app.router.add_post(page.path, _serve(page))
    app.router.add_get("", _go_home)
    app.router.add_get("/static/{name}", _static)
    return app


async def _opened(app: web.Application) -> AsyncIterator[None]:
    console = app[CONSOLE]
    await asyncio.to_thread(console.open)
    yield
    await asyncio.to_thread(console.close)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        if name == "server" or name not in response.headers:
            response.headers[name] = value


async def _go_home(request: web.Request) -> web.StreamResponse:
    return web.Response(status=303, headers={"location": f"{request.app[CONSOLE].prefix}/"})


async def _static(request: web.Request) -> web.StreamResponse:
    found = static_files().get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    body, kind = found
    headers = {"cache-control": f"public, max-age={_YEAR}, immutable"} if "v" in request.query else {}
    return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)


@web.middleware
async def _catch(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Answer what is refused and what fails with a page; no detail of a failure is shown."""
    try:
        return await handler(request)
    except RefusedError as error:
        status, why = error.status, error.why
    except FormError as error:
        status, why = error.status, str(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        status, why = error.status, {404: "There is no such page."}.get(error.status, error.reason)
    except ConnectionError:
        raise
    except DBAPIError as error:
        logger.error("%s %s: the store cannot be used: %s", request.method, request.path, error.orig)  # noqa: TRY400 -- no traceback for each page while it is away
        status, why = 503, "The store cannot be used right now. Try again later."
    except Exception:
        logger.exception("%s %s failed", request.method, request.path)
        status, why = 500, "The console could not answer. Its log says why."
    return await _show_error(request, status, why)


async def _show_error(request: web.Request, status: int, why: str) -> web.StreamResponse:
    console = request.app[CONSOLE]
    try:
        session = await _session_of(request, console)
    except Exception:  # the store is away: the page is shown without the navigation
        session = None
    visit = Visit(request, console, _ERROR, session, csrf="" if session is None else session.csrf)
    return visit.show(status=status, why=why, code=status)


async def _session_of(request: web.Request, console: Console) -> Session | None:
    token = session_cookie(console, request).read()
    if not token:
        return None
    settings = console.settings
    return await console.database.run(
        find_session, token, idle=settings.idle_seconds, longest=settings.longest_seconds
    )


def _serve(page: Page) -> _Handler:
    """Return what answers requests for a page: session, role, CSRF token, then the page's own handler."""

    async def serve(request: web.Request) -> web.StreamResponse:
        console = request.app[CONSOLE]
        session = None if page.is_open else await _session_of(request, console)
        if session is None and not page.is_open:
            return _ask_to_log_in(request, console)
        is_post = request.method == "POST"
        role = page.post_role if is_post else page.role
        if session is not None and role == "admin" and session.role != "admin":
            raise RefusedError(403, "Your role is viewer: you may look, but not change anything.")
        cookie = login_cookie(console, request)
        seed = cookie.read() or new_token()
        csrf = session.csrf if session is not None else hash_token(f"login:{seed}")
        form = await _checked_form(request, csrf) if is_post else None
        visit = Visit(request, console, page, session, csrf=csrf, form=form)
        if session is not None and session.has_messages and not is_post:
            visit.messages = await console.database.run(take_messages, session.hash)
        handler = page.post if is_post else page.get
        if handler is None:
            raise web.HTTPNotFound
        answer = await handler(visit)
        response = answer if isinstance(answer, web.StreamResponse) else visit.show(**answer)
        if page.is_open and not is_post and not response.prepared:
            cookie.write(response, new_token() if visit.is_entered else seed)
        return response

    return serve


async def _checked_form(request: web.Request, csrf: str) -> Form:
    """Read what was posted, if it comes from a form of ours.

    Raises:
        RefusedError: It does not.
    """
    if not is_same_origin(request):
        raise RefusedError(403, "This request comes from another site.")
    form = await read_form(request)
    if not same(form.text("csrf"), csrf):
        raise RefusedError(403, "This form is too old, or not one of the console's. Open the page again.")
    return form


def _ask_to_log_in(request: web.Request, console: Console) -> web.StreamResponse:
    from ._visit import page_url

    path = request.rel_url.raw_path_qs.removeprefix(console.prefix)
    after = path if request.method in ("GET", "HEAD") and path != "/" else ""
    return web.Response(status=303, headers={"location": page_url(console.prefix, "/login", next=after)})

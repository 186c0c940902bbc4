"""One request of a browser, as handlers of pages see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, urlencode

from aiohttp import web

from ._changes import note_change
from ._forms import Form
from ._security import client_address
from ._sessions import leave_message
from ._templates import render

if TYPE_CHECKING:
    from jackfield import MeshConfig

    from ._console import Console
    from ._database import Database
    from ._pages import Page
    from ._sessions import Session

__all__ = ["Visit"]


class Visit:
    """A request.

    Args:
        request: As it came.
        console: What all requests share.
        page: The page that it is for.
        session: Who asks; None for the log-in.
        csrf: The token that forms of the answer must show.
        form: What was posted.

    Attributes:
        messages: What the last POST left, shown once.
        is_entered: A session was started, so what the log-in was made of is not used again.
    """

    def __init__(
        self,
        request: web.Request,
        console: Console,
        page: Page,
        session: Session | None,
        *,
        csrf: str,
        form: Form | None = None,
    ) -> None:
        self.request = request
        self.console = console
        self.page = page
        self.session = session
        self.csrf = csrf
        self.form = form if form is not None else Form()
        self.messages: Sequence[tuple[str, str]] = ()
        self.is_entered = False

    @property
    def user(self) -> str:
        """The user's name; "" without a session."""
        return "" if self.session is None else self.session.user

    @property
    def is_admin(self) -> bool:
        """Whether the user may change things."""
        return self.session is not None and self.session.role == "admin"

    @property
    def config(self) -> MeshConfig:
        """The configuration in use."""
        return self.console.host.config

    @property
    def database(self) -> Database:
        """The store."""
        return self.console.database

    @property
    def address(self) -> str:
        """The browser's address."""
        return client_address(self.request, self.console.settings.proxies)

    def query(self, name: str, default: str = "") -> str:
        """Return a value of the address's query."""
        return self.request.query.get(name, default).strip()

    def part(self, name: str) -> str:
        """Return a part of the path, such as `{name}`."""
        return self.request.match_info[name]

    def url(self, path: str, *parts: str, **query: Any) -> str:
        """Return the address of a page.

        Args:
            path: Its path below the prefix; each `{}` is replaced by one of `parts`, quoted.
            *parts: What stands in the path.
            **query: The query; what is None or "" is left out.
        """
        return page_url(self.console.prefix, path, *parts, **query)

    def show(self, template: str | None = None, *, status: int = 200, **values: Any) -> web.Response:
        """Return a page.

        Args:
            template: The template; None is the page's own.
            status: The status of the answer.
            **values: What the template shows.
        """
        text = render(template or self.page.template, self, values)
        return web.Response(text=text, status=status, content_type="text/html")

    def show_again(self, **values: Any) -> web.Response:
        """Return the page with the mistakes of its form, under status 422."""
        return self.show(status=422, **values)

    async def redirect(
        self, path: str, *parts: str, message: str = "", kind: str = "done", **query: Any
    ) -> web.Response:
        """Return the redirect after a POST; the next page shows the message once.

        Args:
            path: As for `url`.
            *parts: As for `url`.
            message: What was done.
            kind: done, or problem.
            **query: As for `url`.
        """
        if message and self.session is not None:
            await self.database.run(leave_message, self.session.hash, kind, message)
        return web.Response(status=303, headers={"location": self.url(path, *parts, **query)})

    async def note_change(self, action: str, subject: str, **detail: Any) -> None:
        """Note what an administrator changed; never a secret.

        Args:
            action: What was done, such as "key created".
            subject: To what.
            **detail: More, as JSON can hold it.
        """
        await self.database.run(note_change, self.user, self.address, action, subject, detail)

    def refuse(self, status: int, why: str) -> NoReturn:
        """End the request with a page that says why.

        Raises:
            RefusedError: Always.
        """
        raise RefusedError(status, why)


class RefusedError(Exception):
    """A request is refused.

    Attributes:
        status: The status of the answer.
        why: What the page says.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def page_url(prefix: str, path: str, *parts: str, **query: Any) -> str:
    """Return the address of a page below a prefix."""
    pieces = path.split("{}")
    if len(pieces) - 1 != len(parts):
        raise ValueError(f"{path} has {len(pieces) - 1} places, not {len(parts)}")
    whole = pieces[0] + "".join(
        quote(str(part), safe="") + rest for part, rest in zip(parts, pieces[1:], strict=True)
    )
    given: Mapping[str, Any] = {
        name: value for name, value in query.items() if value not in (None, "", [], ())
    }
    return f"{prefix}{whole}" + (f"?{urlencode(given, doseq=True)}" if given else "")

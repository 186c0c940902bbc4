"""Cookies: sent to the console's pages only, hidden from scripts, and by HTTPS only where that is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from ._security import is_https

if TYPE_CHECKING:
    from ._console import Console

__all__ = ["Cookie", "device_cookie", "login_cookie", "session_cookie"]

_DEVICE: Final = 180 * 86_400


class Cookie:
    """One cookie.

    Args:
        console: The console.
        request: The request.
        name: What it is for.
        max_age: Seconds for which the browser keeps it; None: until it is closed.
    """

    def __init__(
        self, console: Console, request: web.Request, name: str, *, max_age: int | None = None
    ) -> None:
        self._request = request
        self._secure = is_https(request, console.settings.https)
        # A browser accepts a cookie of this name over HTTPS only.
        self._name = f"__Secure-jackfield-{name}" if self._secure else f"jackfield-{name}"
        self._path = console.cookie_path
        self._max_age = max_age

    def read(self) -> str:
        """Return the value; "" without one."""
        value = self._request.cookies.get(self._name, "")
        return value if len(value) <= 200 else ""

    def write(self, response: web.StreamResponse, value: str) -> None:
        """Set the cookie."""
        response.set_cookie(
            self._name,
            value,
            path=self._path,
            secure=self._secure,
            httponly=True,
            samesite="Lax",
            max_age=self._max_age,
        )

    def delete(self, response: web.StreamResponse) -> None:
        """Let the browser forget it."""
        response.del_cookie(self._name, path=self._path, secure=self._secure, httponly=True, samesite="Lax")


def session_cookie(console: Console, request: web.Request) -> Cookie:
    """Return the cookie of a session."""
    return Cookie(console, request, "console")


def login_cookie(console: Console, request: web.Request) -> Cookie:
    """Return the cookie by which the log-in's form is known as ours."""
    return Cookie(console, request, "login")


def device_cookie(console: Console, request: web.Request) -> Cookie:
    """Return the cookie of a browser from which somebody has logged in."""
    return Cookie(console, request, "device", max_age=_DEVICE)

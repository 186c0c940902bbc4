"""Transports for SQL through sessions, and for REST with identities that must log in first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Final

from jackfield import ConfigurationError, JackfieldError
from jackfield.http import HttpTransport
from jackfield.plugin import Exchange, Frame, Head, HttpAccess, StaticHeader, Transport, Wire

from ._credentials import token_header
from ._entries import entry_of
from ._errors import error as error_of
from ._login import address_of, bearer_of
from ._sessions import Sessions, SessionSigner, Statement
from ._settings import SnowflakeSettings

__all__ = ["LoginTransport", "SqlTransport", "access"]

_ATTEMPTS: Final = 20
_PAUSE: Final = 0.5


def access(settings: SnowflakeSettings) -> HttpAccess | Transport:
    """Return how to reach the account: plain HTTP if that is enough, else a transport that can log in."""
    identity = settings.credentials
    if settings.by_sql:
        return SqlTransport(settings)
    if identity is not None and identity.needs_login:
        return LoginTransport(settings)
    if identity is not None:
        auth, headers = identity.auth()
        return HttpAccess(base_url=settings.address or "", auth=auth, headers=headers)
    return HttpAccess(
        base_url=settings.address or "",
        auth=StaticHeader("Authorization", settings.token, "Bearer "),
        headers=token_header(settings.token_type),
    )


class SqlTransport:
    """Run wires as SQL statements in Snowpark sessions, in a thread pool of its own."""

    def __init__(self, settings: SnowflakeSettings) -> None:
        self._sessions = Sessions(settings)
        self._threads: ThreadPoolExecutor | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Import Snowpark and resolve secrets, in a thread; sessions are opened when they are needed."""
        await asyncio.to_thread(self._sessions.load)
        # As many threads as sessions: further statements wait here, and leave the default pool free for others.
        self._threads = ThreadPoolExecutor(self._sessions.most, "jackfield-snowflake")

    def exchange(self, wire: Wire) -> _SqlExchange:
        """Run a statement. Leaving the context early cancels it."""
        return _SqlExchange(self, Statement(self._sessions, wire.body["statement"], wire.body["bind"]))

    async def run(self, statement: Statement) -> bytes:
        """Run a statement in a thread; if the task is cancelled, cancel the statement at the service."""
        if self._threads is None:
            raise RuntimeError("this transport is closed")
        running = self._threads.submit(statement.run)
        try:
            return await asyncio.shield(asyncio.wrap_future(running))
        except asyncio.CancelledError:
            if not running.cancel():  # it has begun: a thread cannot be stopped, but its statement can
                self._leave(statement, running)
            raise

    def _leave(self, statement: Statement, running: Future[bytes]) -> None:
        task = asyncio.get_running_loop().create_task(_cancel(statement, running))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def aclose(self) -> None:
        """Close all sessions, after the statements that are being cancelled. May be called twice."""
        if self._leaving:
            await asyncio.gather(*self._leaving, return_exceptions=True)
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._sessions.close)

    async def refresh_credentials(self, wire: Wire) -> bool:
        """Drop the sessions, so that the next statement logs in again."""
        await asyncio.to_thread(self._sessions.drop_idle)
        return True

    def secrets(self) -> list[str]:
        """Return all resolved secrets."""
        return self._sessions.secrets()


async def _cancel(statement: Statement, running: Future[bytes]) -> None:
    """Cancel a statement until it has ended; the first attempt may come before the service knows the statement."""
    for _ in range(_ATTEMPTS):
        await asyncio.to_thread(statement.cancel)
        await asyncio.to_thread(wait, [running], _PAUSE)
        if running.done():
            return


class _SqlExchange:
    """One running statement."""

    def __init__(self, transport: SqlTransport, statement: Statement) -> None:
        self._transport = transport
        self._statement = statement

    async def __aenter__(self) -> Exchange:
        return Exchange(Head(None), _Result(await self._transport.run(self._statement)))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class _Result:
    """The single frame of a result."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.ended = False

    def __aiter__(self) -> _Result:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if self.ended:
            raise StopAsyncIteration
        self.ended = True
        return (Frame(self._body),)


class LoginTransport:
    """Send wires over HTTP for an identity that is known only after a file was read or a session was opened."""

    def __init__(self, settings: SnowflakeSettings) -> None:
        self._settings = settings
        self._http: HttpTransport | None = None
        self._signer: SessionSigner | None = None
        self._sessions = Sessions(settings)
        self._closed = False

    async def open(self) -> None:
        """Read the file or log in, in a thread; no model is called.

        Raises:
            JackfieldError: There is no such identity, or it is rejected.
        """
        access = await asyncio.to_thread(self._log_in)
        settings = self._settings
        http = HttpTransport(
            access,
            connect_timeout=getattr(settings.timeout, "connect", 10.0),
            proxy=settings.proxy,
            ca_bundle=settings.ca_bundle,
            headers=settings.headers,
            max_response=settings.max_response,
        )
        await http.open()
        self._http = http

    def _log_in(self) -> HttpAccess:
        settings = self._settings
        identity = settings.credentials.settings if settings.credentials is not None else None
        if identity is not None and identity.connection is not None:
            entry = entry_of(identity.connection, identity.connections_file)
            bearer = bearer_of(entry)
            if bearer is not None:
                return HttpAccess(base_url=address_of(settings, entry), auth=bearer[0], headers=bearer[1])
        signer = SessionSigner(self._sessions)
        self._signer = signer
        _convert_errors(self._sessions.load)
        _convert_errors(lambda: signer.prepare(refresh=False))
        if self._closed:  # while the login was under way
            signer.close()
            raise ConfigurationError("the connection was closed while it logged in")
        address = settings.base_url or signer.address
        return HttpAccess(base_url=address, auth=signer)

    def exchange(self, wire: Wire) -> Any:
        """Send a wire."""
        if self._http is None:
            raise RuntimeError("this transport is not open")
        return self._http.exchange(wire)

    async def refresh_credentials(self, wire: Wire) -> bool:
        """Renew the token."""
        return self._http is not None and await self._http.refresh_credentials(wire)

    def secrets(self) -> list[str]:
        """Return all resolved secrets."""
        found = [] if self._http is None else self._http.secrets()
        return found if self._signer is None else [*found, *self._signer.secrets()]

    async def aclose(self) -> None:
        """Close the pool and the session. May be called twice."""
        self._closed = True
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()
        signer, self._signer = self._signer, None
        if signer is not None:
            await asyncio.to_thread(signer.close)
        await asyncio.to_thread(self._sessions.close)


def _convert_errors(step: Callable[[], None]) -> None:
    """Run a step and convert the driver's errors: `jackfield_error` is not called for those of `open`."""
    try:
        step()
    except JackfieldError:
        raise
    except Exception as error:
        raise (convert(error) or error) from error


def convert(error: Exception) -> JackfieldError | None:
    """Return the error that an error of the driver means; None for other errors."""
    from jackfield.plugin import Failure

    return error_of(Failure(exception=error))

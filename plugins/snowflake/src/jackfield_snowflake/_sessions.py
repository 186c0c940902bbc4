"""Open Snowpark sessions and run statements in them, one at a time. All of it blocks and runs in threads."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from jackfield import ConfigurationError, MissingCredentialError
from jackfield.plugin import install_command, write_json

from ._login import parameters
from ._settings import SnowflakeSettings

__all__ = ["SessionSigner", "Sessions", "Statement"]

_JSON = (str, int, float, type(None))


class Sessions:
    """Open sessions for the declared identity and keep the idle ones. Thread-safe."""

    def __init__(self, settings: SnowflakeSettings) -> None:
        self._settings = settings
        self._own = None if settings.credentials is None else settings.credentials.session
        self._lock = threading.Lock()
        self._free: list[Any] = []
        self._parameters: dict[str, Any] = {}
        self._kind: Any = None  # Snowpark's Session, once it is imported

    @property
    def most(self) -> int:
        """The greatest number of sessions; 1 for a program's own session."""
        return self._settings.sessions if self._own is None else 1

    def load(self) -> None:
        """Import Snowpark and resolve secrets; no session is opened.

        Raises:
            MissingCredentialError: A secret is missing.
            ConfigurationError: Snowpark is not installed.
        """
        if self._own is not None:
            return
        # First: a missing key should be reported without waiting for an import.
        self._parameters = parameters(self._settings)
        try:
            with _without_garbage_collection():
                from snowflake.snowpark import Session
        except ImportError as error:
            raise ConfigurationError(
                f"sessions need Snowpark: {install_command('jackfield-snowflake', 'sql')}; over REST, a key pair or a "
                "token needs no session"
            ) from error
        self._kind = Session

    def take(self) -> Any:
        """Return an idle session, or open one."""
        if self._own is not None:
            return self._own
        with self._lock:
            if self._free:
                return self._free.pop()
        kind = self._kind
        if kind is None:
            raise ConfigurationError("the sessions are closed; use the mesh inside its `async with`")
        # A new builder each time: it forgets the password when it has created a session.
        return kind.builder.configs(dict(self._parameters)).create()

    def give_back(self, session: Any, *, usable: bool) -> None:
        """Keep a session for the next statement, or close it."""
        if session is self._own:
            return
        if usable and self._kind is not None:
            with self._lock:
                self._free.append(session)
        else:
            _close(session)

    def drop_idle(self) -> None:
        """Close all idle sessions, so that the next one logs in again."""
        with self._lock:
            idle, self._free = self._free, []
        for session in idle:
            _close(session)

    def close(self) -> None:
        """Close all idle sessions, and open no more."""
        self._kind = None
        self.drop_idle()

    def secrets(self) -> list[str]:
        """Return all resolved secrets."""
        names = (
            "password",
            "token",
            "passcode",
            "private_key_file_pwd",
            "private_key_passphrase",
            "proxy_password",
        )
        found = [str(self._parameters[name]) for name in names if self._parameters.get(name)]
        rests = [session.connection.rest for session in self._free]
        return found + [rest.token for rest in rests if rest is not None and rest.token]


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Suspend garbage collection while the driver is imported for the first time, and exempt its modules from it.

    During such a large import the collector visits all objects again and again, and once more afterwards. Each time it
    holds the interpreter, and so the event loop, for 50 to 75 ms; without it, for 10 to 36 ms (Snowpark 1.56).
    """
    if "snowflake.snowpark" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _close(session: Any) -> None:
    # An error of a session that is discarded does not matter.
    with contextlib.suppress(Exception):
        session.close()


class Statement:
    """One statement with its bindings, which another thread may cancel.

    The request has an id of ours, by which it is cancelled at the service, as the connector does on its own timeouts.
    """

    def __init__(self, sessions: Sessions, text: str, bind: Mapping[str, Any]) -> None:
        self._sessions = sessions
        self._text = text
        self._bindings = tuple(
            value if isinstance(value, str) else write_json(value).decode() for value in bind.values()
        )
        self._id = str(uuid.uuid4())
        self._session: Any = None
        self._cancelled = False

    def run(self) -> bytes:
        """Run the statement and return the result as JSON; blocks until there is one."""
        session = self._sessions.take()
        usable = False
        try:
            if self._cancelled:
                usable = True
                return b"{}"
            self._session = session
            with session.connection.cursor() as cursor:
                # Bound by the service (qmark), never written into the text.
                cursor.execute(self._text, self._bindings, _statement_params={"requestId": self._id})
                rows = cursor.fetchall()
                columns = [column[0] for column in cursor.description or ()]
                query = cursor.sfqid
            usable = True
            cells = [[cell if isinstance(cell, _JSON) else str(cell) for cell in row] for row in rows]
            return write_json({"query_id": query, "columns": columns, "rows": cells})
        except Exception as error:
            # After a statement with a mistake, the session can still be used.
            usable = type(error).__name__ == "ProgrammingError" and not self._cancelled
            raise
        finally:
            self._session = None
            self._sessions.give_back(session, usable=usable)

    def cancel(self) -> None:
        """Cancel it at the service; do nothing if it has finished, or has not begun."""
        self._cancelled = True
        session = self._session
        if session is None:
            return
        with contextlib.suppress(Exception):
            session.connection.rest.request(
                f"/queries/v1/abort-request?requestId={uuid.uuid4()}",
                {"sqlText": self._text, "requestId": self._id},
            )


class SessionSigner:
    """Authenticate over REST with the token of a session, as Snowflake's own packages do.

    Source: snowflake-ml-python 2.6.0 (`Authorization: Snowflake Token="…"`).
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._session: Any = None
        self._sent: list[str] = []

    def prepare(self, *, refresh: bool) -> None:
        """Open the session; if its token was rejected, let the driver renew it, or log in again."""
        if self._session is None:
            self._session = self._sessions.take()
        elif refresh:
            try:
                with self._session.connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
            except Exception:
                self.close()
                self._session = self._sessions.take()

    def sign(self, method: str, url: str, headers: Any, body: bytes) -> dict[str, str]:
        """Return the header with the token."""
        token = self._session.connection.rest.token
        if not token:
            raise MissingCredentialError("the session has no token; it was closed")
        if token not in self._sent:
            self._sent = [*self._sent[-3:], token]
        return {"Authorization": f'Snowflake Token="{token}"'}

    @property
    def address(self) -> str:
        """The address of the session's account: scheme, host and port."""
        return str(self._session.connection.rest.server_url)

    def secrets(self) -> list[str]:
        """Return the tokens that were sent."""
        return [*self._sent, *self._sessions.secrets()]

    def close(self) -> None:
        """Close the session, unless it belongs to the program."""
        session, self._session = self._session, None
        if session is not None:
            self._sessions.give_back(session, usable=False)

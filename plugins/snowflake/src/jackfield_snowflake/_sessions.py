"""Sessions of Snowpark: opened, used for one statement at a time, renewed. All of it blocks and runs in threads."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from jackfield import ConfigurationError, MissingCredentialError

from ._login import parameters
from ._settings import SnowflakeSettings

__all__ = ["SessionSigner", "Sessions", "Statement"]


class Sessions:
    """Opens sessions by what is declared and keeps the idle ones. Safe in threads."""

    def __init__(self, settings: SnowflakeSettings) -> None:
        self._settings = settings
        self._given = None if settings.credentials is None else settings.credentials.session
        self._lock = threading.Lock()
        self._free: list[Any] = []
        self._parameters: dict[str, Any] = {}
        self._kind: Any = None  # Snowpark's Session, once it is imported

    @property
    def most(self) -> int:
        """How many there may be at once; a program's own session is one."""
        return self._settings.sessions if self._given is None else 1

    def load(self) -> None:
        """Import Snowpark and resolve secrets; no session is opened.

        Raises:
            MissingCredentialError: A secret is not there.
            ConfigurationError: Snowpark is not installed.
        """
        if self._given is not None:
            return
        # First, for who has no key need not wait for an import to hear of it.
        self._parameters = parameters(self._settings)
        try:
            with _collector_at_rest():
                from snowflake.snowpark import Session
        except ImportError as error:
            raise ConfigurationError(
                'sessions are Snowpark\'s: pip install "jackfield-snowflake[sql]"; over REST a key pair or a token needs none'
            ) from error
        self._kind = Session

    def take(self) -> Any:
        """Give an idle session, or open one."""
        if self._given is not None:
            return self._given
        with self._lock:
            if self._free:
                return self._free.pop()
        kind = self._kind
        if kind is None:
            raise ConfigurationError("the sessions are closed; use the mesh inside its `async with`")
        # A builder each time: it forgets the password once it has made a session.
        return kind.builder.configs(dict(self._parameters)).create()

    def give_back(self, session: Any, *, sound: bool) -> None:
        """Keep a session for the next statement, or close it."""
        if session is self._given:
            return
        if sound and self._kind is not None:
            with self._lock:
                self._free.append(session)
        else:
            _close(session)

    def drop_idle(self) -> None:
        """Close all idle sessions, so that the next one logs in anew."""
        with self._lock:
            idle, self._free = self._free, []
        for session in idle:
            _close(session)

    def close(self) -> None:
        """Close everything that is open here."""
        self._kind = None
        self.drop_idle()

    def secrets(self) -> list[str]:
        """Give what must not be shown."""
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
def _collector_at_rest() -> Iterator[None]:
    """Let nobody collect garbage while the driver is imported for the first time, and its modules never.

    An import of this size makes the collector go through all objects again and again, once more when it is over, and it holds
    the interpreter for 50 to 75 ms at a time, for which the event loop would wait; so it is 10 to 36 (Snowpark 1.56).
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
    # What a service says of a session that is thrown away helps nobody.
    with contextlib.suppress(Exception):
        session.close()


class Statement:
    """One statement with its bindings, which another thread may cancel.

    The request has an id of ours, by which the service is told to cancel it, as the connector does when its own time is up.
    """

    def __init__(self, sessions: Sessions, text: str, bind: Mapping[str, Any]) -> None:
        self._sessions = sessions
        self._text = text
        self._bindings = tuple(
            value if isinstance(value, str) else orjson.dumps(value).decode() for value in bind.values()
        )
        self._id = str(uuid.uuid4())
        self._session: Any = None
        self._cancelled = False

    def run(self) -> bytes:
        """Run it and give the result as JSON; blocks until there is one."""
        session = self._sessions.take()
        sound = False
        try:
            if self._cancelled:
                sound = True
                return b"{}"
            self._session = session
            with session.connection.cursor() as cursor:
                # Bound by the service (qmark), never written into the text.
                cursor.execute(self._text, self._bindings, _statement_params={"requestId": self._id})
                rows = cursor.fetchall()
                columns = [column[0] for column in cursor.description or ()]
                query = cursor.sfqid
            sound = True
            result = {"query_id": query, "columns": columns, "rows": [list(row) for row in rows]}
            return orjson.dumps(result, default=str)
        except Exception as error:
            # A statement that is wrong leaves its session in order.
            sound = type(error).__name__ == "ProgrammingError" and not self._cancelled
            raise
        finally:
            self._session = None
            self._sessions.give_back(session, sound=sound)

    def cancel(self) -> None:
        """Have the service cancel it; says nothing if it is over, or has not begun."""
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
    """Proves identity over REST with the token of a session, as Snowflake's own packages do.

    Source: snowflake-ml-python 2.6.0 (`Authorization: Snowflake Token="…"`).
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._session: Any = None
        self._shown: list[str] = []

    def prepare(self, *, refresh: bool) -> None:
        """Open the session; if its token was refused, let the driver renew it, or log in anew."""
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
        """Give the header."""
        token = self._session.connection.rest.token
        if not token:
            raise MissingCredentialError("the session has no token; it was closed")
        if token not in self._shown:
            self._shown = [*self._shown[-3:], token]
        return {"Authorization": f'Snowflake Token="{token}"'}

    @property
    def address(self) -> str:
        """Where the session's account is: scheme, host and port."""
        return str(self._session.connection.rest.server_url)

    def secrets(self) -> list[str]:
        """Give the tokens that were sent."""
        return [*self._shown, *self._sessions.secrets()]

    def close(self) -> None:
        """Close the session, unless a program holds it."""
        session, self._session = self._session, None
        if session is not None:
            self._sessions.give_back(session, sound=False)

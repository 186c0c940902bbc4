"""Open WebSockets over the pool of an HTTP transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from jackfield._types.wire import Head

from .failures import failure_of

if TYPE_CHECKING:
    import yarl
    from multidict import CIMultiDict

__all__ = ["WebSockets"]

_MESSAGE_SHARE = 4
"""One message may have this part of what a whole answer may have."""
_CLOSING = 1.0
"""Seconds that the other side has for its part of the closing."""


class _RedirectedError(Exception):
    """The service answered with a redirect, which is not followed."""

    def __init__(self, head: Head) -> None:
        super().__init__("redirected")
        self.head = head


async def _refuse_redirect(*told: object) -> None:
    response: aiohttp.ClientResponse = told[2].response  # type: ignore[attr-defined]
    head = Head(response.status, response.headers)
    response.close()
    raise _RedirectedError(head)


class WebSockets:
    """Opens WebSockets with the connections of a session.

    Args:
        session: Whose pool is used.
        most: Most bytes of an answer; a quarter of it for one message. None is no limit.
    """

    def __init__(self, session: aiohttp.ClientSession, most: int | None) -> None:
        # aiohttp would follow a redirect, and carry the key to another host; only a session's trace can keep it from that.
        trace = aiohttp.TraceConfig()
        trace.on_request_redirect.append(_refuse_redirect)
        self._session = aiohttp.ClientSession(
            connector=session.connector,
            connector_owner=False,
            timeout=session.timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            trace_configs=[trace],
        )
        self._session._retry_connection = False  # noqa: SLF001 -- as that of the transport's own session
        self._most = 0 if most is None else most // _MESSAGE_SHARE

    async def connect(
        self, url: yarl.URL, headers: CIMultiDict[str], proxy: str | None
    ) -> tuple[Head, aiohttp.ClientWebSocketResponse | None]:
        """Open one; None stands for an answer that is none.

        Raises:
            ConnectionFailedError: No connection, or it broke before there was an answer.
            TimeoutError: No connection in time (phase "connect").
        """
        try:
            socket = await self._session.ws_connect(
                url,
                headers=headers,
                proxy=proxy,
                max_msg_size=self._most,
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSING),
            )
        except _RedirectedError as error:
            return error.head, None
        except aiohttp.WSServerHandshakeError as error:
            # A status that does not fit is the service's answer; one that fits has headers that do not.
            status = 502 if error.status == _SWITCHING else error.status
            return Head(status, error.headers or {}), None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = failure_of(error, url, proxy)
        else:
            return Head(None, socket._response.headers), socket  # noqa: SLF001 -- there is no public way
        raise failure  # out here, or aiohttp's own error, which holds addresses and headers, would go with it

    async def aclose(self) -> None:
        """Close the session; its pool stays open."""
        await self._session.close()


_SWITCHING = 101

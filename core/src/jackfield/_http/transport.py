"""The HTTP transport: aiohttp behind one method."""

from __future__ import annotations

import asyncio
import importlib
import io
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import attrs

from jackfield._contract.addresses import address_secrets, shown_address
from jackfield._contract.paths import address_danger
from jackfield._contract.protocols import Exchange, HttpAccess, Transport
from jackfield._contract.secrets import Secret
from jackfield._json import write_json
from jackfield._types.errors import ConfigurationError, JackfieldError
from jackfield._types.sizes import MAX_RESPONSE
from jackfield._types.wire import Head, Wire

from .auth import Authenticator, DeclaredHeaders, make_authenticator
from .frames import HttpFrames

if TYPE_CHECKING:
    import aiohttp
    import yarl
    from multidict import CIMultiDict

    from .prepared_post import PreparedPost, PreparedResponse
    from .websocket import WebSockets

__all__ = ["HttpTransport", "set_header"]

_LARGE_BODY = 1 << 20
"""Bytes above which aiohttp wants a file; it warns otherwise, and blocks the event loop."""
_READ_BUFFER = 1 << 18
_USER_AGENT = "jackfield"
_NO_HEADERS: Mapping[str, str] = {}
_MOST_PREPARED = 256
_ABSOLUTE = ("http://", "https://")
_LINGER = 1.0
"""Seconds for which the end of a body may come after the end of its answer."""


class HttpTransport:
    """Carry wires over HTTP/1.1, with one pool of connections.

    Bodies are serialised once and sent as they are; URLs are never re-quoted; redirects are not followed (a
    redirected POST would lose its body and carry its key to another host). Never tries again by itself.

    Args:
        access: The address and the authentication.
        connect_timeout: Seconds until a connection stands: name, all addresses, the answer of a proxy, TLS.
        proxy: Address of an HTTP proxy; None uses the environment's (`HTTPS_PROXY`, `NO_PROXY`).
        ca_bundle: A PEM file of certificate authorities to trust instead of the system's.
        headers: Sent with every request, over those of `access`; secrets among them are resolved at `open`.
        max_response: Most bytes of an answer, decompressed; a quarter of it for one event of a stream. None is no limit.
    """

    def __init__(
        self,
        access: HttpAccess,
        *,
        connect_timeout: float | None = 10.0,
        proxy: str | None = None,
        ca_bundle: str | None = None,
        headers: Mapping[str, str | Secret] | None = None,
        max_response: int | None = MAX_RESPONSE,
    ) -> None:
        base, _, query = access.base_url.partition("?")
        self._base = base.rstrip("/")
        self._base_query = query  # a gateway's key or version; goes behind every path
        self._access = access
        self._connect_timeout = connect_timeout
        self._proxy = proxy
        self._ca_bundle = ca_bundle
        self._extra_headers = headers or {}
        self._declared = DeclaredHeaders(self._extra_headers)
        self.max_response = max_response
        self._headers: CIMultiDict[str]
        self._authenticator: Authenticator = make_authenticator(access.auth)
        self._named = {name: make_authenticator(auth) for name, auth in access.named_auth.items()}
        self._session: aiohttp.ClientSession | None = None
        self.under_way: set[_HttpExchange] = set()
        self._lingering: dict[aiohttp.ClientResponse | PreparedResponse, asyncio.TimerHandle] = {}
        self._routes: dict[str, tuple[yarl.URL, str | None]] = {}
        self._prepared: dict[tuple[object, ...], tuple[Mapping[str, str], PreparedPost | None]] = {}
        self._transports: dict[str, Transport] = {}
        self._sockets: WebSockets | None = None

    async def open(self) -> None:
        """Resolve secrets and make the pool; nothing is sent.

        Raises:
            MissingCredentialError: A secret is not there.
            ConfigurationError: The base address or the CA bundle is unusable.
        """
        if not self._base.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"base_url must begin with http:// or https://, got {shown_address(self._base)!r}"
            )
        # Secrets first: who has no key need not wait for an import to hear of it.
        for authenticator in (self._authenticator, *self._named.values()):
            await authenticator.open()
        await self._declared.open()
        if "aiohttp" not in sys.modules:
            # Off the loop: it takes a tenth of a second, and reads the machine's certificates.
            await asyncio.to_thread(importlib.import_module, "aiohttp")
        import aiohttp
        from multidict import CIMultiDict

        from .pool import Pool
        from .prepared_post import LONGEST_HEADER

        # Names of headers have no case: without this, a connection's "user-agent" would be sent beside ours.
        self._headers = CIMultiDict({"User-Agent": _USER_AGENT})
        self._headers.update(self._access.headers)
        self._headers.update(self._declared.values())

        self._session = aiohttp.ClientSession(
            connector=Pool(self._connect_timeout, ssl=self._tls()),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=self._connect_timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # would look the environment up in a thread, for every request
            auto_decompress=True,
            read_bufsize=_READ_BUFFER,
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
        )
        # aiohttp sends a GET again, unasked and unrecorded, when a kept connection turns out to be dead.
        self._session._retry_connection = False  # noqa: SLF001 -- there is no public way

    def exchange(self, wire: Wire) -> AbstractAsyncContextManager[Exchange]:
        """Send a wire. Enter the result to get the `Exchange`; leave it to close the upstream.

        Raises (on entering):
            ConnectionFailedError: No connection, or it broke before the answer began.
            TimeoutError: No connection in time (phase "connect").
        """
        return _HttpExchange(self, wire) if wire.transport is None else self._exchange_otherwise(wire)

    @asynccontextmanager
    async def _exchange_otherwise(self, wire: Wire) -> AsyncIterator[Exchange]:
        """Let the transport that a wire names carry it."""
        name = wire.transport or ""
        transport = self._transports.get(name)
        if transport is None:
            transport = self._access.named_transports[name](self)
            await transport.open()
            # Another call may have opened one meanwhile: that is the one to close.
            transport = self._transports.setdefault(name, transport)
        async with transport.exchange(wire) as exchange:
            yield exchange

    async def connect_websocket(self, wire: Wire) -> tuple[Head, aiohttp.ClientWebSocketResponse | None]:
        """Open a WebSocket at the address of a wire, with the headers and the authentication of a request.

        Returns:
            The head of the answer, and the socket; None if the service answered without a WebSocket.

        Raises:
            ConnectionFailedError: No connection, or it broke before there was an answer.
            TimeoutError: No connection in time (phase "connect").
        """
        session = self._session
        if session is None:
            raise ConfigurationError("this transport is closed; use the mesh inside its `async with`")
        address = self.address(wire)
        authenticator = self._authenticator_of(wire)
        await authenticator.ready(refresh=False)
        if self._declared.can_refresh:
            await self._renew_headers(refresh=False)
        url, proxy = self._routes.get(address) or self._find_route(address)
        headers = self._merge_headers(attrs.evolve(wire, body=None))
        headers.update(authenticator.headers("GET", address, headers, b""))
        if self._sockets is None:
            from .websocket import WebSockets

            self._sockets = WebSockets(session, self.max_response)
        return await self._sockets.connect(url, headers, proxy)

    async def aclose(self) -> None:
        """Close the pool. May be called twice."""
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()
        session, self._session = self._session, None
        sockets, self._sockets = self._sockets, None
        self._prepared.clear()
        for exchange in list(self.under_way):
            # Closing the session would cut their sockets and leave those who wait for a frame waiting.
            exchange.cut()
        for response, timer in list(self._lingering.items()):
            timer.cancel()
            response.close()
        self._lingering.clear()
        if sockets is not None:
            await sockets.aclose()
        if session is not None:
            await session.close()

    def linger(self, response: aiohttp.ClientResponse | PreparedResponse) -> None:
        """Close the connection of an answer that is whole before its body, unless the body ends in the next moment.

        Nearly all services send the end of the body right behind the answer's: the connection then serves the next call.
        """
        content = response.content
        if content.is_eof() or content.exception() is not None:
            response.close()
            return

        def forget() -> None:
            timer = self._lingering.pop(response, None)
            if timer is not None:
                timer.cancel()
            response.close()

        self._lingering[response] = asyncio.get_running_loop().call_later(_LINGER, forget)
        content.on_eof(forget)

    async def refresh_credentials(self, wire: Wire) -> bool:
        """Fetch credentials again after they were refused; False if they are what they were."""
        authenticator, declared = self._authenticator_of(wire), self._declared
        renewed = await authenticator.ready(refresh=True) if authenticator.can_refresh else False
        if declared.can_refresh:
            renewed = await self._renew_headers(refresh=True) or renewed
        return renewed

    async def _renew_headers(self, *, refresh: bool) -> bool:
        renewed = await self._declared.ready(refresh=refresh)
        now = self._declared.values()
        if any(self._headers.get(name) != value for name, value in now.items()):
            self._headers.update(now)
            self._prepared.clear()
        return renewed

    def secrets(self) -> list[str]:
        """Return every resolved secret, so that the core can keep it out of errors."""
        authenticators = (self._authenticator, *self._named.values())
        of_authenticators = [secret for authenticator in authenticators for secret in authenticator.secrets()]
        of_addresses = [*address_secrets(self._access.base_url), *address_secrets(self._proxy or "")]
        return of_authenticators + self._declared.secrets() + of_addresses

    def address(self, wire: Wire) -> str:
        """Return the full address of a wire."""
        return _join_address(self._base, self._base_query, wire.path, wire.query)

    def shown_address(self, wire: Wire) -> str:
        """Return the full address of a wire without what is secret in the declared one, for `explain`."""
        base, _, query = shown_address(f"{self._base}?{self._base_query}").partition("?")
        path = shown_address(wire.path) if wire.path.startswith(_ABSOLUTE) else wire.path
        return _join_address(base, query, path, wire.query)

    def shown_headers(self, wire: Wire) -> dict[str, str]:
        """Return the headers of a wire without resolving any secret, for `explain`."""
        headers: dict[str, str] = {}
        extra = {
            name: value.shown if isinstance(value, Secret) else value
            for name, value in self._extra_headers.items()
        }
        for layer in ({"User-Agent": _USER_AGENT}, self._access.headers, extra, wire.headers):
            for name, value in layer.items():
                set_header(headers, name, value)
        if (
            wire.body is not None
            and not isinstance(wire.body, bytes)
            and "content-type" not in map(str.lower, headers)
        ):
            headers["Content-Type"] = "application/json"
        return headers

    def _authenticator_of(self, wire: Wire) -> Authenticator:
        return self._authenticator if wire.auth is None else self._named[wire.auth]

    def _tls(self) -> ssl.SSLContext | bool:
        if self._ca_bundle is None:
            return True
        try:
            return ssl.create_default_context(cafile=self._ca_bundle)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"ca_bundle {self._ca_bundle} cannot be used: {error}") from error

    async def send(self, wire: Wire) -> aiohttp.ClientResponse | PreparedResponse:
        """Send a wire and return the response, its body unread."""
        session = self._session
        if session is None:
            raise ConfigurationError("this transport is closed; use the mesh inside its `async with`")
        address = self.address(wire)
        body = _serialise(wire.body)
        authenticator = self._authenticator_of(wire)
        if authenticator.may_expire:
            await authenticator.ready(refresh=False)
        if self._declared.can_refresh:
            await self._renew_headers(refresh=False)
        url, proxy = self._routes.get(address) or self._find_route(address)
        try:
            return await self._send_prepared(session, wire, body, url, proxy)
        except JackfieldError:
            raise
        except Exception as error:
            import aiohttp  # here, since an import costs every call something, even if it is done

            if not isinstance(error, (aiohttp.ClientError, OSError, ValueError)):
                raise
            from .failures import failure_of

            failure = failure_of(error, url, proxy)
        raise failure  # out here, or aiohttp's own error, which holds addresses and headers, would go with it

    async def _send_prepared(
        self, session: aiohttp.ClientSession, wire: Wire, body: bytes, url: yarl.URL, proxy: str | None
    ) -> aiohttp.ClientResponse | PreparedResponse:
        authenticator = self._authenticator_of(wire)
        if wire.method == "POST" and proxy is None and len(body) <= _LARGE_BODY:
            request = self._prepare_post(wire, session, url, authenticator)
            if request is not None and not authenticator.per_request:
                return await request.send(body)
            if request is not None:
                auth_headers = authenticator.headers("POST", self.address(wire), request.given, body)
                if not any(name in request.given for name in auth_headers):
                    return await request.send(body, auth_headers)
        headers = self._merge_headers(wire)
        headers.update(authenticator.headers(wire.method, self.address(wire), headers, body))
        data: bytes | io.BytesIO | None = body if wire.body is not None else None
        if len(body) > _LARGE_BODY:
            data = io.BytesIO(body)  # written piece by piece, so that other calls have their turn
        return await session.request(
            wire.method,
            url,
            data=data,
            headers=headers,
            proxy=proxy,
            allow_redirects=False,
            raise_for_status=False,
        )

    def _prepare_post(
        self, wire: Wire, session: aiohttp.ClientSession, url: yarl.URL, authenticator: Authenticator
    ) -> PreparedPost | None:
        """Return the prepared request of a wire; None where aiohttp's session has to send it."""
        key = (url, wire.auth, isinstance(wire.body, bytes), *wire.headers.items())
        # The same object until it is renewed; what signs each attempt anew is asked for each.
        auth_headers = (
            _NO_HEADERS if authenticator.per_request else authenticator.headers("POST", "", {}, b"")
        )
        kept = self._prepared.get(key)
        if kept is not None and kept[0] is auth_headers:
            return kept[1]
        from .prepared_post import PreparedPost

        headers = self._merge_headers(wire)
        headers.update(auth_headers)
        plain = url.user is None and not any(name in headers for name in ("Expect", "Transfer-Encoding"))
        request = PreparedPost(session, url, headers, _READ_BUFFER) if plain else None
        if len(self._prepared) >= _MOST_PREPARED:  # a plugin may send a header that is never the same
            self._prepared.clear()
        self._prepared[key] = auth_headers, request
        return request

    def _merge_headers(self, wire: Wire) -> CIMultiDict[str]:
        """Return the headers of a wire without those that authenticate."""
        headers = self._headers.copy()
        if wire.headers:
            headers.update(wire.headers)
        if wire.body is not None and not isinstance(wire.body, bytes):
            headers.setdefault("Content-Type", "application/json")
        return headers

    def _find_route(self, address: str) -> tuple[yarl.URL, str | None]:
        """Parse an address and find the proxy that leads there."""
        import yarl

        danger = address_danger(address)
        if danger is not None:
            raise ConfigurationError(f"the request cannot be sent: {danger}")
        from .failures import proxy_for

        url = yarl.URL(address if address.isascii() else _with_ascii_host(address), encoded=True)
        route = url, proxy_for(url, self._proxy)
        if len(self._routes) < 1024:  # ids of guardrails, jobs and the like may stand in paths
            self._routes[address] = route
        return route


def _with_ascii_host(address: str) -> str:
    """Return an address with its host as DNS and HTTP have it (IDNA); the rest stays as it was written."""
    import yarl

    try:
        host = yarl.URL(address).raw_host or ""
        parts = urlsplit(address)
    except ValueError as error:
        raise ConfigurationError(f"the address of the service cannot be used: {error}") from None
    user, at, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}{at}{host}{place[len(place.partition(':')[0]) :]}").geturl()


def _join_address(base: str, base_query: str, path: str, query: Mapping[str, str]) -> str:
    absolute = path.startswith(_ABSOLUTE)
    address = path if absolute else base + "/" + path.lstrip("/")
    if base_query and not absolute:
        address += ("&" if "?" in address else "?") + base_query
    if query:
        address += ("&" if "?" in address else "?") + urlencode(query, quote_via=quote, safe=":")
    return address


def _serialise(body: Any) -> bytes:
    """Serialise a body to the bytes that are signed and sent."""
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    try:
        return write_json(body)
    except TypeError as error:
        raise ConfigurationError(f"the request cannot be sent: {error}") from None


def set_header(headers: dict[str, str], name: str, value: str) -> None:
    """Set a header in the place of one whose name differs in case alone."""
    for present in [present for present in headers if present.lower() == name.lower()]:
        del headers[present]
    headers[name] = value


class _HttpExchange:
    """One request under way. Leaving it early closes its connection; leaving it at the end gives it back."""

    __slots__ = ("_frames", "_response", "_transport", "_wire")

    def __init__(self, transport: HttpTransport, wire: Wire) -> None:
        self._transport = transport
        self._wire = wire
        self._response: aiohttp.ClientResponse | PreparedResponse | None = None
        self._frames: HttpFrames | None = None

    async def __aenter__(self) -> Exchange:
        response = self._response = await self._transport.send(self._wire)
        self._transport.under_way.add(self)
        frames = self._frames = HttpFrames(response, self._wire, self._transport.max_response)
        return Exchange(Head(response.status, response.headers), frames)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.under_way.discard(self)
        frames, response = self._frames, self._response
        if frames is not None and response is not None and frames.is_left:
            self._transport.linger(response)
        else:
            self.cut()

    def cut(self) -> None:
        """Return the connection to the pool if the body was read to its end, else close it."""
        if self._response is not None:
            self._response.close()

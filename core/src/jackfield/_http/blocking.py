"""Send a request without a transport: for tokens, in a thread."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from jackfield._types.errors import ConfigurationError, ConnectionFailedError
from jackfield._types.sizes import read_limited

from .link_local import is_link_local

__all__ = ["fetch_blocking"]

_MOST_OF_ERROR: Final = 1 << 16
"""The number of bytes that are read of a response whose status is an error."""


def fetch_blocking(
    url: str,
    *,
    sender: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
    timeout: float = 30.0,
    proxy: str | None = None,
    direct: bool = False,
    ca_bundle: str | None = None,
    client_certificate: str | None = None,
) -> tuple[int, Mapping[str, str], bytes]:
    """Send a request with the standard library, and return status, headers and body of the response. Blocks.

    For the requests of an identity, such as those to a token endpoint, which the core sends in a thread (`Bearer`).
    Redirects are not followed, because they would send a secret to another host; they are returned like any status.

    Args:
        url: The address, with the scheme `http` or `https`.
        sender: The name of the service in errors.
        body: The body of the request.
        headers: The headers of the request.
        method: The method.
        timeout: Seconds that each operation on the connection may take.
        proxy: The address of a proxy; None means those of the environment. Link-local addresses, such as those of metadata
            services, are always reached without a proxy.
        direct: Use no proxy, not even one of the environment.
        ca_bundle: The path of a file of certificate authorities; None means the system's.
        client_certificate: The path of a file with a certificate and its key, to send to the service.

    Returns:
        The status, the headers (the case of their names does not count), and the body.

    Raises:
        ConfigurationError: The address has another scheme, such as `file`.
        ConnectionFailedError: The service cannot be reached, or its response was cut.
        MalformedResponseError: The body of the response is longer than 1 MiB.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request

    if not url.lower().startswith(("https://", "http://")):
        raise ConfigurationError(f"the address of {sender} must begin with https://, not {url!r}")
    try:
        direct = direct or is_link_local(urlsplit(url).hostname or "")
    except ValueError as error:
        raise ConfigurationError(f"the address of {sender} is not valid: {error}") from error
    opener = functools.partial(_make_opener, "" if direct else proxy, ca_bundle, client_certificate)
    request = Request(url, body, dict(headers or {}), method=method)  # noqa: S310 -- checked above
    try:
        try:
            with opener().open(request, timeout=timeout) as response:
                return response.status, _headers_of(response), read_limited(response, sender)
        except HTTPError as error:
            with error:
                return error.code, _headers_of(error), error.read(_MOST_OF_ERROR)
    except ConnectionFailedError:
        raise
    except (OSError, HTTPException) as error:
        raise ConnectionFailedError(f"{sender} cannot be reached: {error}") from error


def _headers_of(response: Any) -> Mapping[str, str]:
    from multidict import CIMultiDict, CIMultiDictProxy

    return CIMultiDictProxy(CIMultiDict(response.headers.items()))


def _make_opener(proxy: str | None, ca_bundle: str | None, client_certificate: str | None) -> Any:
    import ssl
    from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, build_opener

    class NoRedirects(HTTPRedirectHandler):
        """Follows no redirect, which becomes an error with the redirect's status."""

        def redirect_request(self, *_: Any, **__: Any) -> None:
            return None

    handlers: list[Any] = [NoRedirects()]
    if proxy is not None:
        handlers.append(ProxyHandler({"http": proxy, "https": proxy} if proxy else {}))
    if ca_bundle is not None or client_certificate is not None:
        context = ssl.create_default_context(cafile=ca_bundle)
        if client_certificate is not None:
            context.load_cert_chain(client_certificate, password="")  # no prompt on a terminal
        handlers.append(HTTPSHandler(context=context))
    return build_opener(*handlers)

"""Explain why a request could not be sent, without what aiohttp's own errors carry: addresses, proxies, headers."""

from __future__ import annotations

import errno
import os
import ssl
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

import aiohttp

from jackfield._types.errors import ConfigurationError, ConnectionFailedError, JackfieldError, TimeoutError

from .link_local import is_link_local
from .prepared_post import NotHttpError, unreadable

if TYPE_CHECKING:
    import yarl

__all__ = ["failure_of", "proxy_for"]

_PROXY_MAY_RECOVER = 500
_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""Errors of TLS that are of the network, not of what the other side is or speaks."""
_SCHEMES = ("http", "https")
_KINDS: tuple[type[Exception], ...] = (
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientConnectionError,
    aiohttp.ClientError,
    ValueError,
    Exception,
)


def failure_of(error: Exception, url: yarl.URL, proxy: str | None) -> JackfieldError:
    """Return the error of a request that was not sent, or not answered.

    Its cause is the system's own error, or aiohttp's text: objects of aiohttp's hold the address with its query, the
    proxy with its password, and headers. For the same reason raise it outside the `except` block.

    Args:
        error: What aiohttp, the system or TLS raised.
        url: Where the request was to go.
        proxy: The proxy on the way.
    """
    reason = _reason(error)
    failure: JackfieldError
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        reason = f"no connection to {url.host} in time"
        failure = TimeoutError(f"{reason} (timeout phase connect)", phase="connect")
    elif isinstance(error, aiohttp.ClientHttpProxyError):
        failure = ConnectionFailedError(
            f"the proxy {_place_of(proxy)} refuses to connect to {url.host}:{url.port}: {reason}",
            retryable=error.status >= _PROXY_MAY_RECOVER,
        )
    elif isinstance(error, aiohttp.ClientError | OSError):
        # The proxy's, where it is the proxy that is not there.
        host, port = getattr(error, "host", url.host), getattr(error, "port", url.port)
        failure = ConnectionFailedError(
            f"the connection to {host}:{port} failed: {reason}", retryable=None if _may_pass(error) else False
        )
    else:
        failure = ConfigurationError(f"the request to {url.host} cannot be sent: {reason}")
    failure.__cause__ = _cause(error, reason)
    return failure


def _may_pass(error: Exception) -> bool:
    """Return whether a failure may be over the next time: not one of identity, of protocol or of HTTP."""
    if isinstance(error, NotHttpError | aiohttp.ClientResponseError) or hasattr(error, "certificate_error"):
        return False
    inner = getattr(error, "os_error", error)
    return not isinstance(inner, ssl.SSLError) or isinstance(inner, _BROKEN_OFF)


def _cause(error: Exception, reason: str) -> Exception:
    certificate = getattr(error, "certificate_error", None)
    inner = certificate or getattr(error, "os_error", error)
    if isinstance(inner, ssl.SSLError):
        return type(inner)(inner.errno, inner.strerror or reason)
    if isinstance(inner, OSError) and inner.errno is not None:
        return OSError(inner.errno, reason)
    return next(kind for kind in _KINDS if isinstance(error, kind))(reason)


def _reason(error: Exception) -> str:
    """Explain why there is no connection, in the words of the system: aiohttp's own repeat the address."""
    certificate = getattr(error, "certificate_error", None)
    if certificate is not None:
        return f"its certificate is not accepted: {getattr(certificate, 'verify_message', '') or certificate}"
    if isinstance(error, aiohttp.ClientResponseError):
        is_proxy = isinstance(error, aiohttp.ClientHttpProxyError)
        return f"{error.status} {error.message}" if is_proxy else unreadable(error.message)
    if isinstance(error, NotHttpError):
        return " ".join(str(error).split())
    inner = getattr(error, "os_error", error)
    number = inner.errno if isinstance(inner, OSError) and not isinstance(inner, ssl.SSLError) else None
    if number is not None and number in errno.errorcode:
        return os.strerror(number)
    if isinstance(error, aiohttp.InvalidURL):
        return "its address is not valid"
    reason = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    if getattr(inner, "reason", None) == "WRONG_VERSION_NUMBER":
        return "the other side does not speak TLS; does the address begin with http:// instead of https://?"
    return str(reason)


def proxy_for(url: yarl.URL, declared: str | None) -> str | None:
    """Return the proxy that leads to an address: the declared one, else that of the environment.

    None leads to link-local addresses, because no proxy can reach them.
    `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` are read as the standard library does. One without a scheme is HTTP's,
    as curl has it.

    Raises:
        ConfigurationError: It is not an HTTP proxy.
    """
    host = url.host or ""
    if is_link_local(host):
        return None
    if declared is not None:
        return _check_proxy(declared, "proxy")
    found = getproxies().get(url.scheme)
    if not found or proxy_bypass(host) or proxy_bypass(f"{host}:{url.port}"):
        return None
    return _check_proxy(found, f"{url.scheme.upper()}_PROXY in the environment")


def _check_proxy(proxy: str, where: str) -> str:
    import yarl

    scheme, slashes, _ = proxy.partition("://")
    if not slashes:
        proxy = f"http://{proxy}"
    elif scheme.lower() not in _SCHEMES:
        raise ConfigurationError(
            f"{where} is a proxy of the kind {scheme}://, which is not supported; use an http:// or https:// proxy"
        )
    try:
        valid = bool(yarl.URL(proxy).host)
    except ValueError:
        valid = False
    if not valid:
        raise ConfigurationError(
            f"{where} is not the address of a proxy; write http://host:port, and characters such as @ / : in a "
            "password percent-encoded"
        )
    return proxy


def _place_of(proxy: str | None) -> str:
    import yarl

    url = yarl.URL(proxy or "")
    return f"{url.host}:{url.port}"

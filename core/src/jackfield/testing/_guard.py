"""Keep tests off the network, or off sockets altogether."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["NetworkForbiddenError", "forbid_network", "no_sockets", "replaced"]

_METHODS = ("connect", "connect_ex", "sendto")
_LOOKUPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr")


class NetworkForbiddenError(AssertionError):
    """Raised when code under test opens a network connection.

    No `OSError`: a client would take that for an unreachable host, and retry.

    Attributes:
        attempt: What was attempted, such as `connect ('192.0.2.1', 443)`.
    """

    def __init__(self, attempt: str) -> None:
        super().__init__(attempt)
        self.attempt = attempt

    def __str__(self) -> str:
        return f"a test may not use the network: {self.attempt}"


@contextlib.contextmanager
def forbid_network() -> Iterator[list[str]]:
    """Let only loopback and Unix sockets connect, and only loopback names be looked up.

    Covers everything that uses Python's `socket` module, asyncio's own loops included, in all threads; not
    extension modules with sockets of their own, such as gRPC or uvloop.

    Yields:
        The attempts that were refused, filled while the block runs. Code that swallows the error is found by
        asserting that it is empty.
    """
    refused: list[str] = []

    def refuse(attempt: str) -> None:
        refused.append(attempt)
        raise NetworkForbiddenError(attempt)

    def guarded_method(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def guard(self: socket.socket, *args: Any) -> Any:
            # The address is the last argument of all three; `sendto` on a connected socket has no address.
            if self.family in {socket.AF_INET, socket.AF_INET6} and args:
                address = args[-1]
                if not (isinstance(address, tuple) and _is_loopback(address[0])):
                    refuse(f"{name} {address!r}")
            return original(self, *args)

        return guard

    def guarded_lookup(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def guard(host: Any, *args: Any, **options: Any) -> Any:
            if host is not None and not _is_loopback(host):
                refuse(f"{name} {host!r}")
            return original(host, *args, **options)

        return guard

    with contextlib.ExitStack() as patches:
        for name in _METHODS:
            # Set on the Python class, above the C one; asyncio and http.client both come by here.
            method = guarded_method(name, getattr(socket.socket, name))
            patches.enter_context(replaced(socket.socket, name, method))
        for name in _LOOKUPS:
            lookup = guarded_lookup(name, getattr(socket, name))
            patches.enter_context(replaced(socket, name, lookup))
        yield refused


@contextlib.contextmanager
def no_sockets() -> Iterator[list[str]]:
    """Let no socket be made and no name be looked up: what runs inside does no network I/O at all.

    Made to prove that hooks are pure. An event loop cannot be made inside either (it has a socket pair); one
    that runs already goes on.

    Yields:
        The attempts that were refused, filled while the block runs.
    """
    refused: list[str] = []

    def refusing(name: str) -> Callable[..., Any]:
        def guard(*_args: Any, **_options: Any) -> Any:
            refused.append(name)
            raise NetworkForbiddenError(name)

        return guard

    with contextlib.ExitStack() as patches:
        # The refused object must still die quietly, so `__new__` stays and only `__init__` refuses.
        patches.enter_context(replaced(socket.socket, "__init__", refusing("socket")))
        for name in ("create_connection", "create_server", "socketpair", *_LOOKUPS):
            patches.enter_context(replaced(socket, name, refusing(name)))
        yield refused


@contextlib.contextmanager
def replaced(owner: Any, name: str, new: Callable[..., Any]) -> Iterator[None]:
    """Set an attribute for a while. Not `unittest.mock`, which brings all of asyncio with it."""
    inherited = name not in vars(owner)
    original = getattr(owner, name)
    setattr(owner, name, new)
    try:
        yield
    finally:
        if inherited:
            delattr(owner, name)
        else:
            setattr(owner, name, original)


def _is_loopback(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str):
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False

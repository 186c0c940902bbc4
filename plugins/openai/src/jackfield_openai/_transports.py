"""Ways to the Responses API other than one request over HTTP; their modules load when a call needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from jackfield.plugin import Transport

__all__ = ["NAMED_TRANSPORTS"]


def _make_background(http: Any) -> Transport:
    from ._background import BackgroundTransport

    return BackgroundTransport(http)


def _make_websocket(http: Any) -> Transport:
    from ._websocket import WebSocketTransport

    return WebSocketTransport(http)


NAMED_TRANSPORTS: Final[Mapping[str, Callable[[Any], Transport]]] = {
    "background": _make_background,
    "websocket": _make_websocket,
}
"""For `HttpAccess.named_transports`; a dialect with `background=True` needs them."""

"""Share the tokens of one identity among all connections that use it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from jackfield._faces import show_in

from .protocols import Token

__all__ = ["SharedTokens"]

_RENEW_BEFORE: Final = 60.0
"""Seconds before its end at which a token is no longer handed on."""


class SharedTokens:
    """Keep the tokens of one identity, one for each set of arguments that they are fetched with.

    An identity keeps one object of this class, and passes what `sharing` returns to `Bearer`: connections of the same
    arguments then use one token, and who asks again, because a token has ended or was refused, gets a new one that all use.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[object, ...], _Kept] = {}

    def __reduce__(self) -> tuple[type[SharedTokens], tuple[()]]:
        return SharedTokens, ()  # a copy of an identity, in another process or not, begins anew

    def sharing(self, fetch: Callable[..., Token], *args: Any, **options: Any) -> Callable[[], Token]:
        """Return a function that fetches a token for one connection, for `Bearer`. It blocks, as `fetch` does.

        Args:
            fetch: Fetches a token.
            args: Its arguments, which decide with which other connections the token is shared.
            options: Its named arguments; as `args`.
        """
        key = (*args, *sorted(options.items()))
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
        handed: Token | None = None

        def ask() -> Token:
            nonlocal handed
            with kept.lock:
                token = kept.token
                if token is None or token is handed or _ends_soon(token):
                    token = kept.token = fetch(*args, **options)
            handed = token
            return token

        return ask


class _Kept:
    __slots__ = ("lock", "token")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.token: Token | None = None


def _ends_soon(token: Token) -> bool:
    return token.expires_at is not None and token.expires_at - time.time() < _RENEW_BEFORE


show_in("jackfield.plugin", SharedTokens)

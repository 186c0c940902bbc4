"""Turn each kind of `Auth` into request headers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from jackfield._contract.protocols import Auth, Bearer, NoAuth, Signer, StaticHeader, Token
from jackfield._contract.secrets import Secret
from jackfield._types.errors import JackfieldError, MissingCredentialError

__all__ = ["Authenticator", "make_authenticator", "reveal"]

_RENEW_BEFORE = 60.0
"""Seconds before its end at which a token is renewed; a request may be under way for a while."""


class Authenticator(Protocol):
    """One way to authenticate, with its secrets resolved."""

    can_refresh: bool
    per_request: bool
    """Each attempt has headers of its own; else `headers` returns the same object until it is renewed."""

    async def open(self) -> None:
        """Resolve what has to be resolved once."""

    async def ready(self, *, refresh: bool) -> None:
        """Make sure that credentials are fresh before an attempt."""

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """Return the headers to add to one attempt."""

    def secrets(self) -> list[str]:
        """Return every secret that must not be shown."""


def make_authenticator(auth: Auth) -> Authenticator:
    """Return the authenticator of an auth."""
    if isinstance(auth, NoAuth):
        return _Nothing()
    if isinstance(auth, StaticHeader):
        return _Static(auth)
    if isinstance(auth, Bearer):
        return _Fetched(auth)
    return _Signed(auth)


_NO_HEADERS: Mapping[str, str] = {}


class _Nothing:
    can_refresh = False
    per_request = False

    async def open(self) -> None:
        return None

    async def ready(self, *, refresh: bool) -> None:
        return None

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        return _NO_HEADERS

    def secrets(self) -> list[str]:
        return []


class _Static(_Nothing):
    """A header with a secret."""

    def __init__(self, auth: StaticHeader) -> None:
        self._auth = auth
        self._headers: Mapping[str, str] = {}
        self._secrets: list[str] = []

    async def open(self) -> None:
        auth = self._auth
        if auth.secret is not None and auth.secret.is_none:
            return
        if auth.secret is None:
            if auth.optional:
                return
            raise MissingCredentialError(f"no secret is declared for the header {auth.name}; set api_key")
        try:
            value = await reveal(auth.secret)
        except MissingCredentialError:
            if auth.optional:
                return
            raise
        if not value.isprintable() or not value.isascii():
            raise MissingCredentialError(
                f"the secret behind {auth.secret!r} holds characters that no HTTP header may; is it cut or doubled?"
            )
        self._secrets = [value]
        self._headers = {auth.name: auth.prefix + value}

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        return self._headers

    def secrets(self) -> list[str]:
        return self._secrets


async def reveal(secret: Secret, where: str | None = None) -> str:
    """Resolve a secret without blocking the event loop: files and keyrings block, the rest does not.

    Raises:
        MissingCredentialError: It is not there; says where it is wanted, if that is given.
    """
    try:
        if secret.reference is None or secret.reference.startswith("env:"):
            return secret.reveal()
        return await asyncio.to_thread(secret.reveal)
    except MissingCredentialError as error:
        if where is None:
            raise
        raise MissingCredentialError(f"{where}: {error.message}") from error


class _Fetched(_Nothing):
    """A token that is fetched in a thread, by one caller at a time, and renewed before it ends."""

    can_refresh = True

    def __init__(self, auth: Bearer) -> None:
        self._auth = auth
        self._token: Token | None = None
        self._shown: list[str] = []  # the last tokens: a service may echo one that has been renewed since
        self._headers: Mapping[str, str] = {}
        self._lock = asyncio.Lock()

    async def ready(self, *, refresh: bool) -> None:
        stale = self._token
        if not refresh and stale is not None and not _ends_soon(stale):
            return
        async with self._lock:
            if self._token is not stale and self._token is not None:
                return  # somebody fetched a new one while we waited
            try:
                token = await asyncio.to_thread(self._auth.fetch)
            except JackfieldError:
                raise
            except Exception as error:
                raise MissingCredentialError(
                    f"no token could be fetched: {type(error).__name__}: {error}"
                ) from error
            self._token = token
            self._shown = [*self._shown[-3:], token.value]
            self._headers = {self._auth.header: self._auth.prefix + token.value}

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        return self._headers

    def secrets(self) -> list[str]:
        return self._shown


def _ends_soon(token: Token) -> bool:
    return token.expires_at is not None and token.expires_at - time.time() < _RENEW_BEFORE


class _Signed(_Nothing):
    """A signer; `prepare` runs in a thread, one at a time."""

    can_refresh = True
    per_request = True

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._is_ready: Callable[[], bool] | None = getattr(signer, "is_ready", None)
        self._lock = asyncio.Lock()
        self._generation = 0

    async def ready(self, *, refresh: bool) -> None:
        is_ready = None if refresh else self._is_ready
        if is_ready is not None and is_ready():
            return  # a thread costs more than the signature
        seen = self._generation
        async with self._lock:
            if (refresh and self._generation != seen) or (is_ready is not None and is_ready()):
                return  # somebody refreshed or prepared while we waited
            await asyncio.to_thread(self._signer.prepare, refresh=refresh)
            if refresh:
                self._generation += 1

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        return self._signer.sign(method, url, headers, body)

    def secrets(self) -> list[str]:
        secrets = getattr(self._signer, "secrets", None)
        return list(secrets()) if callable(secrets) else []

"""Turn each kind of `Auth` into request headers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from jackfield._contract.protocols import Auth, Bearer, NoAuth, Signer, StaticHeader, Token
from jackfield._contract.secrets import Secret, file_stamp
from jackfield._types.errors import JackfieldError, MissingCredentialError

__all__ = ["Authenticator", "DeclaredHeaders", "make_authenticator", "reveal"]

_RENEW_BEFORE = 60.0
"""Seconds before its end at which a token is renewed; a request may be under way for a while."""

_UNDER_WAY = 600.0
"""Seconds for which a call that was sent with an old secret may be under way."""


class Authenticator(Protocol):
    """One way to authenticate, with its secrets resolved."""

    can_refresh: bool
    may_expire: bool
    """`ready` must be asked before each attempt; else after a refusal only."""
    per_request: bool
    """Each attempt has headers of its own; else `headers` returns the same object until it is renewed."""

    async def open(self) -> None:
        """Resolve what has to be resolved once."""

    async def ready(self, *, refresh: bool) -> bool:
        """Make sure that credentials are fresh before an attempt.

        Args:
            refresh: The service refused them: fetch them again.

        Returns:
            Whether another attempt may go better; False if they are what they were.
        """

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
    may_expire = False
    per_request = False

    async def open(self) -> None:
        return None

    async def ready(self, *, refresh: bool) -> bool:
        return False

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        return _NO_HEADERS

    def secrets(self) -> list[str]:
        return []


class _Static(_Nothing):
    """A header with a secret, which somebody else may renew: a file is read again when it changes, or after a refusal.

    Args:
        auth: The header.
        where: Where the secret is declared, for errors.
    """

    def __init__(self, auth: StaticHeader, where: str | None = None) -> None:
        self._auth = auth
        self._where = where
        self._headers: Mapping[str, str] = {}
        self._secrets: list[str] = []  # the last ones: a service may echo one that has been renewed since
        self._stamp: tuple[int, ...] | None = None
        self._reads = 0
        self._renewed: float | None = None
        self._lock = asyncio.Lock()
        secret = auth.secret
        self.can_refresh = secret is not None and secret.reference is not None and not secret.is_none
        # Of files alone it can be seen that they changed.
        self.may_expire = self.can_refresh and str(secret and secret.reference).startswith("file:")

    async def open(self) -> None:
        auth = self._auth
        if auth.secret is not None and auth.secret.is_none:
            return
        if auth.secret is None:
            if auth.optional:
                return
            raise MissingCredentialError(f"no secret is declared for the header {auth.name}; set api_key")
        try:
            stamp, value = await self._reveal(auth.secret)
        except MissingCredentialError:
            if not auth.optional:
                raise
        else:
            self._keep(stamp, value)

    async def ready(self, *, refresh: bool) -> bool:
        secret = self._auth.secret
        if secret is None:
            return False
        stamp = file_stamp(secret)
        of_file = secret.reference is not None and secret.reference.startswith("file:")
        # What is not a file, such as a pipe, can be read once only.
        if stamp != self._stamp or (refresh and not (of_file and stamp is None)):
            seen = self._reads
            async with self._lock:
                if self._reads == seen:
                    # It may be missing or empty for a moment, while it is written: the old one may still do.
                    with contextlib.suppress(MissingCredentialError):
                        self._keep(*await self._reveal(secret))
        # Calls that were sent before it was renewed are refused after it.
        return self._renewed is not None and time.monotonic() - self._renewed < _UNDER_WAY

    async def _reveal(self, secret: Secret) -> tuple[tuple[int, ...] | None, str]:
        self._reads += 1
        stamp = file_stamp(secret)  # first: a change during the reading is one
        return stamp, await reveal(secret, self._where)

    def _keep(self, stamp: tuple[int, ...] | None, value: str) -> None:
        if not value.isprintable() or not value.isascii():
            raise MissingCredentialError(
                f"the secret behind {self._auth.secret!r} holds characters that no HTTP header may; is it cut or doubled?"
            )
        self._stamp = stamp
        if value not in self._secrets[-1:]:
            self._renewed = time.monotonic() if self._secrets else None
            self._secrets = [*self._secrets[-3:], value]
            self._headers = {self._auth.name: self._auth.prefix + value}

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        return self._headers

    def secrets(self) -> list[str]:
        return self._secrets


class DeclaredHeaders:
    """The headers that a connection declares, of which some are secrets.

    Args:
        declared: By name.
    """

    def __init__(self, declared: Mapping[str, str | Secret]) -> None:
        self._declared = declared
        self._secret = {
            name: _Static(StaticHeader(name, value), f"headers.{name}")
            for name, value in declared.items()
            if isinstance(value, Secret)
        }
        self.can_refresh = any(one.can_refresh for one in self._secret.values())

    async def open(self) -> None:
        """Resolve the secrets.

        Raises:
            MissingCredentialError: One is not there.
        """
        for authenticator in self._secret.values():
            await authenticator.open()

    async def ready(self, *, refresh: bool) -> bool:
        """Make sure that each secret is fresh; see `Authenticator.ready`."""
        renewed = [await one.ready(refresh=refresh) for one in self._secret.values()]
        return any(renewed)

    def values(self) -> dict[str, str]:
        """Return every header; one that is to be none is left out."""
        found = {name: value for name, value in self._declared.items() if isinstance(value, str)}
        for authenticator in self._secret.values():
            found.update(authenticator.headers("", "", {}, b""))
        return found

    def secrets(self) -> list[str]:
        """Return every secret that must not be shown."""
        return [secret for one in self._secret.values() for secret in one.secrets()]


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
    may_expire = True

    def __init__(self, auth: Bearer) -> None:
        self._auth = auth
        self._token: Token | None = None
        self._shown: list[str] = []  # the last tokens: a service may echo one that has been renewed since
        self._headers: Mapping[str, str] = {}
        self._lock = asyncio.Lock()

    async def ready(self, *, refresh: bool) -> bool:
        stale = self._token
        if not refresh and stale is not None and not _expires_soon(stale):
            return True
        async with self._lock:
            if self._token is not stale and self._token is not None:
                return True  # somebody fetched a new one while we waited
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
        return True

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        return self._headers

    def secrets(self) -> list[str]:
        return self._shown


def _expires_soon(token: Token) -> bool:
    return token.expires_at is not None and token.expires_at - time.time() < _RENEW_BEFORE


class _Signed(_Nothing):
    """A signer; `prepare` runs in a thread, one at a time."""

    can_refresh = True
    may_expire = True
    per_request = True

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._is_ready: Callable[[], bool] | None = getattr(signer, "is_ready", None)
        self._lock = asyncio.Lock()
        self._generation = 0

    async def ready(self, *, refresh: bool) -> bool:
        is_ready = None if refresh else self._is_ready
        if is_ready is not None and is_ready():
            return True  # a thread costs more than the signature
        seen = self._generation
        async with self._lock:
            if (refresh and self._generation != seen) or (is_ready is not None and is_ready()):
                return True  # somebody refreshed or prepared while we waited
            await asyncio.to_thread(self._signer.prepare, refresh=refresh)
            if refresh:
                self._generation += 1
        return True

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        return self._signer.sign(method, url, headers, body)

    def secrets(self) -> list[str]:
        secrets = getattr(self._signer, "secrets", None)
        return list(secrets()) if callable(secrets) else []

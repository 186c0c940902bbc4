"""Ask a service for its models: page by page, each tried as a call is."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jackfield._contract.addresses import say_address
from jackfield._contract.protocols import Listing
from jackfield._types.capabilities import ModelCard
from jackfield._types.errors import JackfieldError, MalformedResponseError
from jackfield._types.replies import Attempt
from jackfield._types.wire import Head, Wire

from .exchange import Answer
from .retry import were_credentials_refused, with_retries
from .watchdog import Watchdog

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["Discovery"]

_MOST_PAGES = 100


class Discovery:
    """One listing of a connection's models.

    Args:
        connection: The connection.
        listing: What its plugin says of it.
    """

    def __init__(self, connection: Connection, listing: Listing) -> None:
        self._connection = connection
        self._listing = listing
        self._watchdog = Watchdog(connection.config.timeout.total)
        self._attempts: list[Attempt] = []
        self._refreshed = False

    async def cards(self) -> list[ModelCard]:
        """Give the models of all pages.

        Raises:
            JackfieldError: A page could not be had; knows every attempt.
        """
        cards: list[ModelCard] = []
        wire: Wire | None = self._listing.wire
        try:
            for _ in range(_MOST_PAGES):
                if wire is None:
                    break
                page, wire = await self._page(wire)
                self._refuse_other_host(wire)
                cards.extend(page)
        except JackfieldError as error:
            error.attempts = tuple(self._attempts)
            raise self._connection.filled(error)  # noqa: B904 -- the same error, filled
        finally:
            self._watchdog.stop()
        return cards

    def _refuse_other_host(self, following: Wire | None) -> None:
        """Refuse a next page on another host than the first: the answer names it, and the key must not follow.

        Raises:
            MalformedResponseError: Names the host.
        """
        if following is None or not following.path.startswith(("http://", "https://")):
            return
        address = getattr(self._connection.transport, "address", None)
        first = self._listing.wire
        here = _origin(first.path if address is None else address(first))
        there = _origin(following.path)
        if here != there:
            shown = there.rpartition("@")[2].rpartition("//")[2]
            raise MalformedResponseError(f"the listing goes on at another place, {shown}; it is not followed")

    async def _page(self, wire: Wire) -> tuple[Sequence[ModelCard], Wire | None]:
        head, body = await with_retries(
            lambda waited: self._recorded(wire, waited),
            self._connection.config.retry,
            lambda: self._watchdog.remaining,
        )
        return _parsed(self._listing, head, body)

    async def _recorded(self, wire: Wire, waited: float) -> tuple[Head, bytes]:
        """Make one attempt and write it down; once, with fresh credentials, if they were refused."""
        began = time.perf_counter()
        try:
            head, body = await self._asked(wire)
        except JackfieldError as error:
            say_address(error, self._connection.config.settings, self._connection.transport, wire)
            self._connection.filled(error)  # before a refresh: the service may echo the old credentials
            refreshed = False
            try:
                refreshed = await self._refresh(error, wire)
            finally:
                self._note(began, waited, error, error.status, refreshed=refreshed)
            if refreshed:
                return await self._recorded(wire, 0.0)
            raise
        self._note(began, waited, None, head.status)
        return head, body

    async def _asked(self, wire: Wire) -> tuple[Head, bytes]:
        connection = self._connection
        with self._watchdog("total", None):
            transport = await connection.opened()
        answer = Answer(connection.provider, None, wire, transport, self._watchdog)
        prepare = getattr(transport, "prepare", None)
        if prepare is not None:
            with self._watchdog("total", None):
                await answer.prepare(prepare)
        return await answer.read_body(connection.config.timeout.first_event)

    async def _refresh(self, error: JackfieldError, wire: Wire) -> bool:
        refresh = getattr(self._connection.transport, "refresh_credentials", None)
        if refresh is None or self._refreshed or not were_credentials_refused(error):
            return False
        self._refreshed = True
        with self._watchdog("total", None):
            return bool(await refresh(wire))

    def _note(
        self,
        began: float,
        waited: float,
        error: JackfieldError | None,
        status: int | None,
        *,
        refreshed: bool = False,
    ) -> None:
        self._attempts.append(
            Attempt(
                connection=self._connection.name,
                model="",
                status=status,
                error=None if error is None else type(error).__name__,
                message=None if error is None else error.message,
                retry_after=None if error is None else error.retry_after,
                waited=waited,
                duration=time.perf_counter() - began,
                sent_at=began,
                refreshed=refreshed,
            )
        )


def _origin(address: str) -> str:
    """Return scheme and host of an address; the whole of what has none."""
    found = re.match(r"https?://[^/?#]*", address)
    return address if found is None else found[0].lower()


def _parsed(listing: Listing, head: Head, body: bytes) -> tuple[Sequence[ModelCard], Wire | None]:
    try:
        return listing.parse(head, body)
    except JackfieldError:
        raise
    except Exception as error:
        raise MalformedResponseError(
            f"the listing is not what the service documents ({type(error).__name__}: {error}): "
            f"it begins {body[:80]!r}",
            status=head.status,
            headers=head.headers,
            body=body,
        ) from error

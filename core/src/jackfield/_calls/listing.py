"""The models of a connection: what its service lists, page by page, and what is declared."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from jackfield._contract.paths import model_id_fault
from jackfield._contract.protocols import CostContext, Listing
from jackfield._types.capabilities import Capabilities, ModelCard
from jackfield._types.errors import JackfieldError, MalformedResponseError, PluginError
from jackfield._types.replies import Attempt
from jackfield._types.usage import Usage
from jackfield._types.wire import Head, Wire

from .address_hint import add_address
from .exchange import Answer
from .retry import were_credentials_refused, with_retries
from .watchdog import Watchdog

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["ModelList"]

_MOST_PAGES = 100


class ModelList:
    """The models of one connection; what its service listed is kept.

    Args:
        connection: The connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cards: list[ModelCard] | None = None

    async def cards(self, *, refresh: bool = False) -> list[ModelCard]:
        """List the models: the service's own listing where it has one, and those declared.

        Args:
            refresh: Ask the service again.

        Raises:
            JackfieldError: The listing failed; knows every attempt.
        """
        if self._cards is None or refresh:
            listing = self.listing()
            listed = [] if listing is None else await Discovery(self._connection, listing).cards()
            self._cards = self._complete([(card, _facts_of(card)) for card in listed])
        return list(self._cards)

    def known(self) -> list[ModelCard]:
        """List the models that are declared, and those of the plugin's table, without asking the service.

        Raises:
            JackfieldError: The plugin failed.
        """
        connection = self._connection
        try:
            names = connection.provider.table(connection.config.settings)
        except JackfieldError as error:
            raise connection.filled(error)  # noqa: B904 -- the same error, filled
        except Exception as error:
            fault = self._fault_of("jackfield_table", error)
        else:
            return self._complete([(ModelCard(id=name), None) for name in names])
        raise fault

    def listing(self) -> Listing | None:
        """Return how the service's models are listed; None if they are not.

        Raises:
            PluginError: The plugin failed.
        """
        connection = self._connection
        try:
            return connection.provider.discover(connection.config.settings)
        except JackfieldError as error:
            raise connection.filled(error)  # noqa: B904 -- the same error, filled
        except Exception as error:
            fault = self._fault_of("jackfield_discover", error)
        raise fault

    def _fault_of(self, hook: str, error: Exception) -> JackfieldError:
        """Return the error for a hook that failed; raised in the `except` block it would carry `error` uncleaned."""
        fault = PluginError(f"{hook} failed: {type(error).__name__}: {error}; this is a fault of the plugin")
        fault.__cause__ = error
        return self._connection.filled(fault)

    def _complete(self, found: Sequence[tuple[ModelCard, Capabilities | None]]) -> list[ModelCard]:
        """Add the declared models to those found, and to each what tables and its declaration know of it."""
        cards = {card.id: (card, facts) for card, facts in found}
        for entry in self._connection.config.models or ():
            if not entry.id.endswith("*") and entry.id not in cards:
                cards[entry.id] = (ModelCard(id=entry.id), None)
        try:
            return [self._complete_card(card, facts) for card, facts in cards.values()]
        except JackfieldError as error:
            raise self._connection.filled(error)  # noqa: B904 -- the same error, filled

    def _complete_card(self, card: ModelCard, listed: Capabilities | None) -> ModelCard:
        from jackfield._config.connections import is_allowed

        connection = self._connection
        # A listing may name what cannot be called; the service, or who stands before it, wrote that.
        if not is_allowed(connection.config, card.id) or model_id_fault(card.id) is not None:
            return attrs.evolve(card, connection=connection.name, allowed=False)
        target = connection.look_up(card.id, None, listing=listed)
        capabilities = target.capabilities
        context = CostContext(when=time.time())
        return attrs.evolve(
            card,
            connection=connection.name,
            kinds=capabilities.kinds,
            capabilities=capabilities,
            limits=capabilities.limits,
            price=connection.pricing.card(target.model, target.entry, Usage(), context),
            underlying=target.model.underlying or card.underlying,
            retired=capabilities.retired,
        )


def _facts_of(card: ModelCard) -> Capabilities:
    """Return what a listing says of a model; the card's own fields precede those of its capabilities."""
    said = card.capabilities
    sizes = {name: size for name, size in attrs.asdict(card.limits).items() if size is not None}
    return attrs.evolve(
        said,
        kinds=card.kinds or said.kinds,
        limits=attrs.evolve(said.limits, **sizes),
        retired=card.retired or said.retired,
    )


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
            add_address(error, self._connection.config.settings, self._connection.transport, wire)
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

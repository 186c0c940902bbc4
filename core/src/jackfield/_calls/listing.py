"""The models of a connection: what its service lists, page by page, and what is declared."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from jackfield._contract.paths import model_id_fault
from jackfield._contract.protocols import CostContext, Listing
from jackfield._types.capabilities import Capabilities, ModelCard
from jackfield._types.errors import JackfieldError, MalformedResponseError
from jackfield._types.parameters import Translation
from jackfield._types.usage import Usage
from jackfield._types.wire import Head, Wire

from .attempts import Attempts
from .exchange import WireExchange
from .watchdog import Watchdog

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["ModelList", "ModelLists"]

_log = logging.getLogger("jackfield")

_MOST_PAGES = 100
_DETAILS_AT_ONCE = 8


class ModelList:
    """The models of one connection; what its service listed is kept.

    Args:
        connection: The connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cards: list[ModelCard] | None = None

    async def fetch(self, *, refresh: bool = False) -> list[ModelCard]:
        """List the models: the service's own listing where it has one, and those declared.

        Args:
            refresh: Ask the service again.

        Raises:
            JackfieldError: The listing failed; the error holds every attempt.
        """
        if self._cards is None or refresh:
            listing = self.find_listing()
            listed = [] if listing is None else await _Pages(self._connection, listing).read()
            if listing is not None and listing.detail is not None:
                listed = await _add_details(self._connection, listing, listed)
            try:
                self._cards = self._complete([(card, _collect_facts(card)) for card in listed])
            except JackfieldError as error:
                self._connection.locate_and_redact(error)
                raise
        return list(self._cards)

    def list_known(self) -> list[ModelCard]:
        """List the models that are declared, and those of the plugin's table, without asking the service.

        Raises:
            JackfieldError: The plugin failed.
        """
        connection = self._connection
        try:
            names = connection.provider.table(connection.config.settings)
            return self._complete([(ModelCard(id=name), None) for name in names])
        except JackfieldError as error:
            connection.locate_and_redact(error)
            raise

    def find_listing(self) -> Listing | None:
        """Return how the service's models are listed; None if they are not.

        Raises:
            JackfieldError: The plugin failed.
        """
        connection = self._connection
        try:
            return connection.provider.discover(connection.config.settings)
        except JackfieldError as error:
            connection.locate_and_redact(error)
            raise

    def _complete(self, found: Sequence[tuple[ModelCard, Capabilities | None]]) -> list[ModelCard]:
        """Add the declared models to those found, and to each the facts of tables and of its declaration."""
        cards = {card.id: (card, facts) for card, facts in found}
        for entry in self._connection.config.models or ():
            if not entry.id.endswith("*") and entry.id not in cards:
                cards[entry.id] = (ModelCard(id=entry.id), None)
        return [self._complete_card(card, facts) for card, facts in cards.values()]

    def _complete_card(self, card: ModelCard, listed: Capabilities | None) -> ModelCard:
        from jackfield._config.connections import is_allowed

        connection = self._connection
        # A listing may contain ids that are not valid; whoever answers decides what it contains.
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


class ModelLists:
    """The models of all connections of a mesh.

    Args:
        connections: Those that are open, by name.
    """

    def __init__(self, connections: Mapping[str, Connection]) -> None:
        self._connections = connections
        self._lists: dict[str, ModelList] = {}

    def of(self, connection: Connection) -> ModelList:
        """Return the models of one connection."""
        models = self._lists.get(connection.name)
        if models is None:
            models = self._lists[connection.name] = ModelList(connection)
        return models

    async def fetch_all(self, *, refresh: bool = False) -> list[ModelCard]:
        """List the models of every connection that can be listed, all at once; leave out those that cannot.

        Args:
            refresh: Ask the services again.
        """
        fetching = [self.of(one).fetch(refresh=refresh) for one in self._connections.values()]
        results = await asyncio.gather(*fetching, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, JackfieldError):
                raise result
        return [card for result in results if isinstance(result, list) for card in result]

    def clear(self) -> None:
        """Forget what was listed."""
        self._lists.clear()


def _collect_facts(card: ModelCard) -> Capabilities:
    """Return what a listing says about a model; the card's own fields precede those of its capabilities."""
    said = card.capabilities
    sizes = {name: size for name, size in attrs.asdict(card.limits).items() if size is not None}
    return attrs.evolve(
        said,
        kinds=card.kinds or said.kinds,
        limits=attrs.evolve(said.limits, **sizes),
        retired=card.retired or said.retired,
    )


class _Pages:
    """One listing, page by page; each page is tried as a call is."""

    def __init__(self, connection: Connection, listing: Listing) -> None:
        self._connection = connection
        self._listing = listing
        self._watchdog = Watchdog(connection.config.timeout.total, connection.timers)
        self._attempts = Attempts(connection, self._watchdog, target=None, call=None)

    async def read(self) -> list[ModelCard]:
        """Return the models of all pages.

        Raises:
            JackfieldError: A page could not be read; the error holds every attempt.
        """
        cards: list[ModelCard] = []
        wire: Wire | None = self._listing.wire
        try:
            for _ in range(_MOST_PAGES):
                if wire is None:
                    break
                page, wire = await self._read_page(wire)
                self._refuse_other_host(wire)
                cards.extend(page)
        except JackfieldError as error:
            error.attempts = tuple(self._attempts.made)
            self._connection.locate_and_redact(error)
            raise
        except asyncio.CancelledError as error:
            error.attempts = tuple(self._attempts.made)  # type: ignore[attr-defined]  # as a cancelled call's
            raise
        finally:
            self._watchdog.stop()
        return cards

    async def _read_page(self, wire: Wire) -> tuple[Sequence[ModelCard], Wire | None]:
        limit = self._connection.config.timeout.first_event
        exchange = await self._attempts.run(Translation(wire), WireExchange.read_body, limit)
        body = exchange.body or b""
        try:
            return self._listing.parse(exchange.head or Head(None), body)
        except JackfieldError:
            raise
        except Exception as error:
            raise exchange.build_malformed(
                f"the listing is not what the service documents ({type(error).__name__}: {error}): "
                f"it begins {body[:80]!r}"
            ) from error

    def _refuse_other_host(self, following: Wire | None) -> None:
        """Refuse a next page on another host than the first: the response names it, and the key must not follow.

        Raises:
            MalformedResponseError: Names the host.
        """
        if following is None or not following.path.startswith(("http://", "https://")):
            return
        address = getattr(self._connection.transport, "address", None)
        first = self._listing.wire
        here = _find_origin(first.path if address is None else address(first))
        there = _find_origin(following.path)
        if here != there:
            shown = there.rpartition("@")[2].rpartition("//")[2]
            raise MalformedResponseError(f"the listing goes on at another place, {shown}; it is not followed")


async def _add_details(
    connection: Connection, listing: Listing, cards: Sequence[ModelCard]
) -> list[ModelCard]:
    """Add to each card what the service tells of one model at a time; a card whose details cannot be read stays as it is."""
    slots = asyncio.Semaphore(_DETAILS_AT_ONCE)

    async def add(card: ModelCard) -> ModelCard:
        wire = None if listing.detail is None else listing.detail(card)
        if wire is None or listing.parse_detail is None:
            return card
        async with slots:
            watchdog = Watchdog(connection.config.timeout.total, connection.timers)
            attempts = Attempts(connection, watchdog, target=None, call=None)
            limit = connection.config.timeout.first_event
            try:
                exchange = await attempts.run(Translation(wire), WireExchange.read_body, limit)
            except JackfieldError as error:
                _log.warning(
                    "%s: the details of the model %s are not known: %s",
                    connection.name,
                    card.id,
                    error.message,
                )
                return card
            finally:
                watchdog.stop()
        try:
            return listing.parse_detail(card, exchange.head or Head(None), exchange.body or b"")
        except Exception as error:
            _log.warning(
                "%s: the details of the model %s cannot be read: %s", connection.name, card.id, error
            )
            return card

    return list(await asyncio.gather(*(add(card) for card in cards)))


def _find_origin(address: str) -> str:
    """Return scheme and host of an address; the whole of what has none."""
    found = re.match(r"https?://[^/?#]*", address)
    return address if found is None else found[0].lower()

"""Attempts at an exchange: make one, renew refused credentials once, retry by policy, record each.

Calls and listings of models both come here, so that every attempt is recorded, whatever became of it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import attrs

from jackfield._contract.keys import add_unsent_key
from jackfield._types.capabilities import Kind, ModelRef
from jackfield._types.errors import AuthenticationError, JackfieldError
from jackfield._types.parameters import Translation
from jackfield._types.replies import Attempt

from .exchange import WireExchange

if TYPE_CHECKING:
    from typing import TypeAlias

    from jackfield._contract.protocols import Transport
    from jackfield._types.wire import Wire

    from .connection import Connection
    from .watchdog import Watchdog

    Read: TypeAlias = Callable[[WireExchange, float | None], Awaitable[None]]

__all__ = ["Attempts", "add_address"]


class Attempts:
    """The attempts of one call, or of one listing.

    Args:
        connection: Where to.
        watchdog: Limits the whole.
        model: The model that is called; None for a listing.
        earlier: Attempts made before, on other targets of an alias.

    Attributes:
        made: Every attempt so far.
        exchange: That of the last attempt; None before its transport was open.
        sent_at: When the last attempt began to send, in seconds of `time.perf_counter()`; None before.
    """

    __slots__ = ("_connection", "_model", "_refreshed", "_watchdog", "exchange", "made", "sent_at")

    def __init__(
        self,
        connection: Connection,
        watchdog: Watchdog,
        *,
        model: ModelRef | None,
        earlier: tuple[Attempt, ...] = (),
    ) -> None:
        self._connection = connection
        self._watchdog = watchdog
        self._model = model
        self._refreshed = False
        self.made = list(earlier)
        self.exchange: WireExchange | None = None
        self.sent_at: float | None = None

    async def run(self, translation: Translation, read: Read, limit: float | None) -> WireExchange:
        """Make attempts until one goes well.

        Args:
            translation: What to send.
            read: Reads an exchange as far as it must go well; a method of `WireExchange`.
            limit: Seconds of the phase first_event, for each attempt.

        Returns:
            The exchange of the attempt that went well.

        Raises:
            JackfieldError: The last attempt's.
        """
        policy = self._connection.config.retry
        try:
            return await self._attempt(translation, read, limit, 0.0)
        except JackfieldError as error:
            from .retry import may_retry, try_again  # when something fails

            if not may_retry(error, policy):
                raise
            first = error
        return await try_again(
            first,
            lambda waited: self._attempt(translation, read, limit, waited),
            policy,
            lambda: self._watchdog.remaining,
        )

    async def _attempt(
        self, translation: Translation, read: Read, limit: float | None, waited: float
    ) -> WireExchange:
        """Make one attempt and record it; make it once more with fresh credentials if they were refused."""
        began = time.perf_counter()
        self.sent_at = self.exchange = transport = None
        try:
            connection, watchdog = self._connection, self._watchdog
            transport = connection.transport
            if transport is None:
                with watchdog("total", None):
                    transport = await connection.open_transport()
            exchange = self.exchange = WireExchange(
                connection.provider, self._model, translation.wire, transport, watchdog
            )
            prepare = getattr(transport, "prepare", None)
            if prepare is not None:  # nothing is sent yet, so only the limit of the whole call counts
                with watchdog("total", None):
                    await exchange.prepare(prepare)
            self.sent_at = began = time.perf_counter()
            await read(exchange, limit)
        except JackfieldError as error:
            self._explain(error, transport, translation.wire)
            refreshed = False
            try:
                refreshed = await self._refresh(error, transport, translation.wire)
            finally:
                self._record(translation, began, waited, error, error.status, refreshed=refreshed)
            if refreshed:
                return await self._attempt(translation, read, limit, 0.0)
            raise
        except asyncio.CancelledError as error:
            self._record(translation, began, waited, error, None)
            raise
        head = exchange.head
        self._record(translation, began, waited, None, None if head is None else head.status)
        return exchange

    def _explain(self, error: JackfieldError, transport: Transport | None, wire: Wire) -> None:
        """Complete an error before anything else happens: a service may echo the credentials it refused."""
        if error.status in (404, 405):
            kind = None if self._model is None else self._model.kind
            add_address(error, self._connection.config.settings, transport, wire, kind)
        add_unsent_key(error, self._connection.config.settings)
        self._connection.locate_and_redact(error)

    async def _refresh(self, error: JackfieldError, transport: Transport | None, wire: Wire) -> bool:
        """Fetch credentials anew if the service refused them, once for all attempts; return whether it was done."""
        refused = error.refresh_credentials or (
            isinstance(error, AuthenticationError) and error.status == 401
        )
        refresh = getattr(transport, "refresh_credentials", None)
        if not refused or self._refreshed or refresh is None:
            return False
        self._refreshed = True
        with self._watchdog("total", None):
            return bool(await refresh(wire))

    def _record(
        self,
        translation: Translation,
        began: float,
        waited: float,
        failure: BaseException | None,
        status: int | None,
        *,
        refreshed: bool = False,
    ) -> None:
        error = failure if isinstance(failure, JackfieldError) else None
        self.made.append(
            Attempt(
                connection=self._connection.name,
                model="" if self._model is None else self._model.id,
                status=status,
                error=None if failure is None else type(failure).__name__,
                message=None if error is None else error.message,
                retry_after=None if error is None else error.retry_after,
                waited=waited,
                duration=time.perf_counter() - began,
                sent_at=self.sent_at,
                refreshed=refreshed,
                parameters=translation.report,
            )
        )


def add_address(error: JackfieldError, settings: Any, transport: Any, wire: Wire, kind: Kind | None) -> None:
    """Add to a 404 where it was asked, if somebody declared the address: it may be the one that is wrong.

    The address is shown without its query and user, which may be secrets.

    Args:
        error: Is changed.
        settings: The connection's.
        transport: The connection's, if it is open.
        wire: What was sent.
        kind: The kind of call; None for a listing.
    """
    base = getattr(settings, "base_url", None)
    field = attrs.fields_dict(type(settings)).get("base_url") if attrs.has(type(settings)) else None
    address = getattr(transport, "address", None)
    if error.status not in (404, 405) or field is None or base in (None, field.default) or address is None:
        return
    asked = re.sub(r"//[^/@]*@", "//", address(wire).partition("?")[0])
    hint = f"asked at {asked}; check base_url"
    usual = field.default.partition("//")[2].partition("/")[2] if isinstance(field.default, str) else ""
    if usual and not base.rstrip("/").endswith(f"/{usual}"):
        hint += f", which ends in /{usual} as a rule"
    if kind == "completion":
        hint += '; a model that only chats is declared so: models = [{ id = "...", kind = "chat" }]'
    if hint not in error.message:
        error.message = f"{error.message} ({hint})"
        error.args = (error.message,)

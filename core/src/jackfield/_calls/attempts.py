"""Attempts at an exchange: make one, renew refused credentials once, retry by policy, record each.

Calls and listings of models both come here, so that every attempt is recorded, whatever became of it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any

import attrs

from jackfield._contract.keys import add_unsent_key
from jackfield._types.capabilities import Kind
from jackfield._types.errors import (
    AuthenticationError,
    ConnectionFailedError,
    JackfieldError,
    QuotaExceededError,
    RateLimitError,
    TimeoutError,
)
from jackfield._types.events import UsageUpdate
from jackfield._types.parameters import Translation
from jackfield._types.replies import Attempt
from jackfield._types.usage import Usage

from .connection import NOT_SEEN
from .exchange import WireExchange

if TYPE_CHECKING:
    from typing import TypeAlias

    from jackfield._contract.protocols import Transport
    from jackfield._types.allowances import AllowanceHeaders
    from jackfield._types.calls import Call
    from jackfield._types.events import Event
    from jackfield._types.wire import Wire

    from .connection import Connection, Target
    from .pace import Pacer, Permit
    from .pace_window import Need
    from .watchdog import Watchdog

    Read: TypeAlias = Callable[[WireExchange, float | None], Awaitable[None]]

__all__ = ["Attempts", "add_address"]


class Attempts:
    """The attempts of one call, or of one listing.

    Args:
        connection: Where to.
        watchdog: Limits the whole.
        target: The model that is called; None for a listing.
        call: The call; None for a listing.

    Attributes:
        made: Every attempt so far.
        exchange: That of the last attempt; None before its transport was open.
        permit: That of the last attempt to start; None where nothing holds attempts back.
        sent_at: When the last attempt began to send, in seconds of `time.perf_counter()`; None before.
    """

    __slots__ = (
        "_call", "_connection", "_estimate", "_model", "_refreshed", "_target", "_watchdog", "exchange", "made", "permit",
        "sent_at",
    )  # fmt: skip

    def __init__(
        self,
        connection: Connection,
        watchdog: Watchdog,
        *,
        target: Target | None,
        call: Call | None,
    ) -> None:
        self._connection = connection
        self._watchdog = watchdog
        self._target = target
        self._call = call
        self._model = None if target is None else target.model
        self._refreshed = False
        self._estimate: Need | None = None
        self.permit: Permit | None = None
        self.made = [] if call is None else list(call.earlier)
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
        self.sent_at = self.exchange = self.permit = transport = None
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
            if connection.pacer is not None:
                await self._wait_for_pace(connection.pacer, translation)
            self.sent_at = began = time.perf_counter()
            await read(exchange, limit)
        except JackfieldError as error:
            self._explain(error, transport, translation.wire)
            if isinstance(error, TimeoutError) and error.phase == "queue":
                raise  # nothing was sent: it is no attempt
            self._heed_failure(error, began)
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
        target = self._target
        if target is not None and target.limit_headers and head is not None:
            self._heed_headers(target, head.headers)
        return exchange

    def settle(self) -> None:
        """Correct what was booked for the last attempt by what it used; the call is over. May be called twice."""
        permit, exchange = self.permit, self.exchange
        if permit is None or self._estimate is None or exchange is None:
            return
        used = reduce(_update_usage, exchange.events, Usage())
        permit.settle(used, self._estimate, self._connection.provider.info.pace_counts)

    async def _wait_for_pace(self, pacer: Pacer, translation: Translation) -> None:
        """Wait until the pace of the connection and the model lets the attempt start."""
        from .pace_window import Need

        call, target, need = self._call, self._target, Need()
        if call is None or target is None:
            lane = pacer.lane("", None)
        else:
            lane = pacer.lane(target.model.id, target.entry)
            if lane.counts_tokens:
                from .pace_need import estimate_need

                if self._estimate is None:
                    self._estimate = estimate_need(call, translation)
                need = lane.expect(self._estimate, self._connection.provider.info.pace_counts)
        began = next((one.sent_at for one in self.made if one.sent_at is not None), None)
        self.permit = await pacer.enter(lane, need, began, self._watchdog)

    def _heed_failure(self, error: JackfieldError, began: float) -> None:
        """Hold back the calls of a model that its service refuses, and give back the tokens of a request without an answer."""
        permit, target, connection = self.permit, self._target, self._connection
        if permit is not None and (error.status is not None or isinstance(error, ConnectionFailedError)):
            permit.free()
        if not isinstance(error, RateLimitError) or isinstance(error, QuotaExceededError):
            return  # to wait does not help where a quota is used up
        pacer = connection.require_pacer()
        entry = None if target is None else target.entry
        lane = pacer.lane("" if target is None else target.model.id, entry) if permit is None else permit.lane
        pacer.heed_refusal(lane, permit, error.retry_after, time.perf_counter() - began)
        if target is not None and error.headers is not None:
            if not target.limit_headers or target.limit_headers is NOT_SEEN:
                target.limit_headers = _find_limit_headers(error.headers)
            pacer.heed_headers(lane, permit, target.limit_headers, error.headers)

    def _heed_headers(self, target: Target, headers: Mapping[str, str]) -> None:
        """Heed what an answer tells of limits, once little is left."""
        names = target.limit_headers
        if names is NOT_SEEN:
            names = target.limit_headers = _find_limit_headers(headers)
        permit = self.permit
        if permit is None or permit.lane.learnt is None:
            for one in names:
                if one.is_low(headers):
                    break
            else:
                return
        pacer = self._connection.require_pacer()
        lane = pacer.lane(target.model.id, target.entry) if permit is None else permit.lane
        pacer.heed_headers(lane, permit, names, headers)

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
        made = Attempt(
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
        if self.permit is not None:
            made = attrs.evolve(made, queued=self.permit.waited)
        self.made.append(made)


def _find_limit_headers(headers: Mapping[str, str]) -> tuple[AllowanceHeaders, ...]:
    if not any("limit" in name.lower() for name in headers):
        return ()
    from jackfield._types.allowances import find_allowance_headers  # many services tell nothing

    return find_allowance_headers(headers)


def _update_usage(usage: Usage, event: Event) -> Usage:
    return usage.updated(event.usage) if type(event) is UsageUpdate else usage


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

"""Carry out one call on one connection: translate, take a slot, try, answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import attrs

from jackfield._config.extra_ids import without_strangers_extra
from jackfield._contract.protocols import CostContext, Transport
from jackfield._types.calls import Call
from jackfield._types.cost import Cost
from jackfield._types.errors import (
    JackfieldError,
    MalformedResponseError,
    PluginError,
    StreamInterruptedError,
)
from jackfield._types.events import Event, UsageUpdate
from jackfield._types.options import UNSET
from jackfield._types.parameters import ParameterReport, Translation
from jackfield._types.policies import TimeoutPolicy
from jackfield._types.replies import Attempt, EmbedReply, Ranking, Reply, RerankReply, TokenCount
from jackfield._types.requests import EmbedRequest, RerankRequest
from jackfield._types.wire import Wire

from .address_hint import add_address
from .exchange import Answer
from .fold import Folded, fold
from .retry import were_credentials_refused, with_retries
from .streams import EventMap, MappedStream
from .translation import translate
from .watchdog import Watchdog

if TYPE_CHECKING:
    from typing import TypeAlias

    from .connection import Connection, Target

    _Attempt: TypeAlias = Callable[[Answer, float | None], Awaitable[None]]

__all__ = ["Execution", "LiveStream"]

_NO_REPORT = ParameterReport()


class Execution:
    """One call on one connection.

    Attributes:
        attempts: Every attempt so far.
        call: What is asked.
    """

    __slots__ = (
        "_answer", "_connection", "_refreshed", "_sent_at", "_slot", "_target", "_timeout",
        "_translation", "_watchdog", "attempts", "call", "queued_at",
    )  # fmt: skip

    def __init__(self, connection: Connection, target: Target, call: Call, timeout: TimeoutPolicy) -> None:
        self._connection = connection
        self._target = target
        self._timeout = timeout
        self._watchdog = Watchdog(timeout.total)
        self._translation: Translation | None = None
        self._answer: Answer | None = None
        self._slot = False
        self._refreshed = False
        self._sent_at: float | None = None
        self.call = call
        self.attempts: list[Attempt] = list(call.earlier)
        self.queued_at = time.perf_counter()

    async def whole(self) -> Any:
        """Carry the call out and give its whole answer: the reply of its kind, or a `TokenCount`.

        Raises:
            JackfieldError: It failed; says where, and knows every attempt.
        """
        try:
            answer = await self._begun(Answer.whole)
        finally:
            self.release()
        try:
            return self.checked(self.folded(answer.events), answer)
        except JackfieldError as error:
            raise self.failed(error)  # noqa: B904 -- the same error, filled

    async def stream(self) -> LiveStream:
        """Carry the call out until its first event and give the stream.

        Raises:
            JackfieldError: As `whole`.
        """
        try:
            answer = await self._begun(Answer.begin)
        except BaseException:
            self.release()
            raise
        return LiveStream(self, answer, self._timeout.idle)

    async def close(self) -> None:
        """Close the upstream and give the slot back; may be called twice."""
        try:
            if self._answer is not None:
                await self._answer.close()
        finally:
            self.release()

    def release(self) -> None:
        """Give timer and slot back; may be called twice."""
        self._watchdog.stop()
        if self._slot:
            self._slot = False
            slots = self._connection.slots
            if slots is not None:
                slots.release()

    def failed(self, error: JackfieldError, partial: Reply | None = None) -> JackfieldError:
        """Say in an error where it happened, what had been tried, and what had come."""
        error = self._connection.filled(error, self.call.model.id)
        error.attempts = tuple(self.attempts)
        if error.partial is None:
            error.partial = partial
        return error

    async def _begun(self, attempt: _Attempt) -> Answer:
        connection, call, target = self._connection, self.call, self._target
        try:
            provider = connection.provider
            request = without_strangers_extra(call.request, provider.info)
            self._translation = translate(provider.translate, target.model, request, target.capabilities)
            if connection.slots is not None:
                await self._take_slot()

            return await with_retries(
                lambda waited: self._recorded(attempt, waited),
                connection.config.retry,
                lambda: self._watchdog.remaining,
            )
        except JackfieldError as error:
            raise self.failed(error, self._partial())  # noqa: B904 -- the same error, filled
        except asyncio.CancelledError as error:
            # It cannot be made an error of ours; observers read here what had been tried.
            error.attempts = tuple(self.attempts)  # type: ignore[attr-defined]
            raise

    def _partial(self) -> Reply | None:
        """Give what had come of a whole answer that broke."""
        answer = self._answer
        if answer is None or not answer.events:
            return None
        try:
            reply = self.reply(self.folded(answer.events), answer.body, complete=False)
        except JackfieldError:
            return None
        return reply if isinstance(reply, Reply) else None

    async def _take_slot(self) -> None:
        slots = self._connection.slots
        if slots is not None:
            with self._watchdog("queue", None):
                await slots.acquire()
            self._slot = True

    async def _recorded(self, attempt: _Attempt, waited: float) -> Answer:
        """Make one attempt and write it down; once, with fresh credentials, if they were refused."""
        began = time.perf_counter()
        self._sent_at = self._answer = transport = None
        try:
            transport = await self._open_transport()
            prepare = getattr(transport, "prepare", None)
            if prepare is not None:
                await self._prepare(transport, prepare)
            self._sent_at = began = time.perf_counter()
            answer = self._new_answer(transport)
            await attempt(answer, self._timeout.until_first_event(stream=self.call.stream))
        except JackfieldError as error:
            if error.status in (404, 405) and self._translation is not None:
                add_address(error, self._connection.config.settings, transport, self._translation.wire)
            self._connection.filled(error)  # before a refresh: the service may echo the old credentials
            refreshed = False
            try:
                refreshed = await self._refresh(error, transport)
            finally:
                self._note(began, waited, error, refreshed=refreshed)
            if refreshed:
                return await self._recorded(attempt, 0.0)
            raise
        except asyncio.CancelledError as error:
            self._note(began, waited, error)
            raise
        self._note(began, waited, None, status=answer.head.status if answer.head else None)
        return answer

    async def _open_transport(self) -> Transport:
        transport = self._connection.transport
        if transport is not None:
            return transport
        with self._watchdog("total", None):
            return await self._connection.opened()

    async def _prepare(self, transport: Transport, prepare: Callable[[Wire], Awaitable[None]]) -> None:
        """Let a transport get ready for this wire; nothing is sent yet, so only the whole call's limit counts."""
        answer = self._new_answer(transport)
        with self._watchdog("total", None):
            await answer.prepare(prepare)

    async def _refresh(self, error: JackfieldError, transport: Transport | None) -> bool:
        """Fetch credentials anew if the service refused them, once a call."""
        if not were_credentials_refused(error) or self._refreshed or self._translation is None:
            return False
        refresh = getattr(transport, "refresh_credentials", None)
        if refresh is None:
            return False
        self._refreshed = True
        with self._watchdog("total", None):
            return bool(await refresh(self._translation.wire))

    def _note(
        self,
        began: float,
        waited: float,
        failure: BaseException | None,
        *,
        status: int | None = None,
        refreshed: bool = False,
    ) -> None:
        report = self._translation.report if self._translation is not None else None
        error = failure if isinstance(failure, JackfieldError) else None
        self.attempts.append(
            Attempt(
                connection=self._connection.name,
                model=self.call.model.id,
                status=status if error is None else error.status,
                error=None if failure is None else type(failure).__name__,
                message=None if error is None else error.message,
                retry_after=None if error is None else error.retry_after,
                waited=waited,
                duration=time.perf_counter() - began,
                sent_at=self._sent_at,
                refreshed=refreshed,
                parameters=_NO_REPORT if report is None else report,
            )
        )

    def _new_answer(self, transport: Transport) -> Answer:
        if self._translation is None:
            msg = "an attempt was made before the translation"
            raise RuntimeError(msg)
        self._answer = Answer(
            self._connection.provider, self._target.model, self._translation.wire, transport, self._watchdog
        )
        return self._answer

    def folded(self, events: list[Event]) -> Folded:
        """Fold events.

        Raises:
            PluginError: They do not fit together.
        """
        try:
            return fold(events, provider=self.call.provider, model=self.call.model.id)
        except Exception as error:
            raise PluginError(
                f"the decoder gave events that do not fit together ({type(error).__name__}: {error}); "
                "this is a fault of the plugin"
            ) from error

    def checked(self, folded: Folded, answer: Answer) -> Any:
        """Make the reply of a whole answer.

        Raises:
            StreamInterruptedError: A choice has no end.
            MalformedResponseError: There is not one embedding for each input, or a score is for no document.
        """
        request = self.call.request
        reply = self.reply(folded, answer.body, complete=True)
        if isinstance(request, EmbedRequest):
            wanted, got = range(len(request.inputs)), sorted(folded.vectors)
            if got != list(wanted):
                raise _malformed(
                    f"{len(wanted)} inputs were sent, and embeddings came for {_shown(got)}", answer
                )
        elif isinstance(request, RerankRequest):
            wrong = [index for index, _ in folded.scores if not 0 <= index < len(request.documents)]
            if wrong:
                raise _malformed(f"scores came for documents that were not sent: {_shown(wrong)}", answer)
        elif not folded.finished:
            reply.complete = False
            raise StreamInterruptedError("the answer ended without a finish reason", partial=reply)
        return reply

    def reply(self, folded: Folded, body: bytes | None, *, complete: bool) -> Any:
        """Make the reply of what events amount to."""
        call, request = self.call, self.call.request
        common: dict[str, Any] = {
            "id": folded.id,
            "model": folded.model or call.model.id,
            "connection": call.connection,
            "provider": call.provider,
            "usage": folded.usage,
            "parameters": self._translation.report if self._translation is not None else (),
            "attempts": tuple(self.attempts),
            "complete": complete,
            "cost": self._coster(folded),
            "raw": body if body is not None else folded.raw,
        }
        if isinstance(request, EmbedRequest):
            vectors = folded.vectors
            return EmbedReply(embeddings=[vectors[index] for index in sorted(vectors)], **common)
        if isinstance(request, RerankRequest):
            ranked = sorted((Ranking(index, score) for index, score in folded.scores), key=_best_first)
            return RerankReply(results=tuple(ranked), **common)
        if folded.counted is not None:
            return TokenCount(input_tokens=folded.counted, exact=True, source="service")
        options = getattr(request, "options", None)
        schema = None if options is None or options.response_format is UNSET else options.response_format
        return Reply(choices=folded.choices, schema=schema, **common)

    def _coster(self, folded: Folded) -> Callable[[], Cost]:
        """Give what computes the cost when somebody asks for it."""
        when, ended = time.time(), time.perf_counter()
        pricing, target, kind = self._connection.pricing, self._target, self.call.kind
        began = self._sent_at or self.queued_at

        def cost() -> Cost:
            context = CostContext(
                when=when,
                kind=kind,
                reported_model=folded.model,
                service_tier=folded.service_tier,
                region=folded.region,
                duration=ended - began,
                raw_usage=folded.raw_usage,
            )
            return pricing.cost(target.model, target.entry, folded.usage, context)

        return cost


def _malformed(message: str, answer: Answer) -> MalformedResponseError:
    head = answer.head
    return MalformedResponseError(
        message,
        status=head.status if head else None,
        headers=head.headers if head else None,
        body=answer.body,
    )


def _shown(indexes: list[int]) -> str:
    return ", ".join(map(str, indexes[:10])) + (", ..." if len(indexes) > 10 else "") if indexes else "none"


def _best_first(ranking: Ranking) -> float:
    return -ranking.score


class LiveStream:
    """A stream that has begun."""

    __slots__ = ("_answer", "_closed", "_error", "_events", "_execution", "_idle", "_next", "_response")

    def __init__(self, execution: Execution, answer: Answer, idle: float | None) -> None:
        self._execution = execution
        self._answer = answer
        self._idle = idle
        self._events = answer.events
        self._next = 0
        self._closed = False
        self._error = answer.fault
        self._response: Reply | None = None

    def __aiter__(self) -> LiveStream:
        return self

    async def __anext__(self) -> Event:
        index = self._next
        if index == len(self._events):
            await self._more()
        self._next = index + 1
        return self._events[index]

    async def _more(self) -> None:
        """Wait until there is another event; raise at the end."""
        if self._error is not None:
            await self.aclose()
            raise self._failed(self._error)
        if self._closed or self._answer.ended:
            await self.aclose()
            raise StopAsyncIteration
        before = len(self._events)
        try:
            await self._answer.read_more(self._idle)
            self._answer.require_end()
        except JackfieldError as error:
            if self._closed:  # another task closed the stream while this one waited
                raise StopAsyncIteration from None
            await self.aclose()
            self._error = error
            # What came in the same read, before the fault, is delivered first.
            if len(self._events) == before:
                raise self._failed(error)  # noqa: B904 -- the same error, filled
        except BaseException:
            await self.aclose()
            raise
        if len(self._events) == before:
            await self.aclose()
            raise StopAsyncIteration

    def _failed(self, error: JackfieldError) -> JackfieldError:
        return self._execution.failed(error, self._folded(self._events, complete=False))

    @property
    def response(self) -> Reply:
        """The answer as far as it was read; usage also of what was not."""
        if self._response is not None:
            return self._response
        complete = self._answer.ended and self._next == len(self._events) and self._error is None
        events = self._events[: self._next]
        events += [event for event in self._events[self._next :] if type(event) is UsageUpdate]
        reply = self._folded(events, complete=complete)
        if complete:
            self._response = reply
        return reply

    def map(self, change: EventMap) -> MappedStream:
        """Give a stream whose events are changed."""
        return MappedStream(self, change, self._rebuilt)

    def _rebuilt(self, response: Reply, events: list[Event]) -> Reply:
        # What was used and what it cost stays true, whatever became of the events that told it.
        return attrs.evolve(
            self._folded(events, complete=response.complete),
            usage=response.usage,
            cost=lambda: response.cost,
        )

    def _folded(self, events: list[Event], *, complete: bool) -> Reply:
        folded = self._execution.folded(events)
        reply: Reply = self._execution.reply(folded, self._answer.body, complete=complete)
        return reply

    async def aclose(self) -> None:
        """Close the upstream at once; may be called twice."""
        if not self._closed:
            self._closed = True
            await self._execution.close()

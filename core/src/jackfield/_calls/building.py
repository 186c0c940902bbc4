"""Build replies from events: those of a service and those that a middleware brings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, SupportsFloat

from jackfield._plugins.hooks import plugin_fault
from jackfield._types.cost import UNKNOWN_COST, Cost, CostItem
from jackfield._types.errors import PluginError, StreamInterruptedError
from jackfield._types.option_rules import UNSET
from jackfield._types.parameters import ParameterReport
from jackfield._types.replies import Attempt, EmbedReply, Ranking, Replay, Reply, RerankReply
from jackfield._types.requests import EmbedRequest, RerankRequest
from jackfield._types.usage import Usage

from .fold import Folded, GrowingFold, fold

if TYPE_CHECKING:
    from jackfield._types.calls import Call
    from jackfield._types.events import Event

    from .connection import Connection
    from .exchange import WireExchange

__all__ = ["NOTHING_USED", "build_replay", "build_reply", "check_reply", "fold_decoded", "fold_read"]

NOTHING_USED: Final = Usage(input_tokens=0, output_tokens=0)

_NO_REPORT = ParameterReport()


def fold_decoded(call: Call, events: Iterable[Event], connection: Connection) -> Folded:
    """Fold the events that a decoder returned for a service's answer.

    Args:
        call: The call.
        events: In the order in which they came.
        connection: Where they came from, for the error.

    Raises:
        PluginError: The events do not fit together.
    """
    try:
        return fold(events, provider=call.provider, model=call.model.id)
    except Exception as error:
        raise _misfit(error, connection) from error


def fold_read(growing: GrowingFold, events: Sequence[Event], end: int, connection: Connection) -> Folded:
    """Fold the events of a stream that were read so far.

    Args:
        growing: The fold of the stream.
        events: All events so far.
        end: How many of them were read.
        connection: Where they came from, for the error.

    Raises:
        PluginError: The events do not fit together.
    """
    try:
        return growing.up_to(events, end)
    except Exception as error:
        raise _misfit(error, connection) from error


def _misfit(error: Exception, connection: Connection) -> PluginError:
    return plugin_fault(
        connection.provider.label,
        f"the decoder gave events that do not fit together ({type(error).__name__}: {error})",
    )


def build_reply(
    call: Call,
    folded: Folded,
    *,
    complete: bool,
    ended: bool | None = None,
    usage: Usage,
    cost: Cost | Callable[[], Cost],
    parameters: ParameterReport = _NO_REPORT,
    attempts: tuple[Attempt, ...] = (),
    replay: Replay | None = None,
    raw: Any = None,
) -> Reply | EmbedReply | RerankReply:
    """Build the reply to a call of any kind.

    Args:
        call: The call.
        folded: The folded events.
        complete: Whether these are all events of the reply, and its service said why it ended.
        ended: Whether these are all events that the service sent; None means as `complete`.
        usage: What was used.
        cost: The cost, or a function that computes it when it is first read.
        parameters: What became of every parameter.
        attempts: Every attempt.
        replay: Where the reply is from, if the service was not asked.
        raw: The body of a whole reply; None means the raw events.
    """
    request = call.request
    common: dict[str, Any] = {
        "id": folded.id,
        "model": folded.model or call.model.id,
        "connection": call.connection,
        "provider": call.provider,
        "usage": usage,
        "parameters": parameters,
        "attempts": attempts,
        "complete": complete,
        "ended": complete if ended is None else ended,
        "cost": cost,
        "replay": replay,
        "raw": folded.raw if raw is None else raw,
    }
    if isinstance(request, EmbedRequest):
        return EmbedReply(embeddings=[folded.vectors[index] for index in _in_order(folded.vectors)], **common)
    if isinstance(request, RerankRequest):
        ranked = sorted((Ranking(index, score) for index, score in folded.scores), key=_best_first)
        return RerankReply(results=tuple(ranked), **common)
    form = request.options.response_format
    schema = None if form is UNSET else form
    return Reply(choices=folded.choices, stored=folded.stored, schema=schema, **common)


def build_replay(
    call: Call, folded: Folded, replay: Replay | None, *, complete: bool
) -> Reply | EmbedReply | RerankReply:
    """Build the reply from events that a middleware brings.

    Args:
        call: The call.
        folded: The folded events.
        replay: Where they are from; with it nothing was used and nothing paid.
        complete: Whether these are all events of the reply.
    """
    return build_reply(
        call,
        folded,
        complete=complete,
        usage=folded.usage if replay is None else NOTHING_USED,
        cost=UNKNOWN_COST if replay is None else _explain_no_cost(replay),
        replay=replay,
    )


def _explain_no_cost(replay: Replay) -> Cost:
    from decimal import Decimal

    zero = Decimal(0)
    saved = replay.cost
    why = f"{replay.by}: the service was not asked"
    if saved.amount is not None:
        why += f", which saved {saved.amount} {saved.currency}"
    item = CostItem("replay", Decimal(1), zero, 1, zero, why)
    return Cost("complete", zero, saved.currency, (item,))


def check_reply(
    call: Call, folded: Folded, reply: Reply | EmbedReply | RerankReply, exchange: WireExchange
) -> None:
    """Check that a complete reply contains everything that was requested.

    Args:
        call: The call.
        folded: The folded events.
        reply: What was built of them; marked as partial if it is.
        exchange: Where it came from, for errors.

    Raises:
        StreamInterruptedError: A choice has no end.
        MalformedResponseError: There is not one embedding for each input, an embedding is not a vector of finite numbers,
            or a score is not a finite number or is for no document.
    """
    request = call.request
    if isinstance(request, EmbedRequest):
        from jackfield._contract.decoding import (
            find_vector_fault,  # with the readers of JSON, which load late
        )

        wanted, got = range(len(request.inputs)), _in_order(folded.vectors)
        if got != list(wanted):
            raise exchange.build_malformed(
                f"{len(wanted)} inputs were sent, and embeddings came for {_write_indexes(got)}"
            )
        for index in got:
            fault = find_vector_fault(folded.vectors[index])
            if fault is not None:
                raise exchange.build_malformed(f"the embedding of input {index} is not a vector: {fault}")
        first_of = {len(folded.vectors[index]): index for index in reversed(got)}
        if len(first_of) > 1:
            told = ", ".join(
                f"{first_of[size]}: {size}" for size in sorted(first_of, key=first_of.__getitem__)
            )
            raise exchange.build_malformed(
                f"the embeddings have different numbers of dimensions, by input: {told}"
            )
    elif isinstance(request, RerankRequest):
        wrong = [index for index, _ in folded.scores if not 0 <= _number(index) < len(request.documents)]
        if wrong:
            raise exchange.build_malformed(
                f"scores came for documents that were not sent: {_write_indexes(wrong)}"
            )
        wrong = [index for index, score in folded.scores if not _is_finite(score)]
        if wrong:
            raise exchange.build_malformed(f"scores that are not numbers came for {_write_indexes(wrong)}")
    elif not folded.finished and isinstance(reply, Reply):
        reply.complete = False
        raise StreamInterruptedError("the answer ended without a finish reason", partial=reply)


def _in_order(indexes: Iterable[int]) -> list[int]:
    return sorted(indexes, key=_number)


def _number(index: object) -> int:
    """Return an index; -1 for what a service sent in place of a whole number, which `check_reply` refuses."""
    return index if isinstance(index, int) else -1


def _write_indexes(indexes: list[int]) -> str:
    if not indexes:
        return "none"
    return ", ".join(map(str, indexes[:10])) + (", ..." if len(indexes) > 10 else "")


def _best_first(ranking: Ranking) -> float:
    return -ranking.score if _is_finite(ranking.score) else 0  # `check_reply` refuses what is not a number


def _is_finite(score: object) -> bool:
    return isinstance(score, SupportsFloat) and math.isfinite(score)

"""The content of a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs

from jackfield import Attempt, Cost, EmbedReply, JackfieldError, Reply, RerankReply, TokenCount, Usage
from jackfield.plugin import UNSET, Call, CountRequest

__all__ = ["End", "line_of"]


@attrs.frozen(kw_only=True)
class End:
    """The end of a call.

    Attributes:
        answer: The answer, or the part of it that came.
        error: The exception, if there was one.
        cancelled: Whether the call was cancelled, or a stream was left before its end.
        began_at: Start, in seconds of `time.time()`.
        began: Start, in seconds of `time.perf_counter()`.
        ended: End, in seconds of `time.perf_counter()`.
    """

    answer: object
    error: BaseException | None
    cancelled: bool
    began_at: float
    began: float
    ended: float


def line_of(call: Call, end: End, *, content: bool) -> dict[str, Any]:
    """Return the line of a call; unknown values are left out or null, never 0.

    Args:
        call: The call.
        end: The end of the call.
        content: Whether to include prompt, answer and the message of an error, which may quote them.
    """
    answer, error = end.answer, end.error
    attempts: tuple[Attempt, ...] = error.attempts if isinstance(error, JackfieldError) else ()
    line: dict[str, Any] = {
        "time": datetime.fromtimestamp(end.began_at, UTC).isoformat(timespec="milliseconds"),
        "id": call.id,
        "kind": "count" if isinstance(call.request, CountRequest) else call.kind,
        "stream": call.stream,
        "target": call.target,
        "connection": call.connection,
        "provider": call.provider,
        "model": call.model.id,
        "status": "cancelled" if end.cancelled else "ok" if error is None else "error",
    }
    if call.owner:
        line["owner"] = call.owner
    if call.labels:
        line["labels"] = dict(call.labels)
    if call.relayed is not None:
        line["relayed"] = call.relayed
    if isinstance(answer, Reply | EmbedReply | RerankReply):
        attempts = attempts or answer.attempts
        line |= _of_answer(answer)
    elif isinstance(answer, TokenCount):
        line["counted"] = {"input_tokens": answer.input_tokens, "exact": answer.exact}
    line["seconds"] = _seconds(end, attempts)
    line["attempts"] = [_attempt(attempt) for attempt in attempts]
    if error is not None:
        line["error"] = _error(error, content=content)
    if content:
        line["request"] = to_json(call.request)
        line["answer"] = _content_of(answer)
    return line


def _of_answer(answer: Reply | EmbedReply | RerankReply) -> dict[str, Any]:
    known: dict[str, Any] = {
        "response_id": answer.id,
        "response_model": answer.model,
        "usage": _usage(answer.usage),
        "cost": _cost(answer.cost),
    }
    if isinstance(answer, Reply):
        known["finish_reasons"] = [choice.finish_reason for choice in answer.choices]
    if answer.replay is not None:
        replay = answer.replay
        known["replay"] = {"by": replay.by, "usage": _usage(replay.usage), "cost": _cost(replay.cost)}
    return known


def _usage(usage: Usage) -> dict[str, Any]:
    return {name: to_json(value) for name, value in attrs.asdict(usage).items() if value not in (None, {})}


def _cost(cost: Cost) -> dict[str, Any]:
    amount = None if cost.amount is None else str(cost.amount)
    return {"status": cost.status, "amount": amount, "currency": cost.currency}


def _seconds(end: End, attempts: tuple[Attempt, ...]) -> dict[str, float | None]:
    last = attempts[-1] if attempts else None
    first_event = None
    if last is not None and last.sent_at is not None and last.error is None:
        first_event = round(last.sent_at + last.duration - end.began, 6)
    return {"total": round(end.ended - end.began, 6), "first_event": first_event}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    row: dict[str, Any] = {
        "connection": attempt.connection,
        "model": attempt.model,
        "status": attempt.status,
        "error": attempt.error,
        "waited": round(attempt.waited, 6),
        "seconds": round(attempt.duration, 6),
    }
    if attempt.refreshed:
        row["refreshed"] = True
    return row


def _error(error: BaseException, *, content: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"class": type(error).__name__}
    if isinstance(error, JackfieldError):
        row |= {"status": error.status, "retryable": error.is_retryable}
        if content:
            row["message"] = error.message
    return row


def _content_of(answer: object) -> Any:
    if isinstance(answer, Reply):
        return [to_json(choice.message.parts) for choice in answer.choices]
    if isinstance(answer, RerankReply):
        return to_json(answer.results)
    if isinstance(answer, EmbedReply):
        return {"embeddings": len(answer.embeddings)}
    return None


def to_json(value: Any) -> Any:
    """Convert a value to JSON: bytes to their number, and options without those that were not passed."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, bytes | bytearray):
        return {"bytes": len(value)}
    if isinstance(value, Decimal):
        return str(value)
    if attrs.has(type(value)):
        fields = ((field.name, getattr(value, field.name)) for field in attrs.fields(type(value)))
        given = {name: to_json(one) for name, one in fields if one is not UNSET and one is not None}
        return {"type": type(value).__name__, **given}
    if isinstance(value, Mapping):
        return {str(key): to_json(one) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [to_json(one) for one in value]
    return f"a {type(value).__name__}"

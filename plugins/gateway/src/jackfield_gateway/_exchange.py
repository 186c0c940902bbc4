"""One request of a client: who asks, what came of it, and its row of spend."""

from __future__ import annotations

import itertools
import json
import random
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from jackfield import Attempt, Cost, ParameterNote
from jackfield.plugin import BOOKINGS, Bookings, write_json

from ._keys import Key
from ._spend import Detail, SpendRow

__all__ = ["Visit", "describe_notes", "new_request_id"]

_ID: Final = re.compile(r"[\w.:-]{1,128}\Z", re.ASCII)
_PLAIN: Final = re.compile(r"[ -~]*\Z")
_LONGEST_REPORT: Final = 2_000
_LONGEST_NAME: Final = 200
_KINDS: Final[Mapping[str, str]] = {
    "openai.completions": "completion",
    "openai.embeddings": "embedding",
    "cohere.rerank": "rerank",
    "openai.input_tokens": "count",
    "anthropic.count_tokens": "count",
}
"""The kinds of calls of surfaces other than chats."""
_numbers = itertools.count(time.time_ns())


def new_request_id(headers: Mapping[str, str]) -> str:
    """Return the id of a request: the client's own if it is one, otherwise a new one."""
    given = headers.get("x-request-id") or headers.get("x-client-request-id") or ""
    if given and _ID.match(given):
        return given
    # It begins with the time: a store that keeps ids in order writes one page for many rows, and not one for each.
    return f"req_{time.time_ns() // 1_000_000:011x}{random.getrandbits(52):013x}"


class Visit:
    """A client's request on its way, and what is known of it so far.

    Args:
        id: The request's id.
        key: Who asks.
        surface: The API that the client speaks.

    Attributes:
        asked: The model as the client wrote it.
        content: The request's body.
        kind: The kind of call.
        target: The alias or the target that was found for it.
        notes: What became of the request while it was read and translated.
        reply: What came, as far as it came.
        error: What went wrong.
        relayed: The bytes went through untranslated.
        metadata: What middlewares say of an answer that has begun.
        first_event: Seconds until the first event.
        answered_by: Connection and model, where they are known before the reply is.
    """

    def __init__(self, id: str, key: Key, surface: str) -> None:
        self.id = id
        self.key = key
        self.surface = surface
        self.asked = ""
        self.content: Mapping[str, Any] = {}
        self.kind = _KINDS.get(surface, "chat")
        self.target = ""
        self.notes: tuple[ParameterNote, ...] = ()
        self.reply: object = None
        self.error: BaseException | None = None
        self.relayed = False
        self.metadata: Mapping[str, Any] = {}
        self.first_event: float | None = None
        self.answered_by: tuple[str, str] | None = None
        self._bookings = Bookings()
        self._at = time.time()
        self._began = time.perf_counter()

    def note_first_event(self) -> None:
        """Note that the answer has begun."""
        if self.first_event is None:
            self.first_event = time.perf_counter() - self._began

    @contextmanager
    def booked(self) -> Iterator[None]:
        """Learn what middlewares book for the calls that are made inside."""
        token = BOOKINGS.set(self._bookings)
        try:
            yield
        finally:
            BOOKINGS.reset(token)

    @property
    def cost(self) -> Cost | None:
        """What the request cost: what the reply tells, or the estimate by which limits were settled."""
        place = self.place
        return self._bookings.settle(getattr(self._answer, "cost", None), None if place is None else place[0])

    @property
    def _answer(self) -> object:
        """The reply, or the part of it that came before an error."""
        return self.reply if self.reply is not None else getattr(self.error, "partial", None)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every attempt, also of a call that failed or was cancelled."""
        known: tuple[Attempt, ...] = getattr(self.reply, "attempts", ())
        return known or getattr(self.error, "attempts", ())

    @property
    def place(self) -> tuple[str, str] | None:
        """The connection and the model that answered, or failed last."""
        if self.answered_by is not None:
            return self.answered_by
        attempts = self.attempts
        return (attempts[-1].connection, attempts[-1].model) if attempts else None

    @property
    def status(self) -> str:
        """ok, error or cancelled."""
        if self.error is not None:
            return "error" if isinstance(self.error, Exception) else "cancelled"
        return "ok" if getattr(self.reply, "ended", True) else "cancelled"

    def headers(self) -> dict[str, str]:
        """Return the headers that tell a client what became of its request; the cost only of a complete reply."""
        headers = {"x-request-id": self.id}
        place = self.place
        if place is not None:
            headers["x-jackfield-target"] = _as_header(f"{place[0]}:{place[1]}")
        report = describe_notes(self.notes)
        if report:
            headers["x-jackfield-report"] = _as_header(report)
        metadata = getattr(self.reply, "metadata", None) or self.metadata
        if metadata or self.error is not None:
            from ._limit_headers import limit_headers

            headers.update(limit_headers(metadata.get("limits"), self.error))
        return headers

    def cost_headers(self) -> dict[str, str]:
        """Return the header with the cost of a whole answer."""
        cost = self.cost
        if cost is None or cost.amount is None:
            return {"x-jackfield-cost": "unknown"}
        return {"x-jackfield-cost": f"{cost.amount:f} {cost.currency}; {cost.status}"}

    def row(self) -> SpendRow:
        """Return the row of spend."""
        usage, cost = getattr(self._answer, "usage", None), self.cost
        connection, model = self.place or (None, None)
        attempts = self.attempts
        return SpendRow(
            id=f"{self.id}-{next(_numbers):x}",  # a client may send one id twice
            at=self._at,
            key=self.key.name,
            owner=self.key.owner,
            surface=self.surface,
            asked=self.asked[:_LONGEST_NAME],
            connection=connection,
            model=model,
            kind=self.kind,
            status=self.status,
            error=None if self.error is None else type(self.error).__name__,
            relayed=self.relayed,
            input_tokens=getattr(usage, "input_tokens", None),
            output_tokens=getattr(usage, "output_tokens", None),
            cached_tokens=getattr(usage, "cached_input_tokens", None),
            reasoning_tokens=getattr(usage, "reasoning_tokens", None),
            amount=None if cost is None or cost.amount is None else f"{cost.amount:f}",
            currency=None if cost is None else cost.currency,
            cost="unknown" if cost is None else cost.status,
            attempts=len(attempts),
            first_event=self.first_event,
            duration=time.perf_counter() - self._began,
            report=_report_json(self.notes),
            detail=Detail(attempts, cost),
        )


def describe_notes(notes: Iterable[ParameterNote]) -> str:
    """Write what became of a request in one line: `top_k: dropped (why); max_tokens: clamped (why)`."""
    pieces = (f"{note.name}: {note.fate}" + (f" ({note.why})" if note.why else "") for note in notes)
    return "; ".join(pieces)[:_LONGEST_REPORT]


def _report_json(notes: Iterable[ParameterNote]) -> str:
    rows: list[dict[str, Any]] = [{"name": note.name, "fate": note.fate, "why": note.why} for note in notes]
    return write_json(rows).decode() if rows else ""


def _as_header(text: str) -> str:
    """Return a text that is valid as the value of a header: names of models come from outside."""
    return text if _PLAIN.match(text) else json.dumps(text)[1:-1].replace('\\"', '"')

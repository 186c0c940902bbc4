"""Rows of spend: one for each call, written in batches by a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, Protocol

import attrs

from jackfield import Attempt, Cost
from jackfield.plugin import write_json

__all__ = ["Detail", "Ledger", "SpendRow", "SpendStore", "columns_of"]

logger = logging.getLogger("jackfield.gateway")

_MOST_PENDING: Final = 200_000
_BATCH: Final = 1_000


@attrs.frozen(slots=True)
class Detail:
    """What a row keeps of a call besides sums. It is written as JSON by the thread that writes rows, not by the call.

    Attributes:
        attempts: Every attempt.
        cost: The cost, for its lines.
    """

    attempts: tuple[Attempt, ...]
    cost: Cost | None

    def as_json(self) -> str:
        """Return it as JSON: attempts without messages, which may quote content, and the lines of the bill."""
        value: dict[str, Any] = {
            "attempts": [
                [
                    one.connection,
                    one.model,
                    one.status,
                    one.error,
                    round(one.waited, 6),
                    round(one.duration, 6),
                ]
                for one in self.attempts
            ]
        }
        if self.cost is not None:
            value["items"] = [
                [one.unit, str(one.quantity), str(one.rate), one.per, f"{one.amount:f}", one.source]
                for one in self.cost.items
            ]
            if self.cost.missing:
                value["missing"] = list(self.cost.missing)
        return write_json(value).decode()


# One a call: a frozen one takes twice the time to make.
@attrs.define(kw_only=True)
class SpendRow:
    """One call. No content; not changed once it is made.

    Attributes:
        id: The request's id, as the client was told it.
        at: When it came, in seconds of `time.time()`.
        key: The key's name; "" without one.
        owner: Who pays.
        surface: The API that the client spoke.
        asked: The model as the client wrote it.
        connection: The connection that answered, or failed last.
        model: The model that was called.
        kind: The kind of call.
        status: ok, error or cancelled.
        error: The name of the error's class.
        relayed: The bytes went through untranslated.
        input_tokens: Tokens of the input; None if nobody told.
        output_tokens: Tokens of the output.
        cached_tokens: Of the input, those that a cache of the service had.
        reasoning_tokens: Of the output, those of thinking.
        amount: What it cost, as a decimal number in text; None if unknown.
        currency: Of `amount`.
        cost: How much of the cost is known: complete, partial or unknown.
        attempts: How many attempts were made.
        first_event: Seconds until the first event; None before.
        duration: Seconds until the end.
        report: What was renamed, left out or emulated, as JSON; "" for nothing.
        detail: Attempts and lines of the bill.
    """

    id: str
    at: float
    key: str
    owner: str
    surface: str
    asked: str
    connection: str | None = None
    model: str | None = None
    kind: str = "chat"
    status: str = "ok"
    error: str | None = None
    relayed: bool = False
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    amount: str | None = None
    currency: str | None = None
    cost: str = "unknown"
    attempts: int = 0
    first_event: float | None = None
    duration: float = 0.0
    report: str = ""
    detail: Detail | None = None


_NAMES: Final = tuple(field.name for field in attrs.fields(SpendRow))
_values_of: Final = attrgetter(*_NAMES)


def columns_of(row: SpendRow) -> dict[str, Any]:
    """Return a row as a store keeps it: by the names of its columns."""
    values = dict(zip(_NAMES, _values_of(row), strict=True))
    texts = "".join([value for value in values.values() if value.__class__ is str])
    if "\0" in texts or not texts.isascii():
        values = {name: _clean(value) for name, value in values.items()}
    values["relayed"] = int(row.relayed)
    values["detail"] = None if row.detail is None else row.detail.as_json()
    return values


def _clean(value: Any) -> Any:
    """Return a value that every database can hold: clients choose some texts, and one row must not hold up all others."""
    if isinstance(value, str) and ("\0" in value or not value.isascii()):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
    return value


class SpendStore(Protocol):
    """Where rows are kept."""

    def add_spend(self, rows: Sequence[SpendRow]) -> None:
        """Write rows in one transaction; rows that are there already stay as they are.

        Raises:
            Exception: They could not be written; none of them is.
        """


class Ledger:
    """Writes rows of spend. `add` never blocks and never fails a call.

    Args:
        store: Where to.
        every: Seconds between two batches; at a kill, at most the rows of this time are lost.

    Attributes:
        lost: Rows that were given up because the store was away for too long.
        is_away: The last attempt to write failed.
    """

    def __init__(self, store: SpendStore, *, every: float = 0.5) -> None:
        self._store = store
        self._every = every
        self._rows: deque[SpendRow] = deque()
        self._wake = threading.Event()
        self._stop = False
        self.lost = 0
        self.is_away = False
        self._thread = threading.Thread(target=self._run, name="jackfield-spend", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def pending(self) -> int:
        """Rows that are not written yet."""
        return len(self._rows)

    def add(self, row: SpendRow) -> None:
        """Keep a row until it is written."""
        if len(self._rows) >= _MOST_PENDING:
            self._rows.popleft()
            self.lost += 1
        self._rows.append(row)

    def close(self, timeout: float = 10.0) -> None:
        """Write what is left and end the thread. Blocks; call it in a thread.

        Args:
            timeout: Seconds to wait for a store that is away.
        """
        self._stop = True
        self._wake.set()
        self._thread.join(timeout)
        if self._rows:
            self.lost += len(self._rows)
            logger.error("%d rows of spend could not be written to the store and are lost", len(self._rows))

    def _run(self) -> None:
        while not self._stop:
            self._wake.wait(self._every)
            self._write_all()
        deadline = time.monotonic() + 5.0
        while self._rows and not self._write_all() and time.monotonic() < deadline:
            time.sleep(0.1)

    def _write_all(self) -> bool:
        """Write what is there in batches; return whether that went well."""
        while self._rows:
            batch = [self._rows[number] for number in range(min(_BATCH, len(self._rows)))]
            try:
                self._store.add_spend(batch)
            except Exception as error:
                if not self.is_away:
                    logger.error("rows of spend cannot be written: %s; they are kept in memory", error)  # noqa: TRY400 -- no traceback each half second
                self.is_away = True
                return False
            if self.is_away:
                logger.warning("the store of spend is back")
            self.is_away = False
            for _ in batch:
                self._rows.popleft()
        return True

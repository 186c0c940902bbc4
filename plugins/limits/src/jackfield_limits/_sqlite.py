"""The store in a SQLite file: for the processes of one host."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

import attrs

from ._store import Answer, Counter, Grant, Refusal, State, StoreAwayError, Take
from ._windows import Window

__all__ = ["SQLiteStore"]

T = TypeVar("T")

_VERSION: Final = 1
# Amounts are texts: they may be larger than SQLite's integers.
_TABLES: Final = """
CREATE TABLE cells (
  key TEXT NOT NULL, begin INTEGER NOT NULL, used TEXT NOT NULL, reserved TEXT NOT NULL, PRIMARY KEY (key, begin)
) WITHOUT ROWID;
CREATE TABLE held (
  call TEXT NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, begin INTEGER NOT NULL, amount TEXT NOT NULL,
  state TEXT NOT NULL, PRIMARY KEY (call, number)
) WITHOUT ROWID;
CREATE TABLE leases (call TEXT PRIMARY KEY, until REAL NOT NULL, state TEXT NOT NULL, now REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX leases_by_end ON leases (until);
CREATE TABLE windows (key TEXT PRIMARY KEY, window TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), latest REAL NOT NULL)
"""
_BUSY: Final = 10.0
"""Seconds to wait for other processes."""
_MOST_AT_ONCE: Final = 200
_REMEMBERED: Final = 3600.0
"""Seconds for which the ids of calls that have ended are remembered."""
_SWEEP: Final = 60.0
_HELD, _ENDED, _EXPIRED = "held", "ended", "expired"


@attrs.define
class _Job:
    work: Callable[[_Book], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class SQLiteStore:
    """Counters in a SQLite file, which several processes of one host may use at once.

    A thread of its own does what is asked. What waits is done in one transaction, so that many calls cost one write to
    the disk.

    Args:
        path: The file; it is created, with its folder, when it is first used.
        clock: Returns seconds since 1970. The latest moment that any process has seen counts.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    async def reserve(self, call_id: str, takes: Sequence[Take], lease: float) -> Answer:
        """See `Store`."""
        return await self._do(lambda book: book.reserve(call_id, tuple(takes), lease))

    async def settle(self, grant: Grant, used: Mapping[str, int]) -> tuple[State, ...]:
        """See `Store`."""
        return await self._do(lambda book: book.settle(grant, used))

    async def release(self, call_id: str) -> None:
        """See `Store`."""
        await self._do(lambda book: book.release(call_id))

    async def renew(self, call_id: str, lease: float) -> bool:
        """See `Store`."""
        return await self._do(lambda book: book.renew(call_id, lease))

    async def read(self, counters: Sequence[Counter]) -> tuple[State, ...]:
        """See `Store`."""
        return await self._do(lambda book: tuple(map(book.state, counters)))

    async def find(self, prefix: str) -> tuple[str, ...]:
        """See `Store`."""
        return await self._do(lambda book: book.find(prefix))

    async def aclose(self) -> None:
        """See `Store`."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._jobs.put(None)
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(None, thread.join)

    async def _do(self, work: Callable[[_Book], T]) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="jackfield-limits", daemon=True)
                self._thread.start()
            self._jobs.put(_Job(work, loop, future))
        return await future

    # In the thread

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        swept = 0.0
        last = False
        while not last:
            jobs, last = self._take()
            if not jobs:
                break
            sweep = time.monotonic() - swept > _SWEEP
            try:
                connection = _connect(self._path) if connection is None else connection
                results = _work(connection, self._clock, jobs, sweep=sweep)
                swept = time.monotonic() if sweep else swept
            except (sqlite3.Error, OSError) as error:
                results = [StoreAwayError(f"{self._path}: {error}") for _ in jobs]
                if connection is not None:
                    connection.close()
                    connection = None
            for job, result in zip(jobs, results, strict=True):
                _answer(job, result)
        if connection is not None:
            connection.close()

    def _take(self) -> tuple[list[_Job], bool]:
        """Return the jobs that wait, and whether they are the last."""
        first = self._jobs.get()
        if first is None:
            return [], True
        jobs = [first]
        try:
            while len(jobs) < _MOST_AT_ONCE:
                job = self._jobs.get_nowait()
                if job is None:
                    return jobs, True
                jobs.append(job)
        except Empty:
            pass
        return jobs, False


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    try:
        if is_new:
            path.chmod(0o600)  # it names owners and what they spent
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            msg = f"its tables are of version {version}, which this version does not know"
            raise sqlite3.DatabaseError(msg)
        if version == 0:
            with _transaction(connection):
                _create(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA user_version").fetchone()[0]:
        return  # another process was faster
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version={_VERSION}")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _work(
    connection: sqlite3.Connection, clock: Callable[[], float], jobs: Sequence[_Job], *, sweep: bool
) -> list[Any]:
    """Do jobs one after another, in one transaction."""
    results: list[Any] = []
    with _transaction(connection):
        book = _Book(connection, clock)
        if sweep:
            book.drop_old()
        for job in jobs:
            try:
                results.append(job.work(book))
            except ValueError as error:  # it has changed nothing
                results.append(error)
    return results


def _answer(job: _Job, result: Any) -> None:
    def tell() -> None:
        if job.future.done():  # nobody waits any more
            return
        if isinstance(result, Exception):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)

    with contextlib.suppress(RuntimeError):  # the loop is closed
        job.loop.call_soon_threadsafe(tell)


class _Book:
    """The counters within one transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        row = connection.execute("SELECT latest FROM clock").fetchone()
        self._now = max(clock(), row[0] if row else 0.0)
        connection.execute("INSERT OR REPLACE INTO clock VALUES (1, ?)", (self._now,))
        self._expire()

    def reserve(self, call_id: str, takes: tuple[Take, ...], lease: float) -> Answer:
        known = self._connection.execute(
            "SELECT until, state, now FROM leases WHERE call = ?", (call_id,)
        ).fetchone()
        if known is not None:
            if known[1] != _HELD:
                raise ValueError(f"the call {call_id} has ended")
            return self._granted(call_id, takes, known[0], known[2])
        states = [self.state(take.counter) for take in takes]
        for take, state in zip(takes, states, strict=True):
            most = take.counter.most
            if most is not None and state.used + state.reserved + take.amount > most:
                passes_at = self._passes_at(take, most)
                return Refusal(call_id=call_id, take=take, state=state, now=self._now, passes_at=passes_at)
        until, granted = self._now + lease, []
        self._connection.execute("INSERT INTO leases VALUES (?, ?, ?, ?)", (call_id, until, _HELD, self._now))
        for number, (take, state) in enumerate(zip(takes, states, strict=True)):
            self._add(state.key, state.begin, 0, take.amount)
            granted.append(attrs.evolve(state, reserved=state.reserved + take.amount))
            text = f"{state.used} {state.reserved + take.amount} {'' if state.resets_at is None else repr(state.resets_at)}"
            row = call_id, number, state.key, state.begin, str(take.amount), text
            self._connection.execute("INSERT INTO held VALUES (?, ?, ?, ?, ?, ?)", row)
        return Grant(call_id=call_id, takes=takes, states=tuple(granted), now=self._now, until=until)

    def settle(self, grant: Grant, used: Mapping[str, int]) -> tuple[State, ...]:
        known = self._connection.execute(
            "SELECT state FROM leases WHERE call = ?", (grant.call_id,)
        ).fetchone()
        if known is None or known[0] != _ENDED:
            if known is not None and known[0] == _HELD:
                self._give_back(grant.call_id)
            self._end(grant.call_id)
            for take, state in zip(grant.takes, grant.states, strict=True):
                amount = used.get(take.counter.key, 0)
                if amount:
                    self._add(take.counter.key, state.begin, amount, 0)
        return tuple(self.state(take.counter) for take in grant.takes)

    def release(self, call_id: str) -> None:
        self._give_back(call_id)
        self._end(call_id)

    def renew(self, call_id: str, lease: float) -> bool:
        done = self._connection.execute(
            "UPDATE leases SET until = ? WHERE call = ? AND state = ?", (self._now + lease, call_id, _HELD)
        )
        return done.rowcount == 1

    def state(self, counter: Counter) -> State:
        self._keep_window(counter)
        window = counter.window
        begin, end = window.span(self._now)
        cells = self._cells(counter.key, window, begin)
        used = sum(int(cell[1]) for cell in cells if cell[0] >= begin - window.horizon)
        reserved = sum(int(cell[2]) for cell in cells)
        resets_at: float | None = end
        if window.piece:
            first = min(
                (cell[0] for cell in cells if int(cell[1]) and cell[0] >= begin - window.horizon),
                default=None,
            )
            resets_at = None if first is None else first + window.horizon + window.piece
        return State(key=counter.key, begin=begin, used=used, reserved=reserved, resets_at=resets_at)

    def find(self, prefix: str) -> tuple[str, ...]:
        rows = self._connection.execute(
            "SELECT key, window FROM windows WHERE substr(key, 1, ?) = ? ORDER BY key", (len(prefix), prefix)
        ).fetchall()
        found = []
        for key, text in rows:
            state = self.state(Counter(key=key, window=_read_window(text)))
            if state.used or state.reserved:
                found.append(key)
        return tuple(found)

    def _cells(self, key: str, window: Window, begin: int) -> list[tuple[int, str, str]]:
        # Of a rolling window also what is reserved in pieces that have left.
        first = 0 if window.piece else begin
        cells: list[tuple[int, str, str]] = self._connection.execute(
            "SELECT begin, used, reserved FROM cells WHERE key = ? AND begin BETWEEN ? AND ? ORDER BY begin",
            (key, first, begin),
        ).fetchall()
        return cells

    def _passes_at(self, take: Take, most: int) -> float | None:
        window = take.counter.window
        begin, end = window.span(self._now)
        if take.amount > most or end is None:
            return None
        if not window.piece:
            return end
        cells = self._cells(take.counter.key, window, begin)
        used = sum(int(cell[1]) for cell in cells if cell[0] >= begin - window.horizon)
        reserved = sum(int(cell[2]) for cell in cells)
        for start, spent, _ in cells:
            if start >= begin - window.horizon:
                used -= int(spent)
                if used + reserved + take.amount <= most:
                    return start + window.horizon + window.piece
        return None

    def _granted(self, call_id: str, takes: tuple[Take, ...], until: float, now: float) -> Grant:
        rows = self._connection.execute(
            "SELECT key, begin, state FROM held WHERE call = ? ORDER BY number", (call_id,)
        )
        states = []
        for key, begin, text in rows:
            used, reserved, resets_at = text.split(" ")
            moment = float(resets_at) if resets_at else None
            states.append(
                State(key=key, begin=begin, used=int(used), reserved=int(reserved), resets_at=moment)
            )
        return Grant(call_id=call_id, takes=takes, states=tuple(states), now=now, until=until)

    def _add(self, key: str, begin: int, used: int, reserved: int) -> None:
        row = self._connection.execute(
            "SELECT used, reserved FROM cells WHERE key = ? AND begin = ?", (key, begin)
        ).fetchone()
        before = (0, 0) if row is None else (int(row[0]), int(row[1]))
        values = key, begin, str(before[0] + used), str(max(0, before[1] + reserved))
        self._connection.execute("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?)", values)

    def _give_back(self, call_id: str) -> None:
        rows = self._connection.execute(
            "SELECT key, begin, amount FROM held WHERE call = ?", (call_id,)
        ).fetchall()
        for key, begin, amount in rows:
            self._add(key, begin, 0, -int(amount))
        self._connection.execute("DELETE FROM held WHERE call = ?", (call_id,))

    def _end(self, call_id: str) -> None:
        values = call_id, self._now + _REMEMBERED, _ENDED, self._now
        self._connection.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)", values)

    def _expire(self) -> None:
        over = self._connection.execute(
            "SELECT call, state FROM leases WHERE until <= ?", (self._now,)
        ).fetchall()
        for call_id, state in over:
            if state == _HELD:
                self._give_back(call_id)
                values = _EXPIRED, self._now + _REMEMBERED, call_id
                self._connection.execute("UPDATE leases SET state = ?, until = ? WHERE call = ?", values)
            else:
                self._connection.execute("DELETE FROM leases WHERE call = ?", (call_id,))

    def _keep_window(self, counter: Counter) -> None:
        """Remember the window of a counter; one of another kind than before begins anew."""
        text = _write_window(counter.window)
        row = self._connection.execute("SELECT window FROM windows WHERE key = ?", (counter.key,)).fetchone()
        if row is not None and row[0] == text:
            return
        if row is not None:
            self._connection.execute("DELETE FROM cells WHERE key = ?", (counter.key,))
            self._connection.execute("DELETE FROM held WHERE key = ?", (counter.key,))
        self._connection.execute("INSERT OR REPLACE INTO windows VALUES (?, ?)", (counter.key, text))

    def drop_old(self) -> None:
        """Drop the cells of windows that are over."""
        rows = self._connection.execute("SELECT key, window FROM windows").fetchall()
        for key, text in rows:
            window = _read_window(text)
            begin, end = window.span(self._now)
            if end is not None:
                # What is reserved in a window is given back there, so its cell stays until then.
                self._connection.execute(
                    "DELETE FROM cells WHERE key = ? AND begin < ? AND reserved = '0'",
                    (key, begin - window.horizon),
                )


def _write_window(window: Window) -> str:
    return f"{window.kind} {window.length} {window.zone}"


def _read_window(text: str) -> Window:
    kind, length, zone = text.split(" ", 2)
    return Window(kind=kind, length=int(length), zone=zone)  # type: ignore[arg-type]  # it was written by `_write_window`

"""The store in PostgreSQL: for the processes of several hosts, and for what must be on disk. One call of a function each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from jackfield import ConfigurationError

from ._moments import Moments, counter_name, counter_of, find_used, kind_of
from ._store import Answer, Counter, Grant, Refusal, State, StoreAwayError, Take

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

__all__ = ["PostgresStore", "schema"]

_VERSION: Final = 1
_CONNECTIONS: Final = 8
_BURST: Final = 3
_CREATING: Final = 0x4A46_4C4D  # "JFLM": the lock under which the schema is created
_REPEATED: Final = {"40001", "40P01"}
"""SQL states after which a transaction is repeated: a server whose default isolation is stricter may answer so."""
_TRIES: Final = 5
_ANOTHER_CLOCK: Final = "JL001"
_FUNCTIONS: Final = {
    "reserve": "select jackfield_limits.reserve(%s, %s, %s)",
    "settle": "select jackfield_limits.settle(%s, %s)",
    "release": "select jackfield_limits.release(%s)",
    "renew": "select jackfield_limits.renew(%s, %s)",
    "read": "select jackfield_limits.read(%s)",
}


def schema() -> str:
    """Return the SQL that creates the schema `jackfield_limits`, for an administrator who runs it himself."""
    return Path(__file__).with_suffix(".sql").read_text("utf-8")


class PostgresStore:
    """Counters in PostgreSQL 12 or newer, in a schema `jackfield_limits`, which is created if it is absent.

    Time is the server's clock; connections open when they are first used.

    Args:
        address: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, as libpq reads it.
        timeout: Seconds in which the server must answer.

    Raises:
        ConfigurationError: The package `psycopg` is not installed, or the address is not valid.
    """

    def __init__(self, address: str, *, timeout: float = 5.0) -> None:
        if find_spec("psycopg") is None or find_spec("psycopg_pool") is None:
            raise ConfigurationError(
                "store needs the package psycopg: pip install jackfield-limits[postgres]"
            )
        try:
            parts = urlsplit(address)
            self._where = f"PostgreSQL at {parts.hostname or 'the local socket'}" + (
                f":{parts.port}" if parts.port else ""
            )
        except ValueError as error:
            raise ConfigurationError(f"store: the address of PostgreSQL is not valid: {error}") from error
        self._address = address
        self._timeout = timeout
        self._moments = Moments()
        self._pools: dict[asyncio.AbstractEventLoop, AsyncConnectionPool[Any]] = {}
        self._is_ready = False

    async def reserve(self, call_id: str, takes: Sequence[Take], lease: float) -> Answer:
        """See `Store`."""

        def arguments() -> list[Any]:
            specs = [
                {**spec, "m": take.counter.most, "a": take.amount}
                for take, spec in zip(takes, self._specs([take.counter for take in takes]), strict=True)
            ]
            return [call_id, lease, json.dumps(specs)]

        answer = await self._ask("reserve", arguments)
        what, now = answer["is"], answer["now"]
        if what == "refused":
            take = takes[answer["take"] - 1]
            (state,) = _states([take.counter], answer["states"])
            passes_at = answer["passes_at"]
            return Refusal(call_id=call_id, take=take, state=state, now=now, passes_at=passes_at)
        if what == "granted":
            states = _states([take.counter for take in takes], answer["states"])
            return Grant(call_id=call_id, takes=tuple(takes), states=states, now=now, until=answer["until"])
        if what == "ended":
            raise ValueError(f"the call {call_id} has ended")
        raise ValueError(f"the call {call_id} has reserved something else")

    async def settle(self, grant: Grant, used: Mapping[str, int]) -> tuple[State, ...]:
        """See `Store`."""
        counters = [take.counter for take in grant.takes]

        def arguments() -> list[Any]:
            specs = [
                {**spec, "w": state.begin, "u": used.get(state.key, 0)}
                for state, spec in zip(grant.states, self._specs(counters), strict=True)
            ]
            return [grant.call_id, json.dumps(specs)]

        return _states(counters, (await self._ask("settle", arguments))["states"])

    async def release(self, call_id: str) -> None:
        """See `Store`."""
        await self._ask("release", lambda: [call_id])

    async def renew(self, call_id: str, lease: float) -> bool:
        """See `Store`."""
        return bool((await self._ask("renew", lambda: [call_id, lease]))["is"] == "renewed")

    async def read(self, counters: Sequence[Counter]) -> tuple[State, ...]:
        """See `Store`."""
        answer = await self._ask("read", lambda: [json.dumps(self._specs(counters))])
        return _states(counters, answer["states"])

    async def find(self, prefix: str) -> tuple[str, ...]:
        """See `Store`."""
        rows = await self._run(
            "select name from jackfield_limits.counters where starts_with(key, %s) order by name", [prefix]
        )
        counters = [counter_of(name) for (name,) in rows]
        return await find_used(self, counters)

    async def aclose(self) -> None:
        """See `Store`. Closes the connections of the running event loop."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.close()

    def _specs(self, counters: Sequence[Counter]) -> list[dict[str, Any]]:
        return [
            {
                "i": position,
                "n": counter_name(counter),
                "y": counter.key,
                "k": kind_of(counter.window),
                "p": counter.window.piece,
                "h": counter.window.horizon,
                "b": self._moments.bounds(counter.window),
            }
            for position, counter in enumerate(counters, 1)
        ]

    async def _ask(self, name: str, arguments: Callable[[], list[Any]]) -> dict[str, Any]:
        """Call a function; again where this process's clock was so wrong that it named the wrong windows."""
        from psycopg import Error

        for _ in range(3):
            try:
                ((answer,),) = await self._run(_FUNCTIONS[name], arguments())
            except Error as error:
                if error.sqlstate != _ANOTHER_CLOCK:
                    raise
                self._moments.learn(float(error.diag.message_primary or 0))
                continue
            self._moments.learn(answer["now"])
            found: dict[str, Any] = answer
            return found
        raise StoreAwayError(f"the clock of {self._where} jumps")

    async def _run(self, statement: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run a statement, and once more where the connection was lost: every statement may be repeated."""
        if not self._pools:
            await asyncio.to_thread(import_module, "psycopg_pool")
        from psycopg import Error, OperationalError
        from psycopg_pool import PoolTimeout

        tries = 0
        while True:
            tries += 1
            try:
                return await self._execute(statement, arguments)
            except (PoolTimeout, TimeoutError, OSError) as error:
                raise StoreAwayError(f"{self._where} does not answer within {self._timeout:g} s") from error
            except Error as error:
                if error.sqlstate == _ANOTHER_CLOCK:
                    raise
                if error.sqlstate in _REPEATED and tries < _TRIES:
                    continue
                if not isinstance(error, OperationalError) or tries > 1:
                    raise StoreAwayError(f"{self._where} cannot do it: {error}") from error
            # Other connections that the server closed at the same time are found out now, not one by one.
            with suppress(Error, TimeoutError):
                async with asyncio.timeout(self._timeout):
                    await self._pools[asyncio.get_running_loop()].check()

    async def _execute(self, statement: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        pool = await self._pool()
        # Calls of a burst wait for a connection, longer than the server may take for one of them.
        async with (
            pool.connection(timeout=_BURST * self._timeout) as connection,
            asyncio.timeout(self._timeout),
        ):
            rows: list[tuple[Any, ...]] = await (await connection.execute(statement, arguments)).fetchall()
            return rows

    async def _pool(self) -> AsyncConnectionPool[Any]:
        """Return the pool of the running event loop: connections belong to one."""
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            from psycopg_pool import AsyncConnectionPool

            self._pools = {known: pool for known, pool in self._pools.items() if not known.is_closed()}
            pool = self._pools[loop] = AsyncConnectionPool(
                self._address, min_size=0, max_size=_CONNECTIONS, timeout=self._timeout, open=False,
                kwargs={"autocommit": True, "connect_timeout": max(2, int(self._timeout))},
                reconnect_timeout=self._timeout, configure=_configure,
            )  # fmt: skip
            await pool.open()
        if not self._is_ready:
            async with pool.connection(timeout=self._timeout) as connection, asyncio.timeout(self._timeout):
                await self._prepare(connection)
            self._is_ready = True
        return pool

    async def _prepare(self, connection: AsyncConnection[Any]) -> None:
        """Create the schema where there is none; refuse one that is not ours, or of another version."""
        async with connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(%s)", [_CREATING])
            found = await (
                await connection.execute(
                    "select to_regnamespace('jackfield_limits'), to_regclass('jackfield_limits.version')"
                )
            ).fetchone()
            has_schema, has_version = found or (None, None)
            if has_schema is None:
                await self._create(connection)
                return
            if has_version is None:
                raise StoreAwayError(
                    f"{self._where} has a schema jackfield_limits that is not ours; name another database, or rename it"
                )
            row = await (await connection.execute("select version from jackfield_limits.version")).fetchone()
            version = row[0] if row else None
            if version != _VERSION:
                newer = isinstance(version, int) and version > _VERSION
                todo = (
                    "update jackfield-limits"
                    if newer
                    else "create it anew: drop schema jackfield_limits cascade"
                )
                raise StoreAwayError(
                    f"the schema jackfield_limits of {self._where} has version {version}, this program needs {_VERSION}; {todo}"
                )

    async def _create(self, connection: AsyncConnection[Any]) -> None:
        from psycopg.errors import InsufficientPrivilege

        try:
            await connection.execute(schema().encode())
        except InsufficientPrivilege as error:
            raise StoreAwayError(
                f"{self._where} has no schema jackfield_limits yet, and this user may not create one; let its owner run what "
                "`python -m jackfield_limits schema` prints, and grant this user its use"
            ) from error


async def _configure(connection: AsyncConnection[Any]) -> None:
    # The functions look again at what others have committed after they have waited for a lock.
    await connection.execute("set default_transaction_isolation = 'read committed'")


def _states(counters: Sequence[Counter], told: Sequence[Sequence[Any]]) -> tuple[State, ...]:
    return tuple(
        State(key=counter.key, begin=row[0], used=row[1], reserved=row[2], resets_at=row[3])
        for counter, row in zip(counters, told, strict=True)
    )

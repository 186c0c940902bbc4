"""The store in Redis or Valkey: for the processes of several hosts. One call of one script is one operation."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha1
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from jackfield import ConfigurationError

from ._moments import Moments, counter_name, counter_of, find_used, kind_of
from ._store import Answer, Counter, Grant, Refusal, State, StoreAwayError, Take

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

__all__ = ["RedisStore"]

_PREFIX: Final = "{jackfield-limits:1}:"
"""Of all keys. In braces: what decides in which part of a cluster a key lies. The number is the layout's version."""

_CONNECTIONS: Final = 16
_BURST: Final = 3
_FIELDS: Final = 4
"""What a script tells of a counter: begin, used, reserved, resets_at."""


@cache
def _script() -> tuple[str, str]:
    text = Path(__file__).with_suffix(".lua").read_text("utf-8")
    return text, sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisStore:
    """Counters in Redis 5 or newer, or Valkey. Time is the server's clock; connections open when they are first used.

    Args:
        address: `redis://HOST:PORT/DATABASE`, `rediss://...` with TLS, or `unix://PATH`; `?cluster=true` for a cluster.
        timeout: Seconds in which the server must answer.

    Raises:
        ConfigurationError: The package `redis` is not installed, or the address is not valid.
    """

    def __init__(self, address: str, *, timeout: float = 5.0) -> None:
        parts = urlsplit(address)
        try:
            self._where = f"Redis at {parts.hostname or parts.path}" + (
                f":{parts.port}" if parts.port else ""
            )
        except ValueError as error:
            raise ConfigurationError(f"store: the address of Redis is not valid: {error}") from error
        query = dict(parse_qsl(parts.query))
        self._is_cluster = query.pop("cluster", "false") == "true"
        self._address = parts._replace(query=urlencode(query)).geturl()
        self._timeout = timeout
        self._moments = Moments()
        self._clients: dict[asyncio.AbstractEventLoop, Redis | RedisCluster] = {}
        if find_spec("redis") is None:
            raise ConfigurationError("store needs the package redis: pip install jackfield-limits[redis]")

    async def reserve(self, call_id: str, takes: Sequence[Take], lease: float) -> Answer:
        """See `Store`."""

        def arguments() -> list[str | int | float]:
            found: list[str | int | float] = ["reserve", call_id, lease, len(takes)]
            for take in takes:
                most = take.counter.most
                found += [*self._described(take.counter), "" if most is None else most, take.amount]
            return found

        answer = await self._ask(arguments)
        what, now = answer[0], float(answer[1])
        if what == "refused":
            take = takes[int(answer[2]) - 1]
            (state,) = _states([take.counter], answer[4:])
            return Refusal(call_id=call_id, take=take, state=state, now=now, passes_at=_moment(answer[3]))
        if what == "granted":
            states = _states([take.counter for take in takes], answer[3:])
            return Grant(call_id=call_id, takes=tuple(takes), states=states, now=now, until=float(answer[2]))
        if what == "ended":
            raise ValueError(f"the call {call_id} has ended")
        raise ValueError(f"the call {call_id} has reserved something else")

    async def settle(self, grant: Grant, used: Mapping[str, int]) -> tuple[State, ...]:
        """See `Store`."""

        def arguments() -> list[str | int | float]:
            found: list[str | int | float] = ["settle", grant.call_id, len(grant.takes)]
            for take, state in zip(grant.takes, grant.states, strict=True):
                key = take.counter.key
                found += [*self._described(take.counter), state.begin, used.get(key, 0)]
            return found

        return _states([take.counter for take in grant.takes], (await self._ask(arguments))[2:])

    async def release(self, call_id: str) -> None:
        """See `Store`."""
        await self._ask(lambda: ["release", call_id])

    async def renew(self, call_id: str, lease: float) -> bool:
        """See `Store`."""
        return (await self._ask(lambda: ["renew", call_id, lease]))[0] == "renewed"

    async def read(self, counters: Sequence[Counter]) -> tuple[State, ...]:
        """See `Store`."""

        def arguments() -> list[str | int | float]:
            described = [part for counter in counters for part in self._described(counter)]
            return ["read", len(counters), *described]

        return _states(counters, (await self._ask(arguments))[2:])

    async def find(self, prefix: str) -> tuple[str, ...]:
        """See `Store`."""
        escaped = "".join(f"\\{letter}" if letter in "*?[]\\^" else letter for letter in prefix)
        names: set[str] = set()
        cursor = 0
        while True:
            scanned = await self._send(
                "ZSCAN", f"{_PREFIX}index", cursor, "MATCH", f"*:{escaped}*", "COUNT", 1000
            )
            cursor = int(scanned[0])
            rows = scanned[1]
            names.update(_text(row[0] if isinstance(row, (tuple, list)) else row) for row in rows)
            if cursor == 0:
                break
        counters = [counter for name in sorted(names) if (counter := counter_of(name)).key.startswith(prefix)]
        return await find_used(self, counters)

    async def aclose(self) -> None:
        """See `Store`. Closes the connections of the running event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _described(self, counter: Counter) -> list[str | int]:
        window = counter.window
        bounds = self._moments.bounds(window)
        return [counter_name(counter), kind_of(window), window.piece, window.horizon, len(bounds), *bounds]

    async def _ask(self, arguments: Any) -> list[str]:
        """Run the script; once more where this process's clock was so wrong that it named the wrong windows."""
        text, digest = _script()
        for _ in range(3):
            values = arguments()
            try:
                answer = await self._send("EVALSHA", digest, 1, _PREFIX, *values)
            except _NoScriptError:
                answer = await self._send("EVAL", text, 1, _PREFIX, *values)
            found = _text(answer).split(" ")
            self._moments.learn(float(found[1]))
            if found[0] != "clock":
                return found
        raise StoreAwayError(f"the clock of {self._where} jumps")

    async def _send(self, *command: Any) -> Any:
        from redis.exceptions import NoScriptError, RedisError, ResponseError

        try:
            return await (await self._client()).execute_command(*command)
        except NoScriptError:
            raise _NoScriptError from None
        except ResponseError as error:
            if "WRONGTYPE" in str(error):
                raise StoreAwayError(
                    f'{self._where} holds keys that begin with "{_PREFIX}" and are not ours; name another database'
                ) from error
            raise StoreAwayError(f"{self._where} cannot do it: {error}") from error
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreAwayError(f"{self._where} cannot be reached: {error}") from error

    async def _client(self) -> Redis | RedisCluster:
        """Return the client of the running event loop: connections belong to one."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            await asyncio.to_thread(import_module, "redis.asyncio")
            self._clients = {
                known: client for known, client in self._clients.items() if not known.is_closed()
            }
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = _connect(self._address, self._timeout, is_cluster=self._is_cluster)
        return client


class _NoScriptError(Exception):
    """The server does not know the script: it was started anew."""


def _text(part: Any) -> str:
    return part.decode() if isinstance(part, bytes) else str(part)


def _moment(text: str) -> float | None:
    return None if text == "-" else float(text)


def _states(counters: Sequence[Counter], told: Sequence[str]) -> tuple[State, ...]:
    return tuple(
        State(
            key=counter.key,
            begin=int(told[first]),
            used=int(told[first + 1]),
            reserved=int(told[first + 2]),
            resets_at=_moment(told[first + 3]),
        )
        for counter, first in zip(counters, range(0, len(told), _FIELDS), strict=True)
    )


def _connect(address: str, timeout: float, *, is_cluster: bool) -> Redis | RedisCluster:
    from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
    from redis.asyncio.retry import Retry
    from redis.backoff import ConstantBackoff
    from redis.exceptions import ConnectionError, TimeoutError

    # Every operation may be repeated: a connection that the server closed meanwhile is opened anew, once.
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "socket_keepalive": True,
        "retry": Retry(ConstantBackoff(0.05), 1),
    }
    try:
        if is_cluster:
            return RedisCluster.from_url(address, **options)
        # Calls of a burst wait for a connection, longer than the server may take for one of them.
        options |= {"max_connections": _CONNECTIONS, "timeout": _BURST * timeout}
        options |= {"retry_on_error": [ConnectionError, TimeoutError]}
        return Redis.from_pool(BlockingConnectionPool.from_url(address, **options))
    except ValueError as error:
        raise ConfigurationError(f"store: the address of Redis is not valid: {error}") from error

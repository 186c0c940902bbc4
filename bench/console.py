"""The console over a store with a million rows of spend: how long each page takes, and how large it is.

    python bench/console.py fill sqlite:////tmp/big.db --rows 1000000
    python bench/console.py time sqlite:////tmp/big.db

`fill` writes rows of a year through the gateway's own store, so their sums by day are what a gateway would have written.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import statistics
import time
from decimal import Decimal
from pathlib import Path

import aiohttp
from aiohttp import web

from jackfield import Attempt, Cost, CostItem, Registry, load_config
from jackfield.testing import FakeProvider
from jackfield_console import ConsoleSettings
from jackfield_console._app import make_console
from jackfield_console._console import Console
from jackfield_console._database import open_database, read_url
from jackfield_console._host import AloneHost
from jackfield_console._migrate import migrate
from jackfield_console._users import add_user, find_user
from jackfield_gateway import GatewaySettings
from jackfield_gateway._keys import Key, hash_key, make_key
from jackfield_gateway._spend import Detail, SpendRow
from jackfield_gateway._stores import open_store

DAY = 86_400
BATCH = 5_000
PASSWORD = "a password for the bench"
PAGES = (
    "/",
    "/usage",
    "/usage?days=7&by=model",
    "/usage?days=90&by=key",
    "/usage?days=365",
    "/usage?days=365&by=day",
    "/usage?owner=org/research&by=key&days=365",
    "/calls?days=365",
    "/calls?days=365&key=key-07",
    "/calls?days=365&owner=org/research",
    "/calls?days=365&owner=org/nobody",
    "/calls?days=365&status=error",
    "/calls?days=365&status=error&model=model-11&key=key-03",
    "/calls?days=365&connection=none",
    "/calls/12345",
    "/keys",
    "/keys/key-07",
    "/owners",
    "/owners?days=365",
    "/changes",
    "/users",
)


def owners():
    """Return sixty owners in a tree."""
    return [
        f"org/{team}/{app}" for team in ("research", "sales", "support", "legal", "ops") for app in range(12)
    ]


def rows(count, seed=1):
    """Make rows of a year, more of them lately; each key uses three models."""
    pick = random.Random(seed)
    keys = [(f"key-{number:02}", owner) for number, owner in enumerate(pick.choices(owners(), k=80))]
    models = [f"model-{number:02}" for number in range(12)]
    places = [(f"connection-{number % 5}", model) for number, model in enumerate(models)]
    now = time.time()
    for number in range(count):
        which = int(len(keys) * pick.random() ** 2)  # some keys are used much more than others
        key, owner = keys[which]
        connection, model = places[(which + pick.randrange(3)) % len(places)]
        inputs, outputs = pick.randrange(10, 20_000), pick.randrange(1, 2_000)
        status = pick.choices(("ok", "error", "cancelled"), (96, 3, 1))[0]
        cost = pick.choices(("complete", "partial", "unknown"), (92, 4, 4))[0]
        amount = inputs * Decimal("0.00000025") + outputs * Decimal("0.000002")
        items = (
            CostItem(
                "input_tokens",
                Decimal(inputs),
                Decimal("0.25"),
                10**6,
                inputs * Decimal("0.00000025"),
                "bench",
            ),
        )
        known = cost != "unknown"
        yield SpendRow(
            id=f"req_{seed}_{number:x}",
            at=now - 365 * DAY * (1 - pick.random() ** 0.6),
            key=key,
            owner=owner,
            surface="openai.chat",
            asked="best",
            connection=connection,
            model=model,
            status=status,
            error="RateLimitError" if status == "error" else None,
            input_tokens=inputs,
            output_tokens=outputs,
            amount=f"{amount:f}" if known else None,
            currency=("USD" if pick.random() < 0.95 else "EUR") if known else None,
            cost=cost,
            attempts=1,
            first_event=pick.random(),
            duration=pick.random() * 10,
            detail=Detail(
                (Attempt(connection=connection, model=model, status=200, duration=0.4),),
                Cost(status=cost, amount=amount if known else None, currency="USD", items=items),
            ),
        )


def fill(address, count):
    """Fill a store."""
    url = read_url(address)
    migrate(url)
    database = open_database(url)
    with database.engine.begin() as connection:
        if find_user(connection, "bench") is None:
            add_user(connection, "bench", "admin", PASSWORD)
    database.close()
    store = open_store(address)
    known = {one.key.name for one in store.list_keys()}
    for number, owner in enumerate(random.Random(1).choices(owners(), k=80)):
        if f"key-{number:02}" not in known:
            store.add_key(Key(name=f"key-{number:02}", hash=hash_key(make_key()), owner=owner))
    began, batch = time.perf_counter(), []
    for row in rows(count):
        batch.append(row)
        if len(batch) == BATCH:
            store.add_spend(batch)
            batch = []
    if batch:
        store.add_spend(batch)
    store.close()
    print(f"{count} rows in {time.perf_counter() - began:.0f} s")


def cpu_seconds(also):
    """Return the CPU time of this process, and of those whose command line begins with a text (Linux)."""
    total = time.process_time()
    if also:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if path.read_text().startswith(also):
                    total += int(path.with_name("schedstat").read_text().split()[0]) / 1e9
    return total


async def measure(address, times, also=""):
    """Time every page."""
    fake = FakeProvider()
    registry = Registry.of(fake, tables={"gateway": GatewaySettings, "console": ConsoleSettings})
    config = load_config(
        {"connections": {"fake": {"provider": "fake"}}, "gateway": {"store": address}, "console": {}},
        registry,
    )
    async with AloneHost(config, registry) as host:
        app = web.Application()
        app.add_subapp("/console", make_console(Console(host, prefix="/console")))
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}/console"
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
            async with http.get(f"{base}/login") as answer:
                token = re.search(r'name="csrf" value="([^"]+)"', await answer.text())[1]
            data = {"csrf": token, "name": "bench", "password": PASSWORD, "next": ""}
            async with http.post(f"{base}/login", data=data) as answer:
                assert answer.status == 200, answer.status
            print(f"{'page':<56}{'best':>9}{'median':>9}{'CPU':>9}{'size':>10}")
            for path in PAGES:
                seen, busy = [], []
                for _ in range(times):
                    began, cpu = time.perf_counter(), cpu_seconds(also)
                    async with http.get(f"{base}{path}") as answer:
                        body = await answer.read()
                        assert answer.status == 200, (path, answer.status, body[-500:])
                    seen.append((time.perf_counter() - began) * 1000)
                    busy.append((cpu_seconds(also) - cpu) * 1000)
                print(
                    f"{path:<56}{min(seen):>6.0f} ms{statistics.median(seen):>6.0f} ms{min(busy):>6.0f} ms{len(body) / 1000:>7.1f} kB"
                )

        await runner.cleanup()


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("fill", "time"))
    parser.add_argument("store")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument(
        "--also", default="", help='count the CPU time of these processes, too: "postgres: jackfield"'
    )
    given = parser.parse_args()
    if given.what == "fill":
        fill(given.store, given.rows)
    else:
        asyncio.run(measure(given.store, given.times, given.also))


if __name__ == "__main__":
    main()

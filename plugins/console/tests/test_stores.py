"""The gateway's store on SQLite and on PostgreSQL: one behaviour, and sums that are those of the rows."""

import asyncio
import json
import random
import sqlite3
import threading
import time
from decimal import Decimal

import attrs
import pytest
from console_running import both_stores, prepare, running_console

from jackfield import Attempt, ConfigurationError, Cost, CostItem
from jackfield_console._database import open_database, read_url
from jackfield_console._migrate import migrate
from jackfield_gateway import GatewaySettings
from jackfield_gateway._days import amount_of, split_amount
from jackfield_gateway._keys import Key, hash_key, make_key
from jackfield_gateway._spend import Detail, SpendRow
from jackfield_gateway._stores import open_store

DAY = 86_400
HELLO = {"model": "best", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50}
START = 1_790_000_000 // DAY * DAY


def rows(count, seed=0, *, prefix="r"):
    """Rows of all kinds, over some days."""
    pick = random.Random(seed)
    found = []
    for number in range(count):
        cost = pick.choice(["complete", "partial", "unknown"])
        amount = (
            None
            if cost == "unknown"
            else str(Decimal(pick.randrange(10**9)).scaleb(-pick.choice([2, 9, 15])))
        )
        found.append(
            SpendRow(
                id=f"{prefix}{number}",
                at=START + pick.random() * 5 * DAY,
                key=pick.choice(["alice", "ci", ""]),
                owner=pick.choice(["org/a", "org/b", "default"]),
                surface="openai.chat",
                asked="best",
                connection=pick.choice(["one", "two", None]),
                model=pick.choice(["small", "großes", None]),
                status=pick.choice(["ok", "ok", "error", "cancelled"]),
                input_tokens=pick.choice([None, pick.randrange(1000)]),
                output_tokens=pick.randrange(100),
                amount=amount,
                currency=None if amount is None else pick.choice(["USD", "EUR"]),
                cost=cost,
                attempts=1,
            )
        )
    return found


def read(address, query):
    database = open_database(read_url(address))
    try:
        return [
            tuple(row) for row in database.call(lambda connection: connection.exec_driver_sql(query).all())
        ]
    finally:
        database.close()


def assert_days_are_those_of_the_rows(address):
    expected = {}
    for at, owner, key, connection, model, currency, cost, status, amount, tokens in read(
        address,
        "SELECT at, owner, key, connection, model, currency, cost, status, amount, input_tokens FROM spend",
    ):
        place = (int(at // DAY), owner, key, connection or "", model or "", currency or "", cost)
        entry = expected.setdefault(place, [0, 0, 0, 0, Decimal(0)])
        entry[0] += 1
        entry[1] += status == "error"
        entry[2] += status == "cancelled"
        entry[3] += tokens or 0
        entry[4] += Decimal(amount or 0)
    days = {
        tuple(row[:7]): [*row[7:11], amount_of(*row[11:])]
        for row in read(
            address,
            "SELECT day, owner, key, connection, model, currency, cost, requests, failed, cancelled, input_tokens,"
            " units, nanos, attos FROM spend_days",
        )
    }
    assert days == expected


@pytest.fixture
def opened(store):
    """An open store of the gateway."""
    found = open_store(store)
    yield found
    found.close()


@both_stores
def test_sums_of_days_are_those_of_the_rows(store, opened):
    written = rows(2_000)
    for first in range(0, 2_000, 300):
        opened.add_spend(written[first : first + 300])
    assert_days_are_those_of_the_rows(store)


@both_stores
def test_rows_that_come_again_are_not_summed_again(store, opened):
    written = rows(300)
    opened.add_spend(written[:200])
    opened.add_spend(written)
    opened.add_spend([*written, *written[:10]])
    assert read(store, "SELECT count(*) FROM spend") == [(300,)]
    assert_days_are_those_of_the_rows(store)


@both_stores
@pytest.mark.real_time
def test_several_gateways_write_at_once(store):
    """The same days, in all orders: nobody waits in a circle, and nothing is lost."""
    errors = []

    def write(number):
        one = open_store(store)
        try:
            for part in range(10):
                batch = rows(100, seed=number * 100 + part, prefix=f"{number}-{part}-")
                random.Random(number).shuffle(batch)
                one.add_spend(batch)
        except Exception as error:
            errors.append(error)
        finally:
            one.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert read(store, "SELECT count(*) FROM spend") == [(4_000,)]
    assert_days_are_those_of_the_rows(store)


@both_stores
def test_old_rows_go_and_the_sums_of_their_days_stay(store, opened):
    opened.add_spend(rows(500))
    before = read(store, "SELECT sum(requests) FROM spend_days")
    gone = opened.delete_spend(before=START + 2.7 * DAY)
    left = read(store, "SELECT min(at) FROM spend")[0][0]
    assert gone > 0
    assert left >= START + 2 * DAY
    assert read(store, "SELECT sum(requests) FROM spend_days") == before


@both_stores
def test_a_key_sees_its_days(opened):
    written = rows(400)
    opened.add_spend(written)
    mine = [row for row in written if row.key == "ci" and row.currency == "USD"]
    days = [day for day in opened.sum_spend(key="ci", since=START) if day["currency"] == "USD"]
    assert sum(day["requests"] for day in days) == len(mine)
    assert sum(Decimal(day["amount"]) for day in days) == sum(Decimal(row.amount) for row in mine)
    assert [day["day"] for day in days] == sorted({day["day"] for day in days}, reverse=True)
    assert opened.sum_spend(key="nobody", since=0) == []


@both_stores
def test_keys_are_made_rotated_and_blocked(opened):
    first, second = hash_key(make_key()), hash_key(make_key())
    opened.add_key(Key(name="alice", hash=first, owner="org/a", models=("best", "one:*")))
    with pytest.raises(ConfigurationError, match="already"):
        opened.add_key(Key(name="alice", hash=second))
    assert opened.rotate_key("alice", second, grace=60).owner == "org/a"
    old, new = (one.key for one in sorted(opened.list_keys(), key=lambda one: one.key.hash != first))
    assert (old.hash, new.hash, new.models) == (first, second, ("best", "one:*"))
    assert time.time() < old.expires_at < time.time() + 61
    assert opened.block_key("alice") == 2
    for refused in (lambda: opened.block_key("bob"), lambda: opened.rotate_key("alice", first, grace=0)):
        with pytest.raises(ConfigurationError):
            refused()


@both_stores
def test_a_secret_is_shared(store, opened):
    found = opened.share("envelopes")
    other = open_store(store)
    assert other.share("envelopes") == found != other.share("more")
    other.close()


@both_stores
def test_odd_texts_of_clients_are_kept(store, opened):
    opened.add_spend([attrs.evolve(rows(1)[0], asked="a\0b\ud800<script>", error="Ünïcode")])
    ((asked, error),) = read(store, "SELECT asked, error FROM spend")
    assert asked.startswith("a")
    assert asked.endswith("<script>")
    assert error == "Ünïcode"


@both_stores
def test_attempts_and_lines_of_the_bill_are_kept_without_messages(store, opened):
    attempts = (
        Attempt(
            connection="one",
            model="small",
            status=429,
            error="RateLimitError",
            message="secret prompt",
            duration=0.25,
        ),
        Attempt(connection="one", model="small", status=200, waited=1.5, duration=0.5),
    )
    item = CostItem("input_tokens", Decimal(10), Decimal("0.25"), 10**6, Decimal("0.0000025"), "a table")
    cost = Cost(status="partial", amount=item.amount, currency="USD", items=(item,), missing=("image",))
    opened.add_spend([attrs.evolve(rows(1)[0], detail=Detail(attempts, cost))])
    ((detail,),) = read(store, "SELECT detail FROM spend")
    assert json.loads(detail) == {
        "attempts": [
            ["one", "small", 429, "RateLimitError", 0.0, 0.25],
            ["one", "small", 200, None, 1.5, 0.5],
        ],
        "items": [["input_tokens", "10", "0.25", 1000000, "0.0000025", "a table"]],
        "missing": ["image"],
    }


@pytest.mark.parametrize(
    "text", ["0", "0.1", "12.000000001", "999999999.999999999999999999", "0.000000000000000001", "-3.5"]
)
def test_an_amount_is_split_and_joined_exactly(text):
    assert amount_of(*split_amount(Decimal(text))) == Decimal(text)


FIRST_VERSION = """
CREATE TABLE keys (
    name TEXT NOT NULL, hash TEXT PRIMARY KEY, owner TEXT NOT NULL, models TEXT, expires_at REAL,
    blocked INTEGER NOT NULL DEFAULT 0, created_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE spend (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at REAL NOT NULL, key TEXT NOT NULL, owner TEXT NOT NULL,
    surface TEXT NOT NULL, asked TEXT NOT NULL, connection TEXT, model TEXT, kind TEXT NOT NULL, status TEXT NOT NULL,
    error TEXT, relayed INTEGER NOT NULL, input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER,
    reasoning_tokens INTEGER, amount TEXT, currency TEXT, cost TEXT NOT NULL, attempts INTEGER NOT NULL,
    first_event REAL, duration REAL NOT NULL, report TEXT NOT NULL
);
CREATE INDEX spend_at ON spend (at);
CREATE INDEX spend_key ON spend (key, at);
CREATE TABLE shared (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
PRAGMA application_id = 1246119767;
PRAGMA user_version = 1;
"""


def test_a_file_of_the_first_version_serves_and_is_upgraded_by_the_command_alone(tmp_path):
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(FIRST_VERSION)
    address = f"sqlite:///{path}"
    gateway = open_store(address)
    gateway.add_spend(rows(100))
    used = gateway.sum_spend(key="alice", since=START)
    assert used
    with pytest.raises(ConfigurationError, match="jackfield console migrate"):
        open_database(read_url(address))
    migrate(read_url(address))
    assert_days_are_those_of_the_rows(address)
    assert gateway.sum_spend(key="alice", since=START) == used
    gateway.add_spend(rows(100, seed=1, prefix="later"))  # the gateway ran all the time
    gateway.close()
    assert_days_are_those_of_the_rows(address)
    migrate(read_url(address))  # once more changes nothing
    assert_days_are_those_of_the_rows(address)


@both_stores
def test_a_store_that_is_not_migrated_is_told_with_the_command(address):
    with pytest.raises(ConfigurationError, match="run: jackfield console migrate"):
        open_database(read_url(address))


def test_another_programs_file_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(ConfigurationError, match="another program"):
        migrate(read_url(f"sqlite:///{path}"))


def test_an_address_with_a_password_stands_elsewhere(monkeypatch):
    with pytest.raises(ValueError, match="env:NAME"):
        GatewaySettings(store="postgresql://u:secret@host/db")
    assert "secret" not in repr(GatewaySettings(store="env:STORE"))
    monkeypatch.setenv("STORE", "postgresql://u:secret@127.0.0.1:1/db?connect_timeout=1")
    with pytest.raises(ConfigurationError) as caught:
        open_store(GatewaySettings(store="env:STORE").store)
    assert "secret" not in str(caught.value)
    assert "gateway.store" in str(caught.value)


@pytest.mark.parametrize("store", ["sqlite://x", "gateway.db", "sqlite:///", "://"])
def test_an_address_that_is_none_is_refused_at_once(store):
    with pytest.raises(ValueError, match="store must be"):
        GatewaySettings(store=store)


def test_a_scheme_that_nobody_serves_is_told():
    with pytest.raises(ConfigurationError, match="mysql"):
        open_store("mysql://host/db")


@pytest.mark.real_time
async def test_a_store_that_is_away_is_told_and_comes_back(postgres_server):
    """Pages say so, and calls go on; no detail of the store is shown."""
    address = postgres_server.new_database()
    prepare(address)
    database = address.rpartition("/")[2]
    async with running_console(address) as running:
        ledger = running.state.ledger
        await running.browser.log_in()
        postgres_server.ask(f"alter database {database} allow_connections false")
        postgres_server.ask(
            f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'"
        )
        text = await running.browser.get("/usage", status=503)
        assert "The store cannot be used right now" in text
        assert database not in text
        assert (await running.post("/v1/chat/completions", HELLO))[0] == 200
        while not ledger.is_away:
            await asyncio.sleep(0.05)
        postgres_server.ask(f"alter database {database} allow_connections true")
        while ledger.pending:
            await asyncio.sleep(0.05)
        assert "Total" in await running.browser.get("/usage?days=7")

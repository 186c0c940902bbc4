"""Spend: a row for each call, whatever became of it."""

import asyncio
import sqlite3
from decimal import Decimal

import pytest
from gateway_running import CONFIG, running

from jackfield import Registry, ServerError
from jackfield.plugin import RateCard
from jackfield.testing import Answer, FakeAnswer, FakeProvider, RecordingServer
from jackfield_gateway._keys import hash_key, make_key
from jackfield_gateway._spend import Ledger, SpendRow

HELLO = {"model": "best", "messages": [{"role": "user", "content": "hi there"}], "max_tokens": 50}
KEY = make_key()
PRICE = RateCard.of(source="a test", input="1", output="2")


def rows(path):
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM spend ORDER BY number")]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "gateway.db"


def settings(path):
    return {"store": f"sqlite:///{path}", "keys": {"alice": {"hash": hash_key(KEY), "owner": "org/alice"}}}


async def test_a_stream_whose_service_does_not_mark_its_end_is_ok_once_it_was_read(path):
    fake = FakeProvider(answers=[FakeAnswer(text="a b", unmarked=True)])
    async with (
        running(CONFIG, fake, **settings(path)) as gateway,
        gateway.http.post(
            f"{gateway.url}/v1/messages", json={**HELLO, "stream": True}, headers={"x-api-key": KEY}
        ) as answer,
    ):
        await answer.read()
    assert [row["status"] for row in rows(path)] == ["ok"]


async def test_every_call_has_a_row(path):
    fake = FakeProvider(price=PRICE)
    config = {**CONFIG, "defaults": {"retry": {"attempts": 1}}}
    async with running(config, fake, **settings(path)) as gateway:
        fake.script(FakeAnswer(text="a b c", usage=(10, 3)))
        await gateway.post("/v1/chat/completions", HELLO, x_api_key=KEY)
        fake.script(FakeAnswer(text="a b", usage=(20, 2)))
        async with gateway.http.post(
            f"{gateway.url}/v1/messages", json={**HELLO, "stream": True}, headers={"x-api-key": KEY}
        ) as answer:
            await answer.read()
        fake.script(ServerError("no"))
        await gateway.post("/v1/chat/completions", HELLO, x_api_key=KEY)
        await gateway.post("/v1/chat/completions", {**HELLO, "model": "none"}, x_api_key=KEY)
        await gateway.post("/v1/chat/completions", HELLO, x_api_key="wrong")
        fake.script(FakeAnswer(text="a b c d", chunk_delay=3))
        async with gateway.http.post(
            f"{gateway.url}/v1/chat/completions", json={**HELLO, "stream": True}, headers={"x-api-key": KEY}
        ) as answer:
            await answer.content.readany()
            answer.close()
        await asyncio.sleep(1)
    found = rows(path)
    assert [
        (row["surface"], row["status"], row["input_tokens"], row["output_tokens"]) for row in found[:3]
    ] == [
        ("openai.chat", "ok", 10, 3),
        ("anthropic.messages", "ok", 20, 2),
        ("openai.chat", "error", None, None),
    ]
    assert [row["amount"] for row in found[:2]] == ["0.000016", "0.000024"]
    assert found[2]["error"] == "ServerError"
    assert found[3]["status"] == "cancelled"
    assert {(row["key"], row["owner"], row["connection"], row["model"]) for row in found} == {
        ("alice", "org/alice", "fake", "echo")
    }
    assert len(found) == 4
    assert "hi there" not in str(found)
    assert (path.stat().st_mode & 0o777) == 0o600


async def test_a_key_sees_what_it_has_used(path):
    fake = FakeProvider(price=PRICE)
    async with running(CONFIG, fake, **settings(path)) as gateway:
        for _ in range(3):
            fake.script(FakeAnswer(text="a", usage=(100, 1)))
            await gateway.post("/v1/chat/completions", HELLO, x_api_key=KEY)
        gateway.state.ledger._write_all()
        async with gateway.http.get(f"{gateway.url}/v1/usage", headers={"x-api-key": KEY}) as answer:
            told = await answer.json()
    assert told["owner"] == "org/alice"
    day = told["days"][0]
    assert (day["requests"], day["input_tokens"], day["output_tokens"]) == (3, 300, 3)
    assert Decimal(day["amount"]) == 3 * Decimal("0.000102")
    assert day["not_complete"] == 0


def row(number):
    return SpendRow(id=f"r{number}", at=1.0, key="", owner="default", surface="openai.chat", asked="best")


class Away:
    """A store that is away for a while."""

    def __init__(self):
        self.rows = []
        self.away = True

    def add_spend(self, rows):
        if self.away:
            raise sqlite3.OperationalError("disk is full")
        self.rows += rows


@pytest.mark.real_time
def test_rows_wait_for_a_store_that_is_away(caplog):
    store = Away()
    ledger = Ledger(store, every=0.01)
    ledger.start()
    for number in range(2500):
        ledger.add(row(number))
    while not ledger.is_away:
        pass
    assert ledger.pending == 2500
    store.away = False
    ledger.close()
    assert [one.id for one in store.rows] == [f"r{number}" for number in range(2500)]
    assert (ledger.lost, ledger.is_away) == (0, False)
    assert caplog.text.count("cannot be written") == 1


@pytest.mark.real_time
def test_what_could_not_be_written_is_counted(caplog):
    store = Away()
    ledger = Ledger(store, every=0.01)
    ledger.start()
    ledger.add(row(1))
    ledger.close(timeout=20)
    assert ledger.lost == 1
    assert "1 rows of spend could not be written" in caplog.text


async def test_calls_are_refused_without_the_store_if_that_is_declared(path):
    async with running(**settings(path), store_away="refuse") as gateway:
        gateway.state.ledger.is_away = True
        status, _, answer = await gateway.post("/v1/chat/completions", HELLO, x_api_key=KEY)
        assert status == 503
        assert "store is away" in answer["error"]["message"]
        async with gateway.http.get(f"{gateway.url}/health/ready") as ready:
            assert ready.status == 503


async def test_calls_go_on_without_the_store(path):
    async with running(**settings(path)) as gateway:
        gateway.state.ledger.is_away = True
        status, _, _ = await gateway.post("/v1/chat/completions", HELLO, x_api_key=KEY)
        assert status == 200
        async with gateway.http.get(f"{gateway.url}/health/ready") as ready:
            assert (ready.status, await ready.json()) == (200, {"status": "ok", "store": "away"})


async def test_metrics_count_calls_and_name_nobody(path):
    async with running(CONFIG, FakeProvider(price=PRICE), **settings(path)) as gateway:
        await gateway.post("/v1/chat/completions", HELLO, x_api_key=KEY)
        await gateway.post("/v1/chat/completions", HELLO)
        async with gateway.http.get(f"{gateway.url}/metrics") as answer:
            text = await answer.text()
    assert 'jackfield_calls_total{connection="fake",status="ok",surface="openai.chat"} 1.0' in text
    assert 'jackfield_refused_total{reason="key"} 1.0' in text
    assert "jackfield_spend_pending" in text
    assert "alice" not in text


@pytest.mark.real_time
async def test_a_row_has_the_kind_of_its_surface_also_relayed_or_refused(path):
    choice = {"index": 0, "text": "ok", "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}
    told = {
        "id": "c",
        "object": "text_completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": usage,
    }
    async with RecordingServer() as server:
        server.route("POST", "/v1/completions", Answer.json(told))
        up = {"provider": "openai", "base_url": f"{server.url}/v1", "api_key": "none"}
        config = {"connections": {"up": up}}
        async with running(config, registry=Registry.installed(), **settings(path)) as gateway:
            asked = {"model": "up:gpt-3.5-turbo-instruct", "prompt": ["a", "b"]}
            status, _, _ = await gateway.post("/v1/completions", asked, x_api_key=KEY)
            assert status == 200
            asked = {"model": "up:gpt-6", "input": "hi", "previous_response_id": "resp_x"}
            await gateway.post("/v1/responses/input_tokens", asked, x_api_key=KEY)
            await asyncio.sleep(1)
    found = [(row["kind"], row["relayed"], row["status"], row["input_tokens"]) for row in rows(path)]
    assert found == [("completion", 1, "ok", 4), ("count", 0, "error", None)]


async def test_a_name_of_a_megabyte_is_refused_at_once_and_not_told(path):
    config = {"connections": {"fake": {"provider": "fake", "models": [{"id": "gpt-*"}]}}}
    async with running(config, FakeProvider(), **settings(path)) as gateway:
        for name in ("m" * 900_000, "gpt-" + "m" * 900_000, "fake:" + "m" * 900_000):
            status, _, told = await gateway.post(
                "/v1/chat/completions", {**HELLO, "model": name}, x_api_key=KEY
            )
            assert status == 404
            assert len(told["error"]["message"]) < 500
        status, _, _ = await gateway.post("/v1/chat/completions", {**HELLO, "model": "gpt-6"}, x_api_key=KEY)
        assert status == 200
        assert gateway.state.current.targets._by_id.keys() == {"gpt-6"}

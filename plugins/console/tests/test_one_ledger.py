"""One ledger: what limits of money count is the sum of the rows of spend and of the console's pages, however calls end."""

import asyncio
import csv
import io
import json
from collections import defaultdict
from decimal import Decimal

import pytest
from console_running import prepare, running_console

from jackfield import InvalidRequestError, Registry, ServerError
from jackfield.plugin import Capabilities, Limits as Sizes, RateCard
from jackfield.testing import Answer, FakeAnswer, FakeProvider
from jackfield_console import ConsoleSettings
from jackfield_gateway import GatewaySettings
from jackfield_gateway._keys import hash_key, make_key
from jackfield_limits import Counter, find_store

# The rates have more places than a cent, so that a sum in floats would be found out.
PRICE = RateCard.of(input="0.37", output="1.130001", source="test")
SIZES = Capabilities(known=True, limits=Sizes(max_output_tokens=1000, context_window=100_000))
KEYS = {name: make_key() for name in ("alice", "bob")}
BUDGET = {
    "name": "budget",
    "measure": "money",
    "currency": "USD",
    "most": "1000",
    "window": "ever",
    "each": "owner",
}
EVENTS = [
    b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"}}]}\n\n',
    b'data: {"id":"c","choices":[{"index":0,"delta":{"content":" there"}}]}\n\n',
    b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}\n\n',
    b"data: [DONE]\n\n",
]
WHOLE = {
    "id": "c",
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 17, "completion_tokens": 3, "total_tokens": 20},
}


def answer_by_text(request):
    """Return what a message asks for: the calls of the test run side by side, so that no order could script them."""
    messages = getattr(request, "messages", ())
    text = "" if not messages else messages[-1].parts[0].text
    return {
        "slow": FakeAnswer(text="word " * 30, chunk_delay=0.1),
        "late": FakeAnswer(text="never", delay=5.0),
        "breaks": FakeAnswer(text="one two three", error=ServerError("broken"), after=2),
        "cut": FakeAnswer(text="one two three", truncate=True),
        "fails": FakeAnswer(error=ServerError("no")),
        "refused": FakeAnswer(error=InvalidRequestError("no")),
        "silent": FakeAnswer(text="untold", usage=None),
    }.get(text, FakeAnswer(text="one two three"))


class Late:
    """Answers whoever asks first too late, and all others at once."""

    def __init__(self):
        self.seen = set()

    def __call__(self, request):
        messages = getattr(request, "messages", ())
        text = "" if not messages else messages[-1].parts[0].text
        if text.startswith("again") and text not in self.seen:
            self.seen.add(text)
            return FakeAnswer(text="never", delay=5.0)
        return answer_by_text(request)


def config_of(url, limits_store):
    limited = {"provider": "fake", "middlewares": ["limits"], "timeout": {"first_event": 0.3}}
    relayed = {"provider": "openai", "base_url": f"{url}/v1", "api_key": "env:KEY", "middlewares": ["limits"]}
    return {
        "defaults": {"retry": {"attempts": 1}},
        "connections": {
            "f": limited,
            "r": {**limited, "retry": {"attempts": 2, "initial_delay": 0.01}},
            "inside": {**limited, "middlewares": ["limits", "cache"]},
            "outside": {**limited, "middlewares": ["cache", "limits"]},
            "o": relayed,
        },
        "aliases": {"next": ["f:echo", "inside:echo"], "best": ["f:echo"]},
        "middleware": {"limits": {"store": limits_store, "limit": [BUDGET]}},
    }


class Clients:
    """Clients of a gateway; each call is made as one of two owners."""

    def __init__(self, gateway):
        self._gateway = gateway
        self._number = 0

    def _request(self, path, model, text, stream):
        self._number += 1
        key = list(KEYS.values())[self._number % 2]
        if path == "/v1/responses":
            body = {"model": model, "max_output_tokens": 40, "input": text}
        else:
            body = {"model": model, "max_tokens": 40, "messages": [{"role": "user", "content": text}]}
        if stream:
            body["stream"] = True
        return self._gateway.http.post(
            f"{self._gateway.url}{path}",
            json=body,
            headers={"x-api-key": key, "authorization": f"Bearer {key}"},
        )

    async def ask(self, model, text="hi", path="/v1/chat/completions", stream=False):
        """Read an answer to its end, or to where it breaks."""
        try:
            async with self._request(path, model, text, stream) as answer:
                await answer.read()
        except OSError:
            pass  # a relayed answer that breaks off
        except Exception as error:
            if "payload" not in str(error).lower():
                raise

    async def leave(self, model, text, path="/v1/chat/completions", stream=True):
        """Go away in the middle of an answer."""
        async with self._request(path, model, text, stream) as answer:
            await answer.content.readany()
            answer.close()

    async def hang_up(self, model, text):
        """Go away before an answer begins."""
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.15):
                await self.ask(model, text)

    async def embed(self):
        body = {"model": "f:echo", "input": ["one", "two words"]}
        key = KEYS["alice"]
        async with self._gateway.http.post(
            f"{self._gateway.url}/v1/embeddings", json=body, headers={"authorization": f"Bearer {key}"}
        ) as answer:
            assert answer.status == 200
            await answer.read()


def calls_of(clients):
    """Return calls of all ends."""
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses"):
        for stream in (False, True):
            yield clients.ask("f:echo", path=path, stream=stream)
            for text in ("late", "breaks", "cut", "fails", "refused", "silent"):
                yield clients.ask("f:echo", text, path=path, stream=stream)
            yield clients.ask("r:echo", f"again {path} {stream}", path=path, stream=stream)
            yield clients.ask("next", "late", path=path, stream=stream)
            yield clients.ask("next", "breaks", path=path, stream=stream)
            yield clients.ask("o:gpt-6-luna", path=path, stream=stream)
        yield clients.leave("f:echo", "slow", path)
    yield clients.leave("o:gpt-6-luna", "hi")
    yield clients.hang_up("f:echo", "late")
    yield clients.hang_up("r:echo", "late")
    yield clients.embed()


async def relay_of(request):
    """Return the service's answer; every third stream breaks off."""
    if not json.loads(request.body).get("stream"):
        return Answer.json(WHOLE)
    relay_of.number += 1
    return Answer(
        headers={"content-type": "text/event-stream"},
        chunks=tuple(EVENTS),
        streamed=True,
        interval=0.02,
        reset_after=2 if relay_of.number % 3 == 0 else None,
    )


relay_of.number = 0


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_limits_rows_and_pages_have_the_same_sum(kind, tmp_path, service, monkeypatch):
    for package in ("jackfield_openai", "jackfield_cache"):
        pytest.importorskip(package)
    from jackfield_cache import CACHE
    from jackfield_limits import LIMITS

    monkeypatch.setenv("KEY", "sk-upstream")
    service.route("POST", "/v1/chat/completions", relay_of)
    store = f"sqlite:///{tmp_path / 'gateway.db'}"
    prepare(store)
    fake = FakeProvider(answers=Late(), price=PRICE, capabilities=SIZES)
    registry = Registry.installed().extended(
        fake,
        middlewares={"limits": LIMITS, "cache": CACHE},
        tables={"gateway": GatewaySettings, "console": ConsoleSettings},
    )
    keys = {name: {"hash": hash_key(key), "owner": f"org/{name}"} for name, key in KEYS.items()}
    address = "memory" if kind == "memory" else f"sqlite:///{tmp_path / 'limits.db'}"
    config = config_of(service.url, address)
    async with running_console(store, config=config, fake=fake, registry=registry, keys=keys) as running:
        clients = Clients(running)
        await asyncio.gather(*calls_of(clients))
        for _ in range(
            3
        ):  # the same request: answered from the cache, which stands on either side of the limits
            await clients.ask("inside:echo", "once")
            await clients.ask("outside:echo", "once")
        await asyncio.sleep(0.3)  # calls that clients have left end now
        running.state.ledger._write_all()
        rows = await asyncio.to_thread(read_rows, tmp_path / "gateway.db")
        states = await read_limit(running.state.current.config.middleware_settings["limits"])
        await running.browser.log_in()
        usage = await running.browser.get("/usage.csv?days=7")

    spent = defaultdict(Decimal)
    for row in rows:
        spent[row["owner"]] += Decimal(row["amount"] or 0)
    counted = {state.key.removeprefix("budget:"): Decimal(state.used).scaleb(-12) for state in states}
    assert all(state.reserved == 0 for state in states)
    assert len(rows) == 79  # one of each call
    assert counted == {owner: amount for owner, amount in spent.items() if amount}
    assert len(counted) == 2
    shown = defaultdict(Decimal)
    for line in csv.DictReader(io.StringIO(usage)):
        shown[line["owner"]] += Decimal(line["amount"] or 0)
    assert {owner: amount for owner, amount in shown.items() if amount} == counted
    assert {row["status"] for row in rows} == {"ok", "error", "cancelled"}
    assert any(row["relayed"] for row in rows)
    assert {row["cost"] for row in rows} >= {"complete", "partial"}
    left = [row for row in rows if row["status"] == "cancelled"]
    assert len(left) >= 6
    assert all(Decimal(row["amount"] or 0) > 0 and row["cost"] == "partial" for row in left), left


async def read_limit(settings):
    """Return the counters of the budget, one of each owner."""
    counting, (limit,) = find_store(settings), settings.limit
    keys = await counting.find("budget:")
    return await counting.read([Counter(key=key, window=limit.time, most=None) for key in keys])


def read_rows(path):
    """Return the rows of spend."""
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM spend ORDER BY number")]

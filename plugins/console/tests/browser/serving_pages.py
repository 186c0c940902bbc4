"""A gateway with a console in a process of its own, as an administrator starts it, over a service on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from console_running import PASSWORD, prepare

from jackfield import Registry, load_config
from jackfield.testing import Answer, RecordingServer
from jackfield_gateway._keys import Key, hash_key, make_key
from jackfield_gateway._spend import SpendRow
from jackfield_gateway._stores import open_store
from jackfield_limits import Counter, Take
from jackfield_limits._stores import open_store as open_store_of_limits

__all__ = ["PASSWORD", "Served", "loopback_service", "served_console"]

DAY = 86_400
TEXT = "Light of short waves is scattered more than light of long waves, so the sky looks blue."
MODELS = ("gpt-6-luna", "gpt-6-sol", "text-embedding-3-small")
CONFIG = """\
# The mesh of the research department.
[connections.openai]
provider = "openai"
base_url = "{service}/v1"   # a service on this machine
api_key = "env:CONSOLE_TEST_KEY"
models = ["gpt-6-luna", "gpt-6-sol"]

[connections.down]
provider = "openai"
base_url = "http://127.0.0.1:9/v1"
api_key = "env:CONSOLE_TEST_KEY"
models = ["gpt-6-luna"]

[aliases]
best = ["openai:gpt-6-sol", "openai:gpt-6-luna"]

[defaults]
middlewares = ["limits"]

[middleware.limits]
store = "sqlite:///{folder}/limits.db"

[[middleware.limits.limit]]
name = "research-monthly"
owner = "org/research"
measure = "money"
most = "250"
currency = "USD"
window = "month"

[[middleware.limits.limit]]
name = "requests-of-all"
measure = "requests"
most = 10000
window = "day"

[gateway]
port = 0
store = "{store}"

[console]
"""


class Served:
    """A console that is served.

    Attributes:
        url: The gateway's address.
        path: The configuration's file.
        folder: Where it lies.
        service: The service's address.
    """

    def __init__(self, url, path, service):
        self.url, self.path, self.folder, self.service = url, path, path.parent, service

    def page(self, path):
        """Return the address of a page."""
        return f"{self.url}/console{path}"


@contextmanager
def loopback_service():
    """Serve a small part of OpenAI's API in a thread; yield its address."""
    ready, found = threading.Event(), {}

    async def serve():
        found["loop"], found["stop"] = asyncio.get_running_loop(), asyncio.Event()
        async with RecordingServer() as server:
            server.route("GET", "/v1/models", Answer.json(_models()))
            server.route("POST", "/v1/chat/completions", _answer)
            found["url"] = server.url
            ready.set()
            await found["stop"].wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield found["url"]
    finally:
        found["loop"].call_soon_threadsafe(found["stop"].set)
        thread.join(10)


def _models():
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 1, "owned_by": "openai"} for name in MODELS],
    }


def _answer(request):
    """Answer as chat completions do, in the fields that their documentation names."""
    asked = request.json
    usage = {"prompt_tokens": 12, "completion_tokens": 20, "total_tokens": 32}
    head = {"id": "chatcmpl-1", "created": 1, "model": asked["model"]}
    if not asked.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
        return Answer.json({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
    deltas = [{"role": "assistant", "content": ""}, *({"content": f"{word} "} for word in TEXT.split())]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks.append({"choices": [], "usage": usage})
    return Answer.sse([{**head, "object": "chat.completion.chunk", **chunk} for chunk in chunks], done=True)


def fill(store):
    """Write keys and six weeks of spend."""
    pick = random.Random(7)
    opened = open_store(store)
    keys = {
        "alice": "org/research/alice",
        "nightly": "org/research/evaluation",
        "support-bot": "org/support/bot",
        "crm": "org/sales/crm",
    }
    for name, owner in keys.items():
        opened.add_key(Key(name=name, hash=hash_key(make_key()), owner=owner))
    opened.add_spend([_row(pick, number, keys) for number in range(900)])
    opened.close()


def _row(pick, number, keys):
    key = pick.choices(tuple(keys), (5, 3, 2, 1))[0]
    model = pick.choices(MODELS[:2], (3, 1))[0]
    inputs, outputs = pick.randrange(50, 9_000), pick.randrange(5, 900)
    status = pick.choices(("ok", "error", "cancelled"), (95, 3, 2))[0]
    cost = pick.choices(("complete", "partial", "unknown"), (94, 3, 3))[0]
    amount = inputs * Decimal("0.00000125") + outputs * Decimal("0.00001")
    return SpendRow(
        id=f"req_{number:024x}",
        at=time.time() - 42 * DAY * pick.random(),
        key=key,
        owner=keys[key],
        surface=pick.choice(("openai.chat", "openai.responses", "anthropic.messages")),
        asked="best",
        connection="openai",
        model=model,
        status=status,
        error="RateLimitError" if status == "error" else None,
        input_tokens=inputs,
        output_tokens=outputs,
        amount=None if cost == "unknown" else f"{amount:f}",
        currency=None if cost == "unknown" else "USD",
        cost=cost,
        attempts=1,
        first_event=0.2 + pick.random(),
        duration=0.5 + 4 * pick.random(),
    )


async def use_limits(path):
    """Count what a month has used, in the store that a configuration names."""
    rules = load_config(path, Registry.installed()).middleware_settings["limits"]
    store = open_store_of_limits(rules.store)
    for rule, part, held in zip(
        rules.limit, (Fraction(3, 4), Fraction(1, 8)), (Fraction(1, 20), 0), strict=True
    ):
        counter = Counter(key=rule.name, window=rule.time, most=rule.amount)
        for number, share in enumerate((part, held)):
            amount = int(rule.amount * share)
            grant = await store.reserve(
                f"{rule.name}-{number}", [Take(counter=counter, amount=amount)], 600.0
            )
            if share is part:
                await store.settle(grant, {rule.name: amount})
    await store.aclose()


@contextmanager
def served_console(folder: Path, service, store=None, *, filled=True):
    """Start `jackfield serve` with a console.

    Args:
        folder: For its files.
        service: The address of the service.
        store: The gateway's store; None is a file.
        filled: There are keys and spend already.
    """
    store = store or f"sqlite:///{folder}/gateway.db"
    prepare(store)
    if filled:
        fill(store)
    path = folder / "jackfield.toml"
    path.write_text(CONFIG.format(service=service, folder=folder, store=store), "utf-8")
    if filled:
        with ThreadPoolExecutor(1) as aside:  # Playwright's own loop runs in this thread
            aside.submit(lambda: asyncio.run(use_limits(path))).result()
    environment = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "CONSOLE_TEST_KEY": "sk-nothing-that-anybody-accepts",
    }
    log = (folder / "log.txt").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "jackfield", "--config", path.name, "--json", "serve"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=log,
        env=environment,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line, (folder / "log.txt").read_text()
        yield Served(json.loads(line)["address"], path, service)
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
        log.close()
    problems = [one for one in (folder / "log.txt").read_text().splitlines() if "Traceback" in one]
    assert not problems, (folder / "log.txt").read_text()

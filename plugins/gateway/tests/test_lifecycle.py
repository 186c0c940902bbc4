"""The process: start, drain, reload, workers; and the commands."""

import asyncio
import json
import os
import signal
import sys
import textwrap

import aiohttp
import pytest

from jackfield.testing import Answer, RecordingServer

pytestmark = pytest.mark.real_time

HELLO = {"model": "best", "messages": [{"role": "user", "content": "hi"}]}
SAID = {
    "id": "c1",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def write_config(path, url, alias="best", **gateway):
    lines = [f"{name} = {json.dumps(value)}" for name, value in gateway.items()]
    path.write_text(
        textwrap.dedent(f"""
        [connections.up]
        provider = "openai"
        base_url = "{url}/v1"
        api_key = "none"
        models = [{{ id = "m", kind = "chat" }}]

        [aliases]
        {alias} = "up:m"

        [gateway]
        port = 0
        """)
        + "\n".join(lines)
    )
    return path


async def start(path, *arguments):
    """Start `jackfield serve`; return the process and its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jackfield", "--config", str(path), "--json", "serve", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    if not line:
        raise AssertionError((await process.stderr.read()).decode())
    return process, json.loads(line)["address"]


async def ask(url, body=HELLO):
    async with aiohttp.ClientSession() as http, http.post(f"{url}/v1/chat/completions", json=body) as answer:
        return answer.status, await answer.json()


@pytest.fixture
async def upstream():
    async with RecordingServer() as server:
        yield server


async def test_running_calls_end_and_new_ones_are_refused(tmp_path, upstream):
    upstream.route("POST", "/v1/chat/completions", Answer.json(SAID, delay=1.5))
    process, url = await start(write_config(tmp_path / "jackfield.toml", upstream.url))
    call = asyncio.create_task(ask(url))
    await upstream.wait_requests(1)
    process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.3)
    refused = await asyncio.gather(ask(url), return_exceptions=True)
    assert isinstance(refused[0], aiohttp.ClientError) or refused[0][0] == 503
    assert (await call)[0] == 200
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_calls_that_take_too_long_are_cancelled(tmp_path, upstream):
    upstream.route("POST", "/v1/chat/completions", Answer.never())
    process, url = await start(write_config(tmp_path / "jackfield.toml", upstream.url, drain=0.5))
    call = asyncio.create_task(ask(url))
    await upstream.wait_requests(1)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 0
    await upstream.wait_disconnected()
    await asyncio.gather(call, return_exceptions=True)


async def test_a_changed_configuration_is_taken_over_and_a_bad_one_is_not(tmp_path, upstream):
    upstream.route("POST", "/v1/chat/completions", Answer.json(SAID))
    path = write_config(tmp_path / "jackfield.toml", upstream.url)
    process, url = await start(path)
    assert (await ask(url))[0] == 200
    path.write_text("[connections.up]\nprovider = 'opanai'\n")
    process.send_signal(signal.SIGHUP)
    await asyncio.sleep(0.7)
    assert (await ask(url))[0] == 200
    write_config(path, upstream.url, alias="other")
    process.send_signal(signal.SIGHUP)
    for _ in range(100):
        if (await ask(url, {**HELLO, "model": "other"}))[0] == 200:
            break
        await asyncio.sleep(0.1)
    assert (await ask(url))[0] == 404
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_keys_of_the_store_are_made_rotated_and_blocked_while_it_runs(tmp_path, upstream):
    upstream.route("POST", "/v1/chat/completions", Answer.json(SAID))
    path = write_config(tmp_path / "jackfield.toml", upstream.url, store=f"sqlite:///{tmp_path}/gateway.db")

    async def keys(*arguments):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "jackfield", "--config", str(path), "--json", "keys", *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode == 0, err
        return json.loads(out) if out else None

    made = await keys("new", "alice", "--owner", "org/alice", "--model", "best")
    process, url = await start(path)

    async def status(key):
        headers = {"authorization": f"Bearer {key}"}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{url}/v1/chat/completions", json=HELLO, headers=headers) as answer,
        ):
            return answer.status

    assert await status(made["key"]) == 200
    assert await status("jf-other") == 401
    rotated = await keys("rotate", "alice", "--grace", "0")
    for _ in range(100):
        if await status(rotated["key"]) == 200:
            break
        await asyncio.sleep(0.1)
    assert await status(made["key"]) == 401
    await keys("block", "alice")
    for _ in range(100):
        if await status(rotated["key"]) == 401:
            break
        await asyncio.sleep(0.1)
    else:
        raise AssertionError("a blocked key is accepted")
    listed = (await keys("list"))["keys"]
    assert {row["state"] for row in listed} <= {"blocked", "expired"}
    assert made["key"] not in (tmp_path / "gateway.db").read_bytes().decode("latin-1")
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.wait(), 10)


async def test_nobody_is_served_on_a_public_address_without_keys(tmp_path, upstream):
    path = write_config(tmp_path / "jackfield.toml", upstream.url)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jackfield", "--config", str(path), "serve", "--host", "0.0.0.0",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode not in (0, None)
    assert b"no key is declared" in err


async def test_workers_share_the_port(tmp_path, upstream, unused_tcp_port):
    upstream.route("POST", "/v1/chat/completions", Answer.json(SAID))
    path = write_config(tmp_path / "jackfield.toml", upstream.url)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jackfield", "--config", str(path), "serve", "--workers", "2", "--port",
        str(unused_tcp_port), stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    url = f"http://127.0.0.1:{unused_tcp_port}"
    for _ in range(200):
        try:
            if (await ask(url))[0] == 200:
                break
        except aiohttp.ClientError:
            await asyncio.sleep(0.1)
    assert {(await ask(url))[0] for _ in range(20)} == {200}
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 20) == 0
    with pytest.raises(aiohttp.ClientError):
        await ask(url)


async def test_a_million_wrong_keys_change_nothing(tmp_path, upstream):
    """A tenth of it here; each costs one hash."""
    from jackfield_gateway._keys import Key, KeyRing, hash_key, make_key

    key = make_key()
    ring = KeyRing([Key(name="alice", hash=hash_key(key))])
    for number in range(100_000):
        assert ring.find(f"jf-{number}")[0] is None
    assert ring.find(key)[0].name == "alice"
    assert vars(ring).keys() == {"_by_hash", "owners"}
    assert len(ring._by_hash) == 1


@pytest.mark.parametrize("client", ["codex", "claude", "opencode", "openai", "anthropic", "curl"])
async def test_what_a_client_must_set_is_printed(tmp_path, upstream, client):
    path = write_config(tmp_path / "jackfield.toml", upstream.url)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jackfield", "--config", str(path), "clients", client, "--url", "http://gw:4117/v1",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert b"http://gw:4117" in out
    assert b"best" in out
    assert b"/v1/v1" not in out

"""The clock that the tests of all packages have."""

import asyncio
import time

import pytest
from virtual_time import VirtualTimeLoop

from jackfield.testing import Answer, RecordingServer


async def test_a_sleep_takes_its_time_by_the_clock_of_the_loop_and_none_by_the_wall():
    loop = asyncio.get_running_loop()
    began, real = loop.time(), time.process_time()
    await asyncio.sleep(10_000)
    assert loop.time() - began == pytest.approx(10_000)
    assert time.process_time() - real < 1


async def test_a_sleep_ends_after_everything_that_happens_before():
    ended = []

    async def busy():
        for _ in range(100):
            await asyncio.sleep(0)
        time.sleep(0.05)  # longer than the sleep beside it, in real time
        ended.append("busy")

    async def sleeper():
        await asyncio.sleep(0.001)
        ended.append("sleeper")

    await asyncio.gather(sleeper(), busy())
    assert ended == ["busy", "sleeper"]


async def test_what_a_server_has_sent_comes_before_a_limit():
    async with RecordingServer() as server:
        server.answer(Answer.sse(list(range(300))))
        host, port = server.url.removeprefix("http://").split(":")
        async with asyncio.timeout(0.000_001):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b"data: 299" in await reader.read()
        writer.close()


async def test_a_thread_is_waited_for():
    async with asyncio.timeout(60):
        assert await asyncio.to_thread(lambda: time.sleep(0.1) or "done") == "done"


async def test_a_thread_takes_the_time_that_it_takes():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await asyncio.to_thread(time.sleep, 0.3)


@pytest.mark.real_time
async def test_a_test_may_have_the_ordinary_clock():
    assert not isinstance(asyncio.get_running_loop(), VirtualTimeLoop)

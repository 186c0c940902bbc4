"""Tests of retries need not wait."""

import asyncio

from jackfield import Mesh, Registry
from jackfield._calls import retry as _retry
from jackfield.testing import FakeProvider, no_retry_pauses


async def test_no_pause_is_made_and_each_is_told():
    fake = FakeProvider(answers=[503, 503, "hello"])
    before = _retry.sleep
    config = {"connections": {"fake": {"provider": "fake", "retry": {"initial_delay": 8}}}}
    loop = asyncio.get_running_loop()
    began = loop.time()
    with no_retry_pauses() as pauses:
        async with Mesh.from_config(config, registry=Registry.of(fake)) as mesh:
            assert (await mesh.chat("fake:echo", "Hi")).text == "hello"
    assert loop.time() == began
    assert len(pauses) == 2
    assert all(pause >= 4 for pause in pauses)
    assert _retry.sleep is before

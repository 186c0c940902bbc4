"""A transport that must get something ready before it can send."""

import asyncio

import pytest

from jackfield import ConfigurationError, Mesh, TimeoutError
from jackfield._plugins.registry import Registry
from jackfield.plugin import hookimpl
from jackfield.testing import FakeProvider
from jackfield.testing._fakes import FakeTransport


class Preparing(FakeTransport):
    def __init__(self, fake, takes):
        super().__init__(fake)
        self.takes = takes

    async def prepare(self, wire):
        if isinstance(self.takes, Exception):
            raise self.takes
        await asyncio.sleep(self.takes)


class SlowToPrepare(FakeProvider):
    def __init__(self, takes):
        super().__init__()
        self.takes = takes

    @hookimpl
    def jackfield_transport(self):
        return Preparing(self, self.takes)

    @hookimpl
    def jackfield_error(self, failure):
        return ConfigurationError(f"not ready: {failure.exception}")


def mesh_of(fake, **timeout):
    config = {"connections": {"c": {"provider": "fake", "timeout": timeout, "retry": {"attempts": 1}}}}
    return Mesh.from_config(config, registry=Registry.of(fake))


async def streamed(mesh):
    async with mesh.stream_chat("c:echo", "hi") as stream:
        return [event async for event in stream]


async def test_getting_ready_is_not_held_to_the_first_event():
    async with mesh_of(SlowToPrepare(0.2), first_event=0.1) as mesh:
        assert await streamed(mesh)
        assert (await mesh.chat("c:echo", "hi")).text


async def test_getting_ready_is_held_to_the_whole_calls_limit():
    async with mesh_of(SlowToPrepare(5), total=0.1) as mesh:
        with pytest.raises(TimeoutError) as caught:
            await streamed(mesh)
        assert caught.value.phase == "total"


async def test_what_keeps_it_from_getting_ready_goes_through_the_plugin():
    async with mesh_of(SlowToPrepare(RuntimeError("no disk"))) as mesh:
        with pytest.raises(ConfigurationError, match="not ready: no disk") as caught:
            await mesh.chat("c:echo", "hi")
        assert (caught.value.connection, caught.value.model) == ("c", "echo")
        assert [attempt.error for attempt in caught.value.attempts] == ["ConfigurationError"]

"""Memory is that of the process: a new configuration goes on counting where the old one was."""

import gc

import pytest

from jackfield import Mesh, Registry, load_config
from jackfield.testing import FakeProvider
from jackfield_limits import LIMITS, LimitReachedError, find_store

CONFIG = {
    "defaults": {"middlewares": ["limits"]},
    "connections": {"fake": {"provider": "fake"}},
    "middleware": {
        "limits": {"limit": [{"name": "two", "measure": "requests", "most": 2, "window": "ever"}]}
    },
}


def load():
    gc.collect()  # meshes of other tests that were left without being closed
    registry = Registry.of(FakeProvider(), middlewares={"limits": LIMITS})
    config = load_config(CONFIG, registry)
    return config, Mesh(config, registry)


async def test_a_mesh_that_takes_the_place_of_another_counts_on():
    config, old = load()
    _, new = load()
    async with new:
        async with old:
            store = find_store(config.middleware_settings["limits"])
            await old.chat("fake:echo", "hi")
        assert find_store(config.middleware_settings["limits"]) is None
        await new.chat("fake:echo", "hi")
        with pytest.raises(LimitReachedError):
            await new.chat("fake:echo", "hi")
    assert store is not None


async def test_what_is_counted_in_memory_ends_with_the_last_mesh():
    for _ in range(2):
        _, mesh = load()
        async with mesh:
            await mesh.chat("fake:echo", "hi")
            await mesh.chat("fake:echo", "hi")

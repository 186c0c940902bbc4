"""CONTRIBUTING.md describes the way of a call in four files: no other file lies between them."""

import sys
from pathlib import Path

import pytest

import jackfield
from jackfield import Mesh
from jackfield._plugins.registry import Registry
from jackfield.plugin import hookimpl
from jackfield.testing import FakeProvider
from jackfield.testing._fakes import FakeTransport

CORE = Path(jackfield.__file__).parent
WAY = ["_mesh.py", "_calls/pipeline.py", "_calls/execution.py", "_calls/attempts.py", "_calls/exchange.py"]


def list_files(frame):
    """Return the files of core on a stack, the outermost first; each once for several frames in a row."""
    files = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(CORE) and path.parts[len(CORE.parts)] != "testing":
            name = path.relative_to(CORE).as_posix()
            if files[-1:] != [name]:
                files.append(name)
        frame = frame.f_back
    return files[::-1]


class Looking(FakeTransport):
    """Note the files on the stack when it is asked to send."""

    def exchange(self, wire):
        self._fake.way = list_files(sys._getframe(1))
        return super().exchange(wire)


class Fake(FakeProvider):
    @hookimpl
    def jackfield_transport(self):
        return Looking(self)


@pytest.fixture
async def mesh():
    config = {"connections": {"c": {"provider": "fake"}}}
    async with Mesh.from_config(config, registry=Registry.of(fake := Fake())) as mesh:
        yield mesh, fake


async def test_a_call_takes_the_documented_way(mesh):
    mesh, fake = mesh
    await mesh.chat("c:echo", "hi")
    # `Mesh.chat` awaits what the pipeline returned, so that the mesh itself is on the stack only as the caller.
    assert fake.way == WAY


async def test_a_streamed_call_takes_the_same_way(mesh):
    mesh, fake = mesh
    async with mesh.stream_chat("c:echo", "hi") as stream:
        async for _ in stream:
            pass
    assert [file for file in fake.way if file != "_calls/streams.py"][-4:] == WAY[-4:]
    assert set(fake.way) <= {*WAY, "_calls/streams.py"}

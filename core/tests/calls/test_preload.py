"""What plugins load late is there before the first call, and was not loaded by the event loop."""

from __future__ import annotations

import logging
import sys
import threading

import attrs
import pytest
from plain_provider import PlainProvider, hello, mesh_for

from jackfield.plugin import hookimpl


class Late(PlainProvider):
    """A provider with a module of its own that it loads late."""

    def __init__(self, *modules):
        super().__init__()
        self.modules = modules

    @hookimpl
    def jackfield_provider(self):
        return attrs.evolve(super().jackfield_provider(), preload=self.modules)


@pytest.fixture
def late(tmp_path, monkeypatch):
    """A module that notes which thread imports it."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "plain_late.py").write_text("import threading\nTHREAD = threading.current_thread()\n")
    yield "plain_late"
    sys.modules.pop("plain_late", None)


async def test_modules_are_imported_in_a_thread_when_a_mesh_is_entered(late, server):
    mesh = mesh_for(server.url, Late(late))
    assert late not in sys.modules, "a configuration is read without it"
    async with mesh:
        assert sys.modules[late].THREAD is not threading.main_thread()


async def test_a_module_that_is_not_there_is_logged_and_breaks_no_call(caplog, server):
    server.route("POST", "/chat", hello())
    with caplog.at_level(logging.ERROR, "jackfield"):
        async with mesh_for(server.url, Late("plain_nowhere")) as mesh:
            reply = await mesh.chat("c:m", "Hi")
    assert reply.text == "hello"
    assert "plain_nowhere" in caplog.text

"""The middlewares of the repository together, installed by name from a configuration file, as an administrator does it."""

from __future__ import annotations

import json
import sqlite3
from importlib import import_module

import attrs
import pytest

from jackfield import Mesh, Registry
from jackfield.plugin import MiddlewareKind
from jackfield.testing import FakeProvider
from tools.workspace import ROOT, entry_points

OURS = entry_points("jackfield.middlewares.v1")

CONFIG = """
[defaults]
middlewares = ["audit", "pii", "cache"]

[middleware.audit]
path = "calls.jsonl"

[middleware.cache]
path = "answers.sqlite"

[connections.fake]
provider = "fake"
"""


def loaded(name: str) -> object:
    module, _, attribute = OURS[name].partition(":")
    return getattr(pytest.importorskip(module), attribute)


def test_there_are_three():
    assert OURS.keys() >= {"audit", "cache", "pii"}


@pytest.mark.parametrize("name", OURS)
def test_each_is_a_kind_whose_settings_are_documented(name):
    kind = loaded(name)
    assert isinstance(kind, MiddlewareKind)
    pages = {"cache": "response-cache", "audit": "audit-log", "limits": "budgets"}
    page = (ROOT / f"docs/how-to/{pages.get(name, name)}.md").read_text("utf-8")
    for field in attrs.fields(kind.settings):
        assert f"`{field.name}`" in page
        assert f"{field.name}:" in kind.settings.__doc__


@pytest.mark.parametrize("name", OURS)
def test_importing_one_loads_little(name):
    import subprocess
    import sys

    module = OURS[name].partition(":")[0]
    heavy = "{'aiohttp', 'sqlite3', 'orjson', 'phonenumbers', 'numpy', 'opentelemetry'}"
    code = f"import sys, {module}; print(*(set(sys.modules) & {heavy}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


async def test_together_they_guard_remember_and_write_down(tmp_path):
    for name in ("audit", "pii", "cache"):
        loaded(name)
    config = tmp_path / "jackfield.toml"
    config.write_text(CONFIG, "utf-8")
    provider = FakeProvider()
    registry = Registry.of(provider, middlewares={name: loaded(name) for name in ("audit", "pii", "cache")})
    async with Mesh.from_config(config, registry=registry) as mesh:
        first = await mesh.chat("fake:echo", "Write to anna@example.com")
        second = await mesh.chat("fake:echo", "Write to bert@example.org")
        async with mesh.stream_chat("fake:echo", "Write to carl@example.net") as stream:
            async for _ in stream:
                pass
    # What the guard makes equal is asked once, and everybody gets their own back.
    assert len(provider.wires) == 1
    assert first.text == "You said: Write to anna@example.com"
    assert second.text == "You said: Write to bert@example.org"
    assert stream.response.text == "You said: Write to carl@example.net"
    assert stream.response.replay == second.replay
    lines = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text("utf-8").splitlines()]
    assert [line.get("replay", {}).get("by") for line in lines] == [None, "cache", "cache"]
    with sqlite3.connect(tmp_path / "answers.sqlite") as file:
        ((kept,),) = file.execute("select body from answers").fetchall()
    file.close()
    assert b"<EMAIL_1>" in kept
    for place in (kept, (tmp_path / "calls.jsonl").read_bytes()):
        assert b"example." not in place


async def test_the_installed_ones_are_found_by_name(tmp_path):
    for name, target in OURS.items():
        loaded(name)
        registry = Registry.installed()
        if name not in registry.names("middleware"):
            pytest.skip(f"{name} is importable here, but not installed")
        module, _, attribute = target.partition(":")
        assert registry.middleware(name) is getattr(import_module(module), attribute)

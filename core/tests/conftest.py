"""What the tests of the core share."""

from __future__ import annotations

import sys
import textwrap

import pytest

from jackfield import Registry
from jackfield.testing import RecordingServer, no_retry_pauses


@pytest.fixture
async def server():
    async with RecordingServer() as running:
        yield running


@pytest.fixture
def pauses():
    """Make no pause between attempts; gives the seconds of those that would have been made."""
    with no_retry_pauses() as asked:
        yield asked


@pytest.fixture
def key(monkeypatch):
    """The secret of the plain provider, in the environment."""
    value = "sk-plain-0123456789abcdef"
    monkeypatch.setenv("PLAIN_KEY", value)
    return value


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution: `install("jackfield-acme", {"providers.v1": "acme = acme_module"}, "source")`."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(Registry, "_entry_points", None)
    monkeypatch.setattr(Registry, "_by_lists", {})
    monkeypatch.delenv("JACKFIELD_PLUGINS_ALLOW", raising=False)
    monkeypatch.delenv("JACKFIELD_PLUGINS_BLOCK", raising=False)
    modules = []

    def make(distribution, entries, source="", version="1.0"):
        module = f"{distribution.replace('-', '_')}_module"
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source), "utf-8")
        info = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(
            "".join(f"[jackfield.{group}]\n{line.format(module=module)}\n" for group, line in entries.items())
        )
        return module

    yield make
    for module in modules:
        sys.modules.pop(module, None)

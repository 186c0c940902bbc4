"""Plugins of the repository that are extensions are extensions: no provider's hooks, and none can break a call."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from jackfield._plugins.extensions import HOOKS, bind_extension

ROOT = Path(__file__).parents[1]
GROUP = "jackfield.extensions.v1"


def entry_points() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(ROOT.glob("plugins/*/pyproject.toml")):
        project = tomllib.loads(path.read_text("utf-8"))["project"]
        found.update(project.get("entry-points", {}).get(GROUP, {}))
    return found


def loaded(target: str) -> object:
    module, _, attribute = target.partition(":")
    plugin: object = pytest.importorskip(module)
    return getattr(plugin, attribute) if attribute else plugin


def test_there_are_extensions_to_look_at():
    assert "genai-prices" in entry_points()


@pytest.mark.parametrize("name", entry_points())
def test_an_extension_binds_and_has_a_hook(name):
    hooks = bind_extension(loaded(entry_points()[name]), f"the extension {name}")
    assert hooks
    assert hooks.keys() <= set(HOOKS)


@pytest.mark.parametrize("name", entry_points())
def test_an_extension_has_no_hooks_of_a_provider(name):
    plugin = loaded(entry_points()[name])
    marked = {
        hook
        for hook in dir(plugin)
        if getattr(getattr(plugin, hook, None), "jackfield_impl", None) is not None
    }
    assert marked <= set(HOOKS)

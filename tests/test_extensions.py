"""Plugins of the repository that are extensions are extensions: no provider's hooks, and none can break a call."""

from __future__ import annotations

import pytest

from jackfield._plugins.extensions import HOOKS, bind_extension
from tools.workspace import entry_points

OURS = entry_points("jackfield.extensions.v1")


def loaded(target: str) -> object:
    module, _, attribute = target.partition(":")
    plugin: object = pytest.importorskip(module)
    return getattr(plugin, attribute) if attribute else plugin


def test_there_are_extensions_to_look_at():
    assert "genai-prices" in OURS


@pytest.mark.parametrize("name", OURS)
def test_an_extension_binds_and_has_a_hook(name):
    hooks = bind_extension(loaded(OURS[name]), f"the extension {name}")
    assert hooks
    assert hooks.keys() <= set(HOOKS)


@pytest.mark.parametrize("name", OURS)
def test_an_extension_has_no_hooks_of_a_provider(name):
    plugin = loaded(OURS[name])
    marked = {
        hook
        for hook in dir(plugin)
        if getattr(getattr(plugin, hook, None), "jackfield_impl", None) is not None
    }
    assert marked <= set(HOOKS)

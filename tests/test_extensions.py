"""Plugins of the repository that are extensions are extensions: no provider's hooks, and none can break a call."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

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


def test_with_nothing_configured_no_extension_wants_to_know_the_end_of_a_call():
    """The core then describes no outcome: an installed plugin that has nothing to do costs a call next to nothing."""
    code = """
import sys
from jackfield import Registry
registry = Registry.installed()
assert set(registry.names("extension")) >= set(sys.argv[1:])
assert registry.call_started(None) is None
assert not [state for state in registry.plugins() if state.state == "failed"]
"""
    names = [name for name, target in OURS.items() if find_spec(target.partition(":")[0])]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *names], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

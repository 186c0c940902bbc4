"""What the core knows of this project's packages for its hints is what these packages say themselves."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from jackfield import Registry
from jackfield._config.loader import load_config
from jackfield._plugins.known import known_plugins

ROOT = Path(__file__).parents[1]
PROJECTS = {
    path.parent.name: tomllib.loads(path.read_text("utf-8"))["project"]
    for path in ROOT.glob("plugins/*/pyproject.toml")
}


def names(group: str) -> set[str]:
    return {name for project in PROJECTS.values() for name in project.get("entry-points", {}).get(group, ())}


def test_providers_and_middlewares_are_those_of_the_packages():
    known = known_plugins()
    assert set(known.providers) == names("jackfield.providers.v1")
    assert {known.local} <= set(known.providers)
    assert set(known.middlewares) <= names("jackfield.middlewares.v1")
    assert set(known.tables) == names("jackfield.tables.v1")


@pytest.mark.parametrize("unit", known_plugins().units)
def test_a_unit_is_one_that_a_provider_counts(unit):
    registry = Registry.installed()
    absent = set(known_plugins().providers) - set(registry.provider_ids())
    counted = {one for name in registry.provider_ids() for one in registry.provider(name).info.units}
    if unit not in counted and absent:
        pytest.skip(f"not installed: {', '.join(sorted(absent))}")
    assert unit in counted


def test_every_unit_that_a_provider_counts_is_known():
    registry = Registry.installed()
    ours = [name for name in registry.provider_ids() if name in known_plugins().providers]
    assert {one for name in ours for one in registry.provider(name).info.units} <= set(known_plugins().units)


def test_the_local_provider_brings_a_configuration_and_is_installed_as_is_said(monkeypatch, tmp_path):
    known = known_plugins()
    project = PROJECTS[known.local]
    assert project["name"] == f"jackfield-{known.local}"
    assert set(known.install.split(",")) <= set(project["optional-dependencies"])
    registry = Registry.installed()
    if not registry.has_provider(known.local):
        pytest.skip(f"{known.local} is not installed")
    monkeypatch.delenv("JACKFIELD_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    config = load_config(None, registry)
    assert [connection.provider_id for connection in config.connections.values()] == [known.local]
    assert config.aliases == {"default": ("local:smollm2-135m",), "embedding": ("local:minilm",)}
    assert not config.failures

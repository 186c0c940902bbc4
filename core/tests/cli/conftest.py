from __future__ import annotations

import inspect

import attrs
import pytest
from click.testing import CliRunner

from jackfield._plugins.registry import Registry
from jackfield.cli._group import make_cli
from jackfield.plugin import hookimpl
from jackfield.testing import FakeProvider

CONFIG = """
[aliases]
default = "a:echo"

[connections.a]
provider = "fake"
"""


class LocalProvider(FakeProvider):
    """A fake in place of the local provider, which brings a configuration."""

    def __init__(self):
        super().__init__("onnx")

    @hookimpl
    def jackfield_provider(self):
        return attrs.evolve(
            super().jackfield_provider(),
            default_configuration={
                "connections": {"local": {"provider": "onnx"}},
                "aliases": {"default": "local:smollm2-135m", "embedding": "local:minilm"},
            },
        )


class Command:
    """Runs the command line in this process, with fake providers and a configuration in a file."""

    def __init__(self, folder):
        self.folder = folder
        self.fake = FakeProvider()
        self.providers = [self.fake]
        self.extensions = []
        self.configure(CONFIG)

    def configure(self, text):
        self.path = self.folder / "declared.toml"
        self.path.write_text(text, "utf-8")

    def only_local(self):
        """Have the local provider alone."""
        self.providers = [LocalProvider()]

    def registry(self):
        return Registry.of(*self.providers, extensions=self.extensions)

    def __call__(self, *arguments, piped=None, configured=True, registry=None):
        # click 8.1 mixes the two streams unless told not to
        split = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}
        config = ["--config", str(self.path)] if configured else []
        return CliRunner(**split).invoke(
            make_cli(registry or self.registry()), [*config, *arguments], input=piped
        )


@pytest.fixture
def command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("JACKFIELD_CONFIG", "JACKFIELD_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return Command(tmp_path)

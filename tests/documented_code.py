"""Find the blocks of code in a page of Markdown, and play them.

What a page needs beside its blocks stands in HTML comments, which readers do not see:

* `<!-- code: skip, WHY -->`: the next block is not played.
* `<!-- code: file PATH -->`: the next block is written into a file of the page's folder; a second one is appended.
* `<!-- code: planned -->`: providers in the next TOML block may be missing.
* `<!-- code: raises NAME -->`: the next Python block ends with this error.
* `<!-- code: run`, lines of Python, `-->`: played at this place. `mesh = await opened(CONFIG)` gives a mesh that is
  open to the end of the page; `fakes["openai"].script(...)` says what is answered next.

The Python blocks of a page share one namespace and one event loop, from top to bottom.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import contextlib
import inspect
import itertools
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click
import pytest

import jackfield
from jackfield import Mesh, PluginError, Registry, load_config
from jackfield.cli._group import make_cli
from jackfield.plugin import (
    Capabilities,
    CredentialKind,
    ModelRef,
    ProviderInfo,
    Request,
    Translation,
    Wire,
    hookimpl,
)
from jackfield.testing import FakeProvider, StandIn, __main__ as kit

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"(?P<indent> *)```(?P<language>\w*)[^\n]*")
DIRECTIVE = re.compile(r"<!-- code: (?P<what>skip, .+|file \S+|planned|raises \w+) -->")
PLAYED = {"python", "toml", "sh"}
SHOWN = {"text", "json", "csv", ""}


@attrs.frozen
class Block:
    """One block of code, or one hidden run of Python."""

    page: Path
    line: int
    language: str
    text: str
    directive: str = ""

    @property
    def place(self) -> str:
        return f"{self.page}, line {self.line}"


def blocks(page: Path, text: str) -> Iterator[Block]:
    """Return the blocks of a page in order, hidden runs of Python as blocks of the language `run`."""
    lines = text.splitlines()
    directive, number = "", 0
    while number < len(lines):
        line = lines[number]
        number += 1
        fence = FENCE.fullmatch(line)
        if line == "<!-- code: run" or fence:
            end, indent = ("-->", 0) if not fence else ("```", len(fence["indent"]))
            stop = next(i for i in range(number, len(lines)) if lines[i].strip() == end)
            body = "\n".join(lines[i][indent:] for i in range(number, stop)) + "\n"
            language = fence["language"] if fence else "run"
            yield Block(page, number, language, body, directive if fence else "")
            directive, number = "" if fence else directive, stop + 1
        elif line.startswith("<!-- code:"):
            found = DIRECTIVE.fullmatch(line)
            assert found, f"{page}, line {number}: {line} is not understood"
            assert not directive, f"{page}, line {number}: the {directive!r} above has no block"
            directive = found["what"]
        else:
            assert not directive or not line.strip(), f"{page}, line {number}: {directive!r} has no block"


class PageStandIn(StandIn):
    """A stand-in that is real altogether with a `base_url` on this machine, where the page has a server of its own."""

    @hookimpl
    def jackfield_translate(
        self, model: ModelRef, request: Request, capabilities: Capabilities
    ) -> Translation:
        if on_this_machine(model.settings):
            return self.real.translate(model, request, capabilities)
        return super().jackfield_translate(model, request, capabilities)

    @hookimpl
    def jackfield_decoder(self, model: ModelRef, wire: Wire) -> Any:
        if on_this_machine(model.settings):
            return self.real.decoder(model, wire)
        return super().jackfield_decoder(model)

    @hookimpl
    def jackfield_transport(self, settings: Any) -> Any:
        if on_this_machine(settings):
            return self.real.transport(settings)
        return super().jackfield_transport(settings)


def on_this_machine(settings: Any) -> bool:
    return "127.0.0.1" in str(getattr(settings, "base_url", ""))


def stand_ins(registry: Registry) -> dict[str, PageStandIn]:
    """Return a stand-in for every installed provider that works, by id."""
    found = {}
    for name in registry.provider_ids():
        with contextlib.suppress(PluginError):  # a plugin that cannot be loaded fails its own tests
            found[name] = PageStandIn(registry.provider(name))
    return found


def credential_kinds(registry: Registry) -> dict[str, CredentialKind]:
    """Return the kinds of credentials that are installed and work, by name."""
    found = {}
    for name in registry.names("credentials"):
        with contextlib.suppress(PluginError):
            found[name] = registry.credential_kind(name)
    return found


def middlewares(registry: Registry) -> dict[str, Any]:
    """Return the middlewares that are installed and work, by name."""
    found = {}
    for name in registry.names("middleware"):
        with contextlib.suppress(PluginError):
            found[name] = registry.middleware(name)
    return found


def tables(registry: Registry) -> dict[str, type]:
    """Return the tables that installed plugins add to the configuration, by name."""
    found = {}
    for name in registry.names("table"):
        with contextlib.suppress(PluginError):
            found[name] = registry.table(name)
    return found


class Commands:
    """An extension with the commands of all extensions that are installed, and nothing else of them."""

    def __init__(self, real: Registry) -> None:
        self._real = real

    @hookimpl
    def jackfield_commands(self, cli: click.Group) -> None:
        """Add them."""
        self._real.commands(cli)


class Page:
    """Plays the blocks of one page."""

    def __init__(self, folder: Path, real: Registry) -> None:
        self.folder = folder
        fakes = stand_ins(real)
        self.registry = Registry.of(
            *fakes.values(),
            extensions=[Commands(real)],
            credentials=credential_kinds(real),
            middlewares=middlewares(real),
            tables=tables(real),
        )
        self.namespace: dict[str, Any] = {"__name__": "documented", "opened": self.opened, "fakes": fakes}
        self.meshes: list[Mesh] = []
        self.files: set[Path] = set()
        self.played = 0

    def play(self, found: list[Block]) -> None:
        """Play blocks in order; whatever goes wrong says where."""
        with asyncio.Runner() as runner:
            for block in found:
                try:
                    self._play(block, runner)
                except BaseException as error:
                    error.add_note(f"in the code of {block.place}")
                    raise

            for mesh in self.meshes:
                runner.run(mesh.__aexit__(None, None, None))

    async def opened(self, config: Any, **options: Any) -> Mesh:
        """Open a mesh that is closed when the page has been played."""
        mesh = await Mesh.from_config(config, **options).__aenter__()
        self.meshes.append(mesh)
        return mesh

    def _play(self, block: Block, runner: asyncio.Runner) -> None:
        what, _, argument = block.directive.partition(" ")
        if block.language in SHOWN and what != "file":
            return
        self.played += block.language in PLAYED and what != "skip,"
        if what == "skip,":
            return
        if what == "file":
            self._write(argument, block)
        elif block.language == "toml":
            check_toml(block.text, Registry.installed(), self.folder, planned=what == "planned")
        elif block.language == "sh":
            check_shell(block.text)
        elif what == "raises":
            self._must_raise(argument, block, runner)
        else:
            self._run(block, runner)

    def _write(self, name: str, block: Block) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if path in self.files else "w", encoding="utf-8") as file:
            file.write(("\n\n" if path in self.files and path.suffix == ".py" else "") + block.text)
        self.files.add(path)
        if path.suffix == ".py":
            ast.parse(path.read_text("utf-8"))
        elif path.suffix == ".toml":
            check_toml(path.read_text("utf-8"), Registry.installed(), self.folder)

    def _must_raise(self, name: str, block: Block, runner: asyncio.Runner) -> None:
        with pytest.raises(getattr(jackfield, name)):
            self._run(block, runner)

    def _run(self, block: Block, runner: asyncio.Runner) -> None:
        text = "\n" * block.line + block.text
        code = compile(text, str(block.page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if code.co_flags & inspect.CO_COROUTINE:
            runner.run(eval(code, self.namespace))
        else:
            exec(code, self.namespace)


# TOML


def check_toml(text: str, registry: Registry, folder: Path, *, planned: bool = False) -> None:
    """Load a configuration, or read the `pyproject.toml` of a plugin."""
    content = tomllib.loads(text)
    if "project" in content or "build-system" in content:
        check_project(content)
        return
    if planned:
        names = [name for name in sorted(providers_of(content)) if not registry.has_provider(name)]
        missing = [planned_provider(name, content) for name in names]
        have = stand_ins(registry).values()
        registry = Registry.of(
            *have,
            *missing,
            credentials=credential_kinds(registry),
            middlewares=middlewares(registry),
            tables=tables(registry),
        )
    path = folder / "jackfield.toml"
    before = path.read_text("utf-8") if path.exists() else None
    path.write_text(text, "utf-8")
    loaded = load_config(path, registry)
    assert not loaded.failures
    if before is not None:
        path.write_text(before, "utf-8")


def providers_of(content: dict[str, Any]) -> set[str]:
    return {table["provider"] for table in content.get("connections", {}).values()}


def planned_provider(id: str, content: dict[str, Any]) -> FakeProvider:
    """Make a provider that takes the keys that a block writes, for a plugin that is still to come."""
    tables = [table for table in content["connections"].values() if table["provider"] == id]
    keys = {key for table in tables for key in table}
    settings = attrs.make_class(
        "Settings", {key: attrs.field(default=None) for key in keys if key not in {"provider", "models"}}
    )

    class Planned(FakeProvider):
        @hookimpl
        def jackfield_provider(self) -> ProviderInfo:
            return attrs.evolve(super().jackfield_provider(), settings=settings)

    return Planned(id)


GROUPS = {
    f"jackfield.{kind}.v1" for kind in ("providers", "credentials", "middlewares", "extensions")
}  # fmt: skip


def check_project(content: dict[str, Any]) -> None:
    """Check what a `pyproject.toml` says to us."""
    project = content.get("project", {})
    if "name" in project:
        assert project["name"].startswith("jackfield-")
        assert any(need.startswith("jackfield") for need in project["dependencies"])
    for group in project.get("entry-points", {}):
        assert group in GROUPS, group


# Shell


def check_shell(text: str) -> None:
    """Parse every command of ours, and look for what pip and nox are asked for."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        for command in re.split(r"\s*(?:&&|\|\||;|(?<!\\)\|(?!\|))\s*", line):
            words = shlex.split(command, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                check_command(*without_redirections(words))


def without_redirections(words: list[str]) -> list[str]:
    kept, skip = [], False
    for word in words:
        if not skip and not re.match(r"[0-9]?[<>]", word):
            kept.append(word)
        skip = word in {"<", ">", ">>", "2>"}
    return kept


def check_command(program: str, *arguments: str) -> None:
    program = program.removeprefix(".venv/bin/").removeprefix("./")
    if program in {"python", "python3"} and arguments[:1] == ("-m",):
        program, arguments = arguments[1], arguments[2:]
    if program == "jackfield":
        parse_command(make_cli(), "jackfield", list(arguments))
    elif program == "jackfield.testing":
        parser: argparse.ArgumentParser = kit._parser()
        parser.parse_args(arguments)
    elif program == "nox":
        sessions = {
            node.name for node in ast.parse((ROOT / "noxfile.py").read_text("utf-8")).body
            if isinstance(node, ast.FunctionDef) and node.decorator_list
        }  # fmt: skip
        for option, value in itertools.pairwise(arguments):
            assert option not in {"-s", "--session"} or value in sessions, f"no session {value}"
    elif program == "pip" and arguments[:1] == ("install",):
        for requirement in arguments[1:]:
            check_requirement(requirement)
    elif program == "pytest":
        assert all(path.startswith("-") or "/" not in path or (ROOT / path).exists() for path in arguments)
    elif program in {"python", "python3", ".ci/run"}:
        script = arguments[0] if program != ".ci/run" else program
        assert script.startswith("-") or (ROOT / script).exists() or script in WRITTEN_BY_READERS, script


WRITTEN_BY_READERS = {"ask.py"}


def parse_command(command: click.Command, name: str, arguments: list[str]) -> None:
    """Let click read a command line, down to the last group, without running it."""
    with command.make_context(name, arguments, resilient_parsing=False) as context:
        if isinstance(command, click.Group):
            rest = [*context._protected_args, *context.args]
            if not rest:
                return
            chosen, found, rest = command.resolve_command(context, rest)
            assert found is not None
            parse_command(found, chosen or "", rest)


def check_requirement(requirement: str) -> None:
    """Look for a package of this repository and the extras that are asked of it."""
    found = re.fullmatch(r"(\./[\w/-]+|jackfield[\w-]*)(?:\[([\w,-]+)\])?", requirement)
    if found is None:
        return
    name = found[1]
    if name.startswith("./"):
        folder = ROOT / name
    else:
        folder = ROOT / "core" if name == "jackfield" else ROOT / "plugins" / name.removeprefix("jackfield-")
    if not name.startswith("./") and not folder.exists():
        return  # a plugin of somebody else's
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    for extra in (found[2] or "").split(","):
        assert not extra or extra in project["optional-dependencies"], f"{name} has no extra {extra}"
